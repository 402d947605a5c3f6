"""What a process needs to measure allocations."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph
from sgq_auto.graphs.many_graphs import largest_graph
from sgq_auto.packed import FootprintModel
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import generic_layers, prepare, trace_model, unpackable_reason
from sgq_auto.searching.command_stages import OnStage, unheard
from sgq_auto.searching.measuring.chance_level import chance_score
from sgq_auto.searching.measuring.device_sizes import reported_sizes, too_large_for, with_device
from sgq_auto.searching.measuring.early_stopping import DominationStopper
from sgq_auto.searching.measuring.majority_class import Guessing, untaught
from sgq_auto.searching.measuring.reference_models import (
    finetune_seed,
    mean_prediction,
    pretrain_models,
)
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.space.device_bounds import DeviceBounds, Sized
from sgq_auto.searching.space.pareto_front import Frame
from sgq_auto.searching.space.search_space import Positions, SearchSpace
from sgq_auto.searching.space.size_table import Sizes, sizes_of
from sgq_auto.searching.trials.trial_records import Measurement
from sgq_auto.training import FitResult, Pretrained, Stopper, fit

_P = TypeVar("_P", bound=Sized)


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
        if settings.budget.limits_size:
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
        """What is known without training: sizes, and whether anything fits the budget.

        Raises:
            InputError: If the search is for a device and the model cannot be written in C.
        """
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
        largest = largest_graph(trace.spec, graph, settings.footprint.size)
        footprints = with_device(settings, largest.footprints, prepared, graph)
        notes = generic_layers(prepared), unpackable_reason(trace)
        del trace  # It holds every embedding.
        bounded = [figure for figure, _ in settings.budget.of_device.values()]
        space = SearchSpace.build(
            footprints, settings.granularity, settings.ladder, settings.objective, bounded
        )
        if settings.objective.of_device and not space.searched:
            raise InputError(f"objective={settings.objective}: no bits of this model change it")
        teacher = mean_prediction(teachers, graph) if teachers else torch.empty(0)
        accuracies = tuple(each.val_accuracy for each in teachers)
        made = cls(settings, graph, pretrained, teacher, accuracies, footprints, space, *notes)
        return replace(made, sized=largest.note)

    @cached_property
    def nothing_fits(self) -> str | None:
        """Why no allocation is within the bounds of sizes, known without training; else ``None``.

        Fewer bits take no more of anything: what the fewest everywhere break, nothing keeps.
        """
        objective, budget = self.settings.objective, self.settings.budget
        smallest = self.footprints.packed(self.space.smallest())
        num_bytes, reasons = smallest.figure(objective), []
        if budget.max_kib is not None and not budget.holds(num_bytes):
            reasons.append(
                f"max_kib={budget.max_kib:g}, and the fewest bits everywhere take "
                f"{num_bytes / 1024:,.1f} KiB {objective}"
            )
        broken = too_large_for(budget, smallest.as_dict())
        if broken:
            reasons.append(f"on the device, the fewest bits everywhere take {' and '.join(broken)}")
        return f"nothing fits: {'; '.join(reasons)}" if reasons else None

    @cached_property
    def device_bounds(self) -> DeviceBounds | None:
        """The bounds of flash and RAM; ``None`` where there are none."""
        return DeviceBounds.build(self.footprints, self.space, self.settings.budget)

    def fits(self, params: Mapping[str, int]) -> bool:
        """Whether an allocation is within every bound of sizes."""
        bounds = self.device_bounds
        fits_device = bounds is None or bool(bounds(self._positions([params]))[0])
        return fits_device and self.settings.budget.holds(self.num_bytes(params))

    def fitting(self, points: Sequence[_P]) -> list[_P]:
        """Those of measured allocations that are within every bound of sizes."""
        held = [point for point in points if self.settings.budget.holds(point.num_bytes)]
        return self.fitting_device(held)

    def fitting_device(self, points: Sequence[_P]) -> list[_P]:
        """Those of measured allocations that are within the bounds of flash and RAM."""
        bounds = self.device_bounds
        if bounds is None or not points:
            return list(points)
        within = bounds(self._positions(point.params for point in points))
        return [point for point, fits in zip(points, within, strict=True) if fits]

    def violations(self, params: Mapping[str, int], drop: float) -> dict[str, float]:
        """Each bound of the budget and by how much an allocation breaks it; 0 or less if kept.

        Args:
            params: The allocation.
            drop: Validation accuracy that it loses, percentage points.
        """
        found = self.settings.budget.violations(self.num_bytes(params), drop)
        if self.device_bounds is None:
            return found
        excesses = self.device_bounds.excesses(self._positions([params]))
        return found | {name: float(excess[0]) for name, excess in excesses.items()}

    @cached_property
    def reported(self) -> FootprintModel:
        """The sizes that are reported: those of the model in C too, where it can be written."""
        smallest = self.space.smallest()
        return reported_sizes(self.footprints, smallest, self.full_precision, self.graph)

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
    def sizes(self) -> Sizes:
        """Exact bytes under the objective of many allocations at once."""
        return sizes_of(self.footprints, self.space, self.settings.objective)

    def num_bytes(self, params: Mapping[str, int]) -> int:
        """Bytes of one allocation under the objective."""
        return int(self.sizes(self._positions([params]))[0])

    def _positions(self, params: Iterable[Mapping[str, int]]) -> Positions:
        return np.array([self.space.positions(each) for each in params])

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
