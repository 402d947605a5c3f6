"""Full-precision training runs that tuning compares; they may run in several processes."""

import math
import os
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import torch
from torch.nn import functional

from sgq_auto.graphs import Graph
from sgq_auto.graphs.store import load_graph, save_graph
from sgq_auto.quantize import prepare
from sgq_auto.searching.measuring.chance_level import chance_score
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.tuning.training_recipe import EPOCHS, Recipe
from sgq_auto.searching.workers.process_pool import process_pool
from sgq_auto.task import Metric
from sgq_auto.training import (
    DivergedError,
    FitResult,
    Keep,
    Schedule,
    fit,
    predict,
    resampled_scores,
    steps_of_epoch,
)

# Steps between two looks at the validation nodes.
_LOOK_EVERY = 10
# Samples of the validation nodes that tell how certain a difference is.
_SAMPLES = 200


@dataclass(frozen=True)
class TrainingRun:
    """A recipe that is trained with a seed."""

    recipe: Recipe
    seed: int


@dataclass(frozen=True)
class RunResult:
    """What a training run reached on the validation nodes.

    Attributes:
        fitted: How training went; ``None`` if it diverged.
        right: Of each validation node, whether the kept epoch predicts its class; of another metric
            than accuracy empty.
        resampled: Another metric on samples of the validation nodes, drawn with replacement, which
            are the same for every run.
        least: The metric of a run that diverged.
        losses: The loss of each validation graph at the kept epoch, where classes of whole graphs
            are predicted; else empty.
    """

    fitted: FitResult | None
    right: tuple[bool, ...]
    resampled: tuple[float, ...] = ()
    least: float = 0.0
    losses: tuple[float, ...] = ()

    @property
    def rank(self) -> float:
        """What runs are ranked by; more is better.

        It is the metric. Validation graphs are few, so that many recipes get the same number of
        them right: there it is their mean loss, below 0.
        """
        return -statistics.fmean(self.losses) if self.losses else self.val_accuracy

    @property
    def val_accuracy(self) -> float:
        """Validation accuracy (or metric) of the kept epoch; the least if training diverged."""
        return self.fitted.val_accuracy if self.fitted else self.least

    @property
    def kept_epoch(self) -> int:
        """The epoch that training ended with; 0 if it diverged."""
        return self.fitted.kept_epoch if self.fitted else 0

    def loss_within(self, epochs: int) -> float:
        """The lowest validation loss of the first ``epochs`` epochs; infinite if it diverged."""
        return self.fitted.loss_within(epochs) if self.fitted else math.inf


class Trainer(Protocol):
    """Trains several runs and returns their results, in order."""

    def __call__(self, runs: Sequence[TrainingRun]) -> Iterator[RunResult]:
        """Train them; results come as they are needed."""


@contextmanager
def trainer(settings: SearchSettings, graph: Graph, folder: Path) -> Iterator[Trainer]:
    """Trains in as many processes as the search has workers.

    Args:
        settings: The search.
        graph: Its graph.
        folder: Where the graph is handed to the processes, in a file of this process alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".graph-{os.getpid()}.safetensors"
    save_graph(graph, scratch)
    try:
        with process_pool(settings.workers) as executor:
            yield lambda runs: executor.map(partial(_train_stored, settings, scratch), runs)
    finally:
        scratch.unlink(missing_ok=True)


def _train_stored(settings: SearchSettings, path: Path, run: TrainingRun) -> RunResult:
    return train(settings, load_graph(path).to(torch.device(settings.device)), run)


def train(settings: SearchSettings, graph: Graph, run: TrainingRun) -> RunResult:
    """Train one model at full precision.

    At constant step sizes, validation nodes are looked at every few epochs at least: what a shorter
    training would have reached can then be read off.
    """
    settings = run.recipe.applied(settings)
    graph = run.recipe.prepared(graph)
    fitting = settings.pretraining
    if fitting.schedule is Schedule.CONSTANT and fitting.keep is Keep.BEST:
        looks = max(1, _LOOK_EVERY // steps_of_epoch(graph, fitting))
        fitting = replace(fitting, evaluate_every=min(fitting.evaluate_every, looks))
    torch.manual_seed(run.seed)
    model = prepare(settings.model.build(graph), graph)
    try:
        fitted = fit(model, graph, fitting, run.seed)
    except DivergedError:
        return _diverged(graph)
    outputs, labels = predict(model, graph)[graph.val.nodes], graph.val.labels
    if _is_accuracy(graph):
        right = tuple((outputs.argmax(dim=1) == labels).tolist())
        if not graph.task.predicts_graphs:
            return RunResult(fitted, right)
        losses = functional.cross_entropy(outputs, labels, reduction="none")
        return RunResult(fitted, right, losses=tuple(losses.tolist()))
    samples = graph.metric, graph.in_units(outputs), labels
    found = resampled_scores(*samples, count=_SAMPLES, seed=0)
    return RunResult(fitted, (), tuple(found.tolist()))


def _diverged(graph: Graph) -> RunResult:
    """What stands for a run without a result: it is no better than one answer for all nodes."""
    if _is_accuracy(graph):
        count = graph.val.nodes.numel()
        losses = (math.log(graph.num_classes),) * (count * graph.task.predicts_graphs)
        return RunResult(None, (False,) * count, losses=losses)
    least = chance_score(graph)
    return RunResult(None, (), (least,) * _SAMPLES, least)


def _is_accuracy(graph: Graph) -> bool:
    return graph.task.is_classification and graph.metric is Metric.ACCURACY


def lasting(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe with so many epochs."""
    return Recipe({**recipe.values, EPOCHS: epochs})
