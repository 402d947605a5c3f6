"""What a process needs to measure allocations."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sgq_auto.allocation import BitAllocation
from sgq_auto.graphs import Graph
from sgq_auto.packed import FootprintModel
from sgq_auto.quantize import generic_layers, prepare, trace_model, unpackable_reason
from sgq_auto.searching.front import Frame
from sgq_auto.searching.records import Measurement
from sgq_auto.searching.settings import SearchSettings
from sgq_auto.searching.sizes import SizeTable
from sgq_auto.searching.space import SearchSpace
from sgq_auto.searching.stopping import DominationStopper
from sgq_auto.training import (
    FitResult,
    Pretrained,
    Stopper,
    fit,
    predict,
    pretrain,
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
        pretrained: The plain model at full precision.
        teacher: Mean class probabilities ``[N, classes]`` of full precision over several seeds.
        footprints: Sizes of the model on the graph.
        space: The search space.
        generic: What is said of layers without a quantized twin, if there are any.
        unpackable: Why the model cannot be packed, if it cannot.
    """

    settings: SearchSettings
    graph: Graph
    pretrained: Pretrained
    teacher: Tensor
    footprints: FootprintModel
    space: SearchSpace
    generic: str | None = None
    unpackable: str | None = None

    @classmethod
    def build(cls, settings: SearchSettings, graph: Graph, seed: int | None = None) -> "Workbench":
        """Pre-train from ``seed`` (the study's own if ``None``) on, or read cached weights.

        The graph is moved to the device of the settings.
        """
        graph = graph.to(torch.device(settings.device))
        seed = settings.seed if seed is None else seed
        pretrained = pretrain_model(settings, graph, seed)
        prepared = prepare(pretrained.model, graph)
        trace = trace_model(prepared, graph)
        footprints = FootprintModel(trace.spec, graph.spec)
        notes = generic_layers(prepared), unpackable_reason(trace)
        del trace  # It holds every embedding.
        space = SearchSpace.build(
            footprints, settings.granularity, settings.ladder, settings.objective
        )
        # Also what leaves every teacher in the cache before a study's workers look for them.
        taught = settings.finetune.distillation > 0
        teachers = range(seed, seed + (settings.teachers if taught else 1))
        teacher = mean_probabilities(settings, graph, teachers)
        return cls(settings, graph, pretrained, teacher, footprints, space, *notes)

    @cached_property
    def frame(self) -> Frame:
        """The fixed frame of hypervolumes on this graph."""
        objective = self.settings.objective
        counts = torch.bincount(self.graph.val.labels)
        return Frame(
            smallest_bytes=self.footprints.packed(self.space.smallest()).figure(objective),
            full_bytes=self.footprints.full_precision().figure(objective),
            majority_accuracy=float(counts.max() / counts.sum()),
            full_accuracy=self.pretrained.val_accuracy,
        )

    @cached_property
    def sizes(self) -> SizeTable:
        """Exact bytes under the objective of many allocations at once."""
        return SizeTable.build(self.footprints, self.space, self.settings.objective)

    def num_bytes(self, params: Mapping[str, int]) -> int:
        """Bytes of one allocation under the objective."""
        return int(self.sizes(np.array([self.space.positions(params)]))[0])

    def drop(self, val_accuracy: float) -> float:
        """Percentage points that an accuracy lies below full precision's in the search."""
        return 100 * (self.pretrained.val_accuracy - val_accuracy)

    def full_precision(self) -> nn.Module:
        """The pre-trained model on the same path as the quantized ones."""
        return prepare(self.pretrained.model, self.graph)

    def finetune(
        self, allocation: BitAllocation, seed: int, stopper: Stopper | None = None
    ) -> tuple[nn.Module, FitResult]:
        """Fine-tune from the full-precision weights; the quantized model and how it went."""
        model = prepare(self.pretrained.model, self.graph, allocation, self.settings.ranges)
        return model, fit(model, self.graph, self.settings.finetune, seed, self.teacher, stopper)

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
    """The search's model at full precision, trained with ``seed`` or read from the cache."""
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
    path = weights_path(
        graph,
        settings.pretrain,
        seed,
        model_config=settings.model.key_on(graph),
        cache=settings.cache,
    )
    brought = None if settings.brought is None else settings.brought / path.name
    return path if brought is None or not brought.exists() else brought


def mean_probabilities(settings: SearchSettings, graph: Graph, seeds: Iterable[int]) -> Tensor:
    """Mean class probabilities ``[N, classes]`` of full-precision models with these seeds."""
    models = (pretrain_model(settings, graph, seed).model for seed in seeds)
    logits = (predict(prepare(model, graph), graph) for model in models)
    return torch.stack([each.softmax(dim=1) for each in logits]).mean(dim=0)


def finetune_seed(settings: SearchSettings, repeat: int) -> int:
    """The seed of a trial's fine-tuning."""
    return settings.seed + _SEEDS_APART * repeat
