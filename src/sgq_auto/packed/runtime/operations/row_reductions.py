"""What is reduced over the rows of a value while they are made, a chunk at a time.

Chunks are taken in in the order of their rows, so that results are the same whatever thread comes
first. Only what comes too early is kept.
"""

import threading
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import numpy as np

from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats, to_fp32
from sgq_auto.packed.runtime.graphs.packed_graph import PackedGraph
from sgq_auto.packed.runtime.operations.norms import Statistics
from sgq_auto.packed.runtime.operations.operation import Float32
from sgq_auto.packed.runtime.operations.pooling import Pooling

# The graphs that have nodes in a chunk, their reduced rows, and how many nodes each has there.
_Pooled = tuple[Array, Floats, Array]
_Part = TypeVar("_Part")


class RowReduction(ABC, Generic[_Part]):
    """Takes in what a chunk says, in the order of rows."""

    def __init__(self) -> None:
        self._next_row = 0
        self._early: dict[int, tuple[int, _Part]] = {}
        self._lock = threading.Lock()

    def add(self, chunk: Chunk, x: Floats) -> None:
        """Take in the rows ``[rows, width]`` of a chunk."""
        part = self.reduced(chunk, x)
        with self._lock:
            self._early[chunk.row] = chunk.stop, part
            while self._next_row in self._early:
                self._next_row, part = self._early.pop(self._next_row)
                self.take(part)

    @abstractmethod
    def reduced(self, chunk: Chunk, x: Floats) -> _Part:
        """What a chunk says."""

    @abstractmethod
    def take(self, part: _Part) -> None:
        """Take in what a chunk says; called once at a time."""


class ColumnSums(RowReduction[Floats]):
    """Sums of columns and of their squares over all rows."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self._totals = np.zeros((2, width))

    def reduced(self, chunk: Chunk, x: Floats) -> Floats:  # noqa: ARG002
        """The sums of its rows."""
        return np.stack([x.sum(axis=0), np.square(x).sum(axis=0)])

    def take(self, part: Floats) -> None:
        """Add them."""
        self._totals += part

    def found(self, nodes: int) -> Statistics:
        """What all chunks together say."""
        return Statistics(nodes, *self._totals)


class PooledRows(RowReduction[_Pooled]):
    """Rows of graphs, pooled from rows of nodes.

    Args:
        pooling: Sum, mean or maximum.
        graph: Says which graph a row belongs to.
        width: Columns.

    Attributes:
        held: fp32 ``[graphs, columns]``; for a mean, the last column counts nodes.
    """

    def __init__(self, pooling: Pooling, graph: PackedGraph, width: int) -> None:
        super().__init__()
        self._pooling, self._graph, self._width = pooling, graph, width
        shape = graph.spec.num_graphs, width + (pooling is Pooling.MEAN)
        fill = -np.inf if pooling is Pooling.MAX else 0.0
        self.held: Float32 = np.full(shape, fill, dtype=np.float32)

    def reduced(self, chunk: Chunk, x: Floats) -> _Pooled:
        """What its rows say of each graph that has some of them, in fp64."""
        graphs = _graphs_of(self._graph, chunk)
        if (np.diff(graphs) < 0).any():
            order = np.argsort(graphs, kind="stable")
            graphs, x = graphs[order], x[order]
        starts = np.flatnonzero(np.diff(graphs, prepend=-1))
        reduce = np.maximum if self._pooling is Pooling.MAX else np.add
        counts = np.diff(starts, append=graphs.size)
        return graphs[starts], reduce.reduceat(x, starts, axis=0), counts

    def take(self, part: _Pooled) -> None:
        """Add them, or keep the larger ones."""
        graphs, rows, counts = part
        own = self.held[graphs, : self._width].astype(np.float64)
        both = np.maximum(own, rows) if self._pooling is Pooling.MAX else own + rows
        self.held[graphs, : self._width] = to_fp32(both)
        if self._pooling is Pooling.MEAN:
            self.held[graphs, self._width] += counts

    def rows(self, first: int, last: int) -> Floats:
        """The pooled rows ``first`` to ``last - 1``, fp64; zeros for a graph without nodes."""
        out = self.held[first:last, : self._width].astype(np.float64)
        if self._pooling is Pooling.MEAN:
            out /= np.maximum(self.held[first:last, self._width :], 1.0)
        elif self._pooling is Pooling.MAX:
            out[np.isneginf(out)] = 0.0
        return out


def _graphs_of(graph: PackedGraph, chunk: Chunk) -> Array:
    """``int64 [rows]``, the number of the graph that each row of a chunk belongs to."""
    if graph.graph_map is None:
        return np.zeros(chunk.num_rows, dtype=np.int64)
    return graph.graph_map[np.arange(chunk.row, chunk.stop)]
