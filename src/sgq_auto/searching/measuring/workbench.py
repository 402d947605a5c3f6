"""What a process needs to measure allocations."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sgq_auto.graphs import Graph
from sgq_auto.graphs.many_graphs import largest_graph
from sgq_auto.packed import FootprintModel
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import generic_layers, prepare, trace_model, unpackable_reason
from sgq_auto.searching.command_stages import OnStage, Stage, unheard
from sgq_auto.searching.measuring.chance_level import chance_score
from sgq_auto.searching.measuring.early_stopping import DominationStopper
from sgq_auto.searching.measuring.majority_class import Guessing, untaught
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.space.pareto_front import Frame
from sgq_auto.searching.space.search_space import SearchSpace
from sgq_auto.searching.space.size_table import SizeTable
from sgq_auto.searching.trials.trial_records import Measurement
from sgq_auto.training import (
    FitResult,
    Pretrained,
    Stopper,
    evaluate,
    fit,
    predict,
    pretrain,
    said,
    weights_path,
)

# Between the seeds of a trial and its repeats: further than any two studies' seeds.
_SEEDS_APART = 1_000_000


@dataclass(frozen=True, eq=False)
class Workbench:
    """A graph, full-precision weights, sizes and the search space; no test label.

    Attributes:
        settings: The search.
        graph: The prepared graph.
        pretrained: The plain model at full precision. Where nothing fits the budget it is not
            trained, and its accuracy is NaN.
        teacher: What full precision says ``[N, outputs]``, mean over several seeds: probabilities
            of classes or labels, or numbers.
        teacher_accuracies: Validation accuracy of each of these models.
        footprints: Sizes of the model on the graph.
        space: The search space.
        generic: What is said of layers without a quantized twin, if there are any.
        unpackable: Why the model cannot be packed, if it cannot.
        sized: Which of many graphs the sizes are of.
    """

    settings: SearchSettings
    graph: Graph
    pretrained: Pretrained
    teacher: Tensor
    teacher_accuracies: tuple[float, ...]
    footprints: FootprintModel
    space: SearchSpace
    generic: str | None = None
    unpackable: str | None = None
    sized: str | None = None

    @classmethod
    def build(
        cls,
        settings: SearchSettings,
        graph: Graph,
        seed: int | None = None,
        on_stage: OnStage = unheard,
    ) -> "Workbench":
        """Pre-train from ``seed`` (the study's own if ``None``) on, or read cached weights.

        Where even the smallest allocation is above the budget, nothing is trained; see
        :attr:`nothing_fits`. The graph is moved to the device of the settings.
        """
        graph = graph.to(torch.device(settings.device))
        if settings.budget.max_kib is not None:
            untrained = cls.untrained(settings, graph)
            if untrained.nothing_fits:
                return untrained
        seed = settings.seed if seed is None else seed
        # Also what leaves every teacher in the cache before a study's workers look for them.
        taught = settings.finetune.distillation > 0
        seeds = range(seed, seed + (settings.teachers if taught else 1))
        models = pretrain_models(settings, graph, seeds, on_stage)
        return cls._of(settings, graph, models[0], models)

    @classmethod
    def untrained(cls, settings: SearchSettings, graph: Graph) -> "Workbench":
        """What is known without training: sizes, and whether anything fits the budget."""
        return cls._of(settings, graph, Pretrained(settings.model.build(graph), math.nan))

    @classmethod
    def _of(
        cls,
        settings: SearchSettings,
        graph: Graph,
        pretrained: Pretrained,
        teachers: Sequence[Pretrained] = (),
    ) -> "Workbench":
        prepared = prepare(pretrained.model, graph)
        trace = trace_model(prepared, graph)
        largest = largest_graph(trace.spec, graph)
        footprints = largest.footprints
        notes = generic_layers(prepared), unpackable_reason(trace)
        del trace  # It holds every embedding.
        space = SearchSpace.build(
            footprints, settings.granularity, settings.ladder, settings.objective
        )
        teacher = _mean_prediction(teachers, graph) if teachers else torch.empty(0)
        accuracies = tuple(each.val_accuracy for each in teachers)
        made = cls(settings, graph, pretrained, teacher, accuracies, footprints, space, *notes)
        return replace(made, sized=largest.note)

    @cached_property
    def nothing_fits(self) -> str | None:
        """Why no allocation is within ``max_kib``, known without training; else ``None``."""
        objective, budget = self.settings.objective, self.settings.budget
        num_bytes = self.footprints.packed(self.space.smallest()).figure(objective)
        if budget.max_kib is None or budget.holds(num_bytes):
            return None
        return (
            f"nothing fits: max_kib={budget.max_kib:g}, and the fewest bits everywhere take "
            f"{num_bytes / 1024:,.1f} KiB {objective}"
        )

    @property
    def is_trained(self) -> bool:
        """Whether there is a model at full precision."""
        return not math.isnan(self.pretrained.val_accuracy)

    @cached_property
    def guessing(self) -> Guessing | None:
        """Full precision against guessing; ``None`` where nothing was trained."""
        if not self.is_trained:
            return None
        accuracy, allowed = self.pretrained.val_accuracy, self.settings.allowed_drop
        trained = self.settings.pretrain is not None
        return Guessing.of(accuracy, self.graph, allowed, trained_here=trained)

    @property
    def warning(self) -> str | None:
        """What must be known of the full-precision models, if they are not better than guessing."""
        if self.guessing is None:
            return None
        return self.guessing.warning or untaught(
            self.teacher_accuracies, self.graph, self.settings.allowed_drop
        )

    @cached_property
    def frame(self) -> Frame:
        """The fixed frame of hypervolumes on this graph."""
        objective = self.settings.objective
        return Frame(
            smallest_bytes=self.footprints.packed(self.space.smallest()).figure(objective),
            full_bytes=self.footprints.full_precision().figure(objective),
            majority_accuracy=chance_score(self.graph),
            full_accuracy=self.pretrained.val_accuracy,
            metric=self.graph.metric,
        )

    @cached_property
    def sizes(self) -> SizeTable:
        """Exact bytes under the objective of many allocations at once."""
        return SizeTable.build(self.footprints, self.space, self.settings.objective)

    def num_bytes(self, params: Mapping[str, int]) -> int:
        """Bytes of one allocation under the objective."""
        return int(self.sizes(np.array([self.space.positions(params)]))[0])

    def drop(self, val_accuracy: float) -> float:
        """Points of the metric that a model lies below full precision in the search."""
        return self.graph.metric.drop(self.pretrained.val_accuracy, val_accuracy)

    def full_precision(self) -> nn.Module:
        """The pre-trained model on the same path as the quantized ones."""
        return prepare(self.pretrained.model, self.graph)

    def logits_of(
        self, seeds: Iterable[int], ask: Callable[[nn.Module], Tensor]
    ) -> Iterator[Tensor]:
        """What full precision of each seed returns.

        Args:
            seeds: The seeds.
            ask: What a prepared model is asked, like its logits on the search's graph.
        """
        for each in pretrain_models(self.settings, self.graph, list(seeds)):
            yield ask(prepare(each.model, self.graph))

    def finetune(
        self, allocation: BitAllocation, seed: int, stopper: Stopper | None = None
    ) -> tuple[nn.Module, FitResult]:
        """Fine-tune from the full-precision weights; the quantized model and how it went."""
        model = prepare(self.pretrained.model, self.graph, allocation, self.settings.ranges)
        return model, fit(model, self.graph, self.settings.finetune, seed, self.teacher, stopper)

    def distil(self, seed: int) -> tuple[nn.Module, FitResult]:
        """Fine-tune full precision itself as every allocation is: its distilled twin."""
        return self.finetune(self.footprints.all_full(), seed)

    def measure(
        self,
        allocation: BitAllocation,
        repeat: int = 0,
        stopper: DominationStopper | None = None,
    ) -> Measurement:
        """Fine-tune and measure an allocation.

        The seed is the study's for every allocation (common random numbers), so that what
        differs between two trials is their bits; each repeat has one of its own.
        """
        _, result = self.finetune(allocation, finetune_seed(self.settings, repeat), stopper)
        forecast = stopper.forecast if stopper and result.stopped else None
        return Measurement(
            val_accuracy=result.val_accuracy,
            forecast=None if forecast is None else forecast.mean,
            footprint=self.footprints.packed(allocation).as_dict(),
            average_bits=self.footprints.average_bits(allocation),
            curve=result.curve,
            finetune_seconds=result.seconds,
        )


def pretrain_model(settings: SearchSettings, graph: Graph, seed: int) -> Pretrained:
    """The search's model at full precision, trained with ``seed`` or read from the cache.

    For every seed it is the model of the user's checkpoint, if there is one.
    """
    if settings.pretrain is None:
        model = settings.model.trained(graph)
        return Pretrained(model, evaluate(prepare(model, graph), graph)[0])
    return pretrain(
        lambda: settings.model.build(graph),
        graph,
        settings.pretrain,
        seed,
        model_config=settings.model.key_on(graph),
        cache=settings.cache,
        brought=settings.brought,
    )


def model_path(settings: SearchSettings, graph: Graph, seed: int) -> Path:
    """Where the weights of :func:`pretrain_model` are kept, or those that the study brought."""
    if settings.pretrain is None:
        assert settings.model.checkpoint is not None
        return settings.model.checkpoint
    path = weights_path(
        graph,
        settings.pretrain,
        seed,
        model_config=settings.model.key_on(graph),
        cache=settings.cache,
    )
    brought = None if settings.brought is None else settings.brought / path.name
    return path if brought is None or not brought.exists() else brought


def pretrain_models(
    settings: SearchSettings, graph: Graph, seeds: Iterable[int], on_stage: OnStage = unheard
) -> list[Pretrained]:
    """The search's model at full precision for each seed; those not in the cache are trained.

    Where it is the user's own, no seed has another one: it is returned once.
    """
    seeds = list(seeds)[:1] if settings.pretrain is None else list(seeds)
    missing = [seed for seed in seeds if not model_path(settings, graph, seed).exists()]
    total, models = len(missing), []
    text = f"training {total} full-precision model{'' if total == 1 else 's'}"
    for seed in seeds:
        if seed in missing:
            on_stage(Stage(text, missing.index(seed), total))
        models.append(pretrain_model(settings, graph, seed))
    return models


def mean_probabilities(
    settings: SearchSettings,
    graph: Graph,
    seeds: Iterable[int],
    ask: Callable[[nn.Module], Tensor] | None = None,
) -> Tensor:
    """What full-precision models with these seeds say ``[rows, outputs]``, the mean: probabilities.

    Args:
        settings: The search.
        graph: What they are trained on.
        seeds: The seeds.
        ask: Asks a prepared model for what it returns; by default those on ``graph``.
    """
    return _mean_prediction(pretrain_models(settings, graph, seeds), graph, ask)


def _mean_prediction(
    models: Sequence[Pretrained], graph: Graph, ask: Callable[[nn.Module], Tensor] | None = None
) -> Tensor:
    ask = ask or partial(predict, graph=graph)
    outputs = (ask(prepare(each.model, graph)) for each in models)
    return torch.stack([said(each, graph.task) for each in outputs]).mean(dim=0)


def finetune_seed(settings: SearchSettings, repeat: int) -> int:
    """The seed of a fine-tuning.

    Args:
        settings: The search.
        repeat: How often the allocation was measured before; each measurement has its own seed.
    """
    return settings.seed + _SEEDS_APART * repeat
