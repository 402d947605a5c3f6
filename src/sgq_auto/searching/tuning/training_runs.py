"""Full-precision training runs that tuning compares; they may run in several processes."""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import torch

from sgq_auto.graphs import Graph
from sgq_auto.graphs.store import load_graph, save_graph
from sgq_auto.quantize import prepare
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.tuning.training_recipe import EPOCHS, Recipe
from sgq_auto.searching.workers.process_pool import process_pool
from sgq_auto.training import DivergedError, FitResult, Keep, Schedule, fit, predict

# Epochs between two looks at the validation nodes.
_LOOK_EVERY = 10


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
        right: Of each validation node, whether the kept epoch predicts its class.
    """

    fitted: FitResult | None
    right: tuple[bool, ...]

    @property
    def val_accuracy(self) -> float:
        """Validation accuracy of the kept epoch, 0..1; 0 if training diverged."""
        return self.fitted.val_accuracy if self.fitted else 0.0

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
        fitting = replace(fitting, evaluate_every=min(fitting.evaluate_every, _LOOK_EVERY))
    torch.manual_seed(run.seed)
    model = prepare(settings.model.build(graph), graph)
    try:
        fitted = fit(model, graph, fitting, run.seed)
    except DivergedError:
        return RunResult(None, (False,) * graph.val.nodes.numel())
    predicted = predict(model, graph)[graph.val.nodes].argmax(dim=1)
    return RunResult(fitted, tuple((predicted == graph.val.labels).tolist()))


def lasting(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe with so many epochs."""
    return Recipe({**recipe.values, EPOCHS: epochs})
