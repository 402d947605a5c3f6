"""What the steps of an epoch train on: one graph, or batches of many graphs."""

from collections.abc import Callable
from functools import cached_property
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from sgq_auto.graphs import Graph
from sgq_auto.graphs.many_graphs import graphs_of, output_rows, part
from sgq_auto.quantize import MinMaxQuantizer
from sgq_auto.settings.fit_settings import FitSettings

# Graphs of a batch where whole graphs are predicted and no other number is given: with all of them
# in one step an epoch learns too little.
_BATCH_GRAPHS = 128
# So many different ways to cut an epoch into batches are made, and used in turn: what a model makes
# of a graph once, like a quantized adjacency, is then made once a batch, and not in each epoch.
_PARTITIONS = 8

# Graphs of a batch, and their numbers.
Batch = tuple[Tensor, Graph]
# What a graph was last cut into, by seed and size, then by partition: trials of a search share it.
_CUT: WeakKeyDictionary[Graph, tuple[tuple[int, int], dict[int, list[Batch]]]] = WeakKeyDictionary()

LossT = TypeVar("LossT")
Step = tuple[Graph, LossT]


def batch_size(graph: Graph, settings: FitSettings) -> int | None:
    """Most graphs of a step; ``None`` for all, or where there is one graph."""
    if graph.num_graphs == 1:
        return None
    if settings.batch_graphs is None and graph.task.predicts_graphs:
        return _BATCH_GRAPHS
    return settings.batch_graphs


def steps_of_epoch(graph: Graph, settings: FitSettings) -> int:
    """How many steps an epoch has."""
    size = batch_size(graph, settings)
    return 1 if size is None else max(1, -(-graphs_of(graph, graph.train).numel() // size))


class GraphBatches(Generic[LossT]):
    """The steps of every epoch of a training run.

    One graph, or several in a full batch, are one step. Batches hold the graphs that have a
    training row, drawn from the seed.

    Args:
        graph: The graph or graphs.
        settings: How to train.
        seed: Seed of the batches.
        teacher: What is distilled, a row for each row of the output; ``None`` without a teacher.
        make_loss: Makes the loss of a step from its graph and its rows of the teacher.
    """

    def __init__(
        self,
        graph: Graph,
        settings: FitSettings,
        seed: int,
        teacher: Tensor | None,
        make_loss: Callable[[Graph, FitSettings, Tensor | None], LossT],
    ) -> None:
        self._graph = graph
        self._settings = settings
        self._seed = seed
        self._teacher = teacher
        self._make_loss = make_loss
        self._made: dict[int, list[Step[LossT]]] = {}

    def of(self, epoch: int) -> list[Step[LossT]]:
        """The graph and the loss of each step of an epoch, counted from 1."""
        if self._size is None:
            return self._whole
        number = epoch % _PARTITIONS
        if number not in self._made:
            self._made[number] = self._partition(number)
        steps = self._made[number]
        order = np.random.default_rng([self._seed, _PARTITIONS, epoch]).permutation(len(steps))
        return [steps[k] for k in order]

    @cached_property
    def _size(self) -> int | None:
        """Graphs of a batch; ``None`` where an epoch is one step."""
        size = batch_size(self._graph, self._settings)
        return None if size is None or size >= self._training.numel() else size

    @cached_property
    def _training(self) -> Tensor:
        return graphs_of(self._graph, self._graph.train)

    @cached_property
    def _whole(self) -> list[Step[LossT]]:
        if self._graph.num_graphs == 1 or self._training.numel() == self._graph.num_graphs:
            return [(self._graph, self._make_loss(self._graph, self._settings, self._teacher))]
        return [self._step(self._training, part(self._graph, self._training))]

    def _partition(self, number: int) -> list[Step[LossT]]:
        assert self._size is not None
        key = self._seed, self._size
        cut = _CUT.get(self._graph)
        if cut is None or cut[0] != key:
            cut = _CUT[self._graph] = key, {}
        if number not in cut[1]:
            cut[1][number] = _batches(self._graph, self._training, *key, number)
        return [self._step(*batch) for batch in cut[1][number]]

    def _step(self, numbers: Tensor, batch: Graph) -> Step[LossT]:
        teacher = self._teacher
        if teacher is not None:
            teacher = teacher[output_rows(self._graph, numbers)]
        return batch, self._make_loss(batch, self._settings, teacher)


def _batches(graph: Graph, training: Tensor, seed: int, size: int, number: int) -> list[Batch]:
    """The training graphs in batches that differ by one graph at most."""
    draw = np.random.default_rng([seed, number]).permutation(training.numel())
    drawn = training[torch.from_numpy(draw).to(training.device)]
    parts = [numbers.sort().values for numbers in drawn.tensor_split(-(-drawn.numel() // size))]
    return [(numbers, part(graph, numbers)) for numbers in parts]


def validated(model: nn.Module, graph: Graph) -> Graph:
    """The graphs that a model is validated on between epochs: those with a validation row.

    All of them where a pass of the model sets ranges from what it sees, for those are the ranges
    of all graphs.
    """
    if graph.num_graphs == 1 or any(isinstance(m, MinMaxQuantizer) for m in model.modules()):
        return graph
    numbers = graphs_of(graph, graph.val)
    return graph if numbers.numel() == graph.num_graphs else part(graph, numbers)
