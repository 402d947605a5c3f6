"""Attention coefficients: made from scores, held as codes, and read where rows are gathered."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from sgq_auto.packed.backends.numpy_values import segments_of
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats, Ranges
from sgq_auto.packed.runtime.edge_features import EdgeFeatures, RowPart
from sgq_auto.packed.runtime.forward_pass import Inference
from sgq_auto.packed.sizes.shape_specs import LayerSpec

# Scores ``[edges, heads]`` of the edges of a chunk, which come as CSR, or of a part of its one row.
Scores = Callable[[Chunk, Array, Array, RowPart | None], Floats]


@dataclass(frozen=True, eq=False)
class Attention:
    """The coefficients of every edge, and of self-loops where a layer has them, for one layer.

    Attributes:
        inference: The forward pass that it belongs to.
        codes: The coefficients ``[edges, heads]``.
        loops: Whether each row starts with a self-loop.
    """

    inference: Inference
    codes: CodeMatrix
    loops: bool

    @classmethod
    def of(cls, inference: Inference, spec: LayerSpec, ranges: Ranges, scores: Scores) -> Self:
        """The softmax of ``scores`` over each row's edges.

        All of it is made before the first row is gathered, as the sizes of the layer say.
        """
        counts = inference.graph.spec.gathered_edges(spec)
        codes = inference.make(f"{spec.name}.attention", counts, spec.heads, ranges)
        attention = cls(inference, codes, spec.gathers_itself)

        def work(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            if len(inference.entry_parts(columns, spec.heads)) > 1:
                attention._write_row(chunk, columns, scores)
                return
            if columns.size == 0:
                return
            values = scores(chunk, rowptr, columns, None)
            # Sums over no entries are none of reduceat's.
            filled = rowptr[:-1][np.diff(rowptr) > 0]
            lengths = np.diff(filled, append=columns.size)
            values -= np.repeat(np.maximum.reduceat(values, filled), lengths, axis=0)
            np.exp(values, out=values)
            values /= np.repeat(np.add.reduceat(values, filled), lengths, axis=0)
            inference.engine.write(codes, attention._first_edge(chunk), values)

        inference.for_edges(work, spec.heads + spec.edge_features, loops=attention.loops)
        return attention

    def weighted_sum(
        self,
        chunk: Chunk,
        rowptr: Array,
        columns: Array,
        matrix: CodeMatrix,
        span: tuple[int, int] | None = None,
    ) -> Floats:
        """Sums of matrix rows, weighted by the coefficients of a chunk's entries.

        ``span`` is the first of the columns that are summed, and how many; ``None`` for all.
        """
        engine, first = self.inference.engine, self._first_edge(chunk)
        width = matrix.width if span is None else span[1]
        parts = self.inference.entry_parts(columns, self.codes.width)
        if not parts:
            return np.zeros((rowptr.size - 1, width))
        if len(parts) == 1:
            weights = engine.read(self.codes, first, first + columns.size)
            return engine.weighted_sum(rowptr, columns, weights, matrix, span)
        # A row by itself.
        out = np.zeros((1, width))
        for start, stop in parts:
            weights = engine.read(self.codes, first + start, first + stop)
            entries = np.array([0, stop - start]), columns[start:stop]
            out += engine.weighted_sum(*entries, weights, matrix, span)
        return out

    def edge_sums(self, chunk: Chunk, rowptr: Array, features: EdgeFeatures) -> Floats:
        """Features of a chunk's edges, weighted by its coefficients: ``[rows, heads, columns]``.

        For a layer without self-loops.
        """
        engine, first = self.inference.engine, self._first_edge(chunk)
        columns = features.coded(chunk, 0, 0).shape[1]
        out = np.zeros((rowptr.size - 1, self.codes.width * columns))
        for part in segments_of(rowptr, self.codes.width * columns):
            entries = part.entries
            weights = engine.read(self.codes, first + entries.start, first + entries.stop)
            edges = features.coded(chunk, entries.start, entries.stop - entries.start)
            values = (weights[:, :, None] * edges[:, None, :]).reshape(len(edges), -1)
            out[part.rows] += np.add.reduceat(values, part.begins, axis=0)
        return out.reshape(len(out), self.codes.width, columns)

    def _write_row(self, chunk: Chunk, columns: Array, scores: Scores) -> None:
        """The softmax of one row whose scores are too many to be made at once."""
        parts = self.inference.entry_parts(columns, self.codes.width)

        def part_scores(first: int, last: int) -> Floats:
            part = RowPart(first, columns.size)
            return scores(chunk, np.array([0, last - first]), columns[first:last], part)

        top = np.max([part_scores(*part).max(axis=0) for part in parts], axis=0)
        total = sum(np.exp(part_scores(*part) - top).sum(axis=0) for part in parts)
        for first, last in parts:
            values = np.exp(part_scores(first, last) - top) / total
            self.inference.engine.write(self.codes, self._first_edge(chunk) + first, values)

    def _first_edge(self, chunk: Chunk) -> int:
        """The row of ``codes`` that holds the first entry of a chunk."""
        first = int(self.inference.graph.edges.block_starts[chunk.block])
        return first + self.loops * chunk.blocks.row + chunk.skipped
