"""The features of edges as layers read them: entry by entry, self-loops among them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.backends import Engine
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import PackedWeight
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.header_fields import count
from sgq_auto.packed.runtime.forward_pass import Inference

_FEATURES, _FILL = "edge_features", "loop_fill"
_LARGEST_FILL = 1e6
# Edges whose features are added up at once.
_RUN = 1 << 14


@dataclass(frozen=True)
class RowPart:
    """Some of the entries of one row, which has very many.

    Attributes:
        first: The first of them.
        size: Entries of the whole row.
    """

    first: int
    size: int


@dataclass(frozen=True, eq=False)
class EdgeFeatures:
    """The features of edges on the graph of a forward pass, as one layer reads them.

    Attributes:
        inference: The forward pass.
        loops: Whether each row starts with a self-loop.
        fill: What self-loops have; ``None`` for the mean of the edges into their node, 0 without
            any.
    """

    inference: Inference
    loops: bool = False
    fill: float | None = None

    def of(self, chunk: Chunk, rowptr: Array, columns: Array, part: RowPart | None) -> Floats:
        """Features of a chunk's entries, fp64 ``[entries, columns]``.

        Args:
            chunk: The chunk.
            rowptr: Where the entries of each of its rows start.
            columns: The column of each entry.
            part: Which entries of its only row these are; ``None`` for all of all rows.
        """
        first = 0 if part is None else part.first
        if not self.loops:
            return self.coded(chunk, first, columns.size)
        if part is None:
            own = self.coded(chunk, 0, columns.size - chunk.num_rows)
            out, is_edge = np.empty((columns.size, own.shape[1])), np.ones(columns.size, bool)
            is_edge[rowptr[:-1]] = False
            out[is_edge], out[~is_edge] = own, self._of_loops(own, np.diff(rowptr) - 1)
            return out
        if first:
            return self.coded(chunk, first - 1, columns.size)
        loop = self._of_loop(chunk, part.size - 1)
        return np.concatenate([loop, self.coded(chunk, 0, columns.size - 1)])

    def coded(self, chunk: Chunk, first: int, edges: int) -> Floats:
        """Features of a chunk's edges between different nodes, from its ``first`` one on."""
        graph = self.inference.graph
        assert graph.weights is not None
        before = chunk.skipped - self.loops * (chunk.row - chunk.blocks.row)
        start = int(graph.edges.block_starts[chunk.block]) + before + first
        return graph.weights.rows(self.inference.engine, start, edges)

    def _of_loops(self, own: Floats, counts: Array) -> Floats:
        """What the self-loops of some rows have, from their edges and how many each row has."""
        out = np.zeros((counts.size, own.shape[1]))
        if self.fill is not None:
            out[:] = self.fill
            return out
        filled = np.flatnonzero(counts)
        if filled.size:
            starts = (np.cumsum(counts) - counts)[filled]
            out[filled] = np.add.reduceat(own, starts, axis=0) / counts[filled, None]
        return out

    def _of_loop(self, chunk: Chunk, edges: int) -> Floats:
        """The same of one row with very many edges, ``[1, columns]``."""
        total: Floats = self.coded(chunk, 0, 0).sum(axis=0, keepdims=True)
        if self.fill is not None:
            return np.full_like(total, self.fill)
        for first in range(0, edges, _RUN):
            total += self.coded(chunk, first, min(_RUN, edges - first)).sum(axis=0, keepdims=True)
        total /= max(edges, 1)
        return total


def unpacked(engine: Engine, weight: PackedWeight) -> Floats:
    """The values ``[in, out]`` of a small weight, fp64."""
    rows = weight.codes.bucket_rows[0]
    return weight.scaled(engine.read(weight.codes, 0, rows), np.ones(rows))


def read_edge_features(node: Mapping[str, Any]) -> int:
    """How many features of edges a header says that a layer reads; headers of others say nothing.

    Raises:
        ArtifactError: If it says something else.
    """
    return count(node, _FEATURES, 1) if _FEATURES in node else 0


def read_loop_fill(node: Mapping[str, Any], *, loops: bool) -> dict[str, Any]:
    """What self-loops have for features, as an argument of a layer's class.

    Raises:
        ArtifactError: If it is no number, or nothing has it.
    """
    if _FILL not in node:
        return {}
    fill = node[_FILL]
    if not loops or _FEATURES not in node:
        raise ArtifactError(f"{_FILL} is for self-loops that have features")
    if isinstance(fill, bool) or not isinstance(fill, int | float) or not abs(fill) < _LARGEST_FILL:
        raise ArtifactError(f"{_FILL} is {fill!r}; it must be a number")
    return {_FILL: float(fill)}


def said_of_edges(features: int, fill: float | None, *, loops: bool) -> dict[str, Any]:
    """What both of them read; nothing of a layer that reads no features."""
    if not features:
        return {}
    return {_FEATURES: features, **({_FILL: fill} if loops and fill is not None else {})}
