"""One forward pass over packed codes, layer by layer and chunk by chunk."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np

from sgq_auto.packed.backends import Engine
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats, Ranges
from sgq_auto.packed.runtime.features import PackedFeatures, entries_of
from sgq_auto.packed.runtime.graph import PackedGraph
from sgq_auto.packed.sizes.specs import LayerSpec

Source = PackedFeatures | CodeMatrix
Sink = Callable[[Chunk, Floats], None]

# Values of a chunk, 512 KiB in fp64: a few of them fit a second-level cache.
_CHUNK_VALUES = 1 << 16
# Coefficients and sums of a chunk of edges.
_CHUNK_SUMS = 1 << 17
# Values of a weight that are unpacked at once: 1 MiB.
_UNPACKED_VALUES = 1 << 17
# Stored values of sparse features in a chunk.
_CHUNK_STORED_VALUES = 1 << 17


class Inference:
    """Runs the layers of a model on one graph.

    Args:
        graph: The graph.
        features: Its node features.
        engine: Does the arithmetic.
        threads: Chunks that are computed at once.
    """

    def __init__(
        self, graph: PackedGraph, features: PackedFeatures, engine: Engine, threads: int = 1
    ) -> None:
        self.graph = graph
        self.features = features
        self.engine = engine
        self.threads = threads
        # Bytes of the embeddings and attention made so far, by name.
        self.made: dict[str, int] = {}

    def embedding(self, name: str, width: int, ranges: Ranges) -> CodeMatrix:
        """A matrix of codes, one row a node."""
        return self._make(name, self.graph.spec.bucket_nodes, width, ranges)

    def writer(self, matrix: CodeMatrix) -> Sink:
        """What packs the rows that it is given into a matrix."""
        return lambda chunk, x: self.engine.write(matrix, chunk.row, x)

    def transform(self, weight: PackedWeight, source: Source, sink: Sink) -> None:
        """Products ``x W`` of a layer's input with a weight, chunk by chunk."""
        is_sparse = isinstance(source, PackedFeatures) and source.pattern is not None
        limit = _CHUNK_STORED_VALUES if is_sparse else _CHUNK_VALUES
        chunks = self.graph.blocks.chunks(self.product_costs(source, weight), limit)
        product = self.product(source, weight)
        rows = max(1, limit // self.row_values(source, weight))

        def work(chunk: Chunk) -> None:
            for first, last in _parts(chunk.num_rows, rows):
                piece = chunk if (first, last) == (0, chunk.num_rows) else chunk.part(first, last)
                sink(piece, product(piece))

        self._for_chunks(chunks, work)

    def product(self, source: Source, weight: PackedWeight) -> Callable[[Chunk], Floats]:
        """What gives the products ``x W`` of a chunk's rows of an input."""
        if isinstance(source, PackedFeatures) and source.pattern is not None:
            return lambda chunk: self._sparse_product(source, weight, chunk)
        multiply = self._multiplier(weight)
        if isinstance(source, PackedFeatures):
            return lambda chunk: multiply(source.dense_rows(self.engine, chunk))
        return lambda chunk: multiply(self.engine.read(source, chunk.row, chunk.stop))

    def product_costs(self, source: Source, weight: PackedWeight) -> Array:
        """``[blocks + 1]``, running total of the values that products of these rows need."""
        blocks, width = self.graph.blocks, weight.codes.width
        if isinstance(source, PackedFeatures) and source.pattern is not None:
            return source.product_costs(blocks, width)
        costs: Array = blocks.rows * max(width, weight.codes.bucket_rows[0])
        return costs

    def row_values(self, source: Source, weight: PackedWeight) -> int:
        """Values that are made of a row for its product with a weight."""
        is_sparse = isinstance(source, PackedFeatures) and source.pattern is not None
        return max(weight.codes.width, 0 if is_sparse else weight.codes.bucket_rows[0])

    def for_edges(
        self,
        work: Callable[[Chunk, Array, Array], None],
        heads: int = 1,
        *,
        width: int = 0,
        loops: bool = True,
        other_costs: Array | int = 0,
    ) -> None:
        """Call ``work`` with the edges of every chunk.

        Args:
            work: Given a chunk and its edges as CSR.
            heads: Coefficients of an edge.
            width: Values of a row that ``work`` makes.
            loops: Whether each row starts with a self-loop.
            other_costs: ``[blocks + 1]``, running total of the values that ``work`` needs besides.
        """
        edges = self.graph.edges
        # Every row has a self-loop besides its coded edges, or the room for one.
        costs = heads * (edges.block_starts.astype(np.int64) + self.graph.blocks.rows)
        costs = costs + width * self.graph.blocks.rows + other_costs
        chunks = self.graph.blocks.chunks(costs, _CHUNK_SUMS)

        def pieces(chunk: Chunk) -> None:
            rowptr, columns = entries_of(self.engine, edges, chunk, loops=loops)
            costs = heads * rowptr + width * np.arange(rowptr.size)
            if costs[-1] <= _CHUNK_SUMS:
                work(chunk, rowptr, columns)
                return
            for first, last in _runs(costs, _CHUNK_SUMS):
                piece = chunk.part(first, last, int(rowptr[first]))
                work(piece, *piece.own(rowptr, columns)[:2])

        self._for_chunks(chunks, pieces)

    def entry_parts(self, columns: Array, heads: int) -> list[tuple[int, int]]:
        """Ranges of a piece's entries whose coefficients are few enough to be made at once.

        There is one range, but for a row by itself that has very many.
        """
        return _parts(columns.size, max(1, _CHUNK_SUMS // heads))

    def attend(
        self,
        spec: LayerSpec,
        ranges: Ranges,
        scores: Callable[[Chunk, Array, Array], Floats],
    ) -> CodeMatrix:
        """Softmax of ``scores`` over each row's edges, packed; ``[edges, heads]``."""
        counts = self.graph.spec.bucket_in_edges
        attention = self._make(f"{spec.name}.attention", counts, spec.heads, ranges)

        def work(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            if len(self.entry_parts(columns, spec.heads)) > 1:
                self._attend_row(attention, chunk, columns, scores)
                return
            values = scores(chunk, rowptr, columns)
            lengths = np.diff(rowptr)
            values -= np.repeat(np.maximum.reduceat(values, rowptr[:-1]), lengths, axis=0)
            np.exp(values, out=values)
            values /= np.repeat(np.add.reduceat(values, rowptr[:-1]), lengths, axis=0)
            self.engine.write(attention, self._first_edge(chunk), values)

        self.for_edges(work, spec.heads)
        return attention

    def _attend_row(
        self,
        attention: CodeMatrix,
        chunk: Chunk,
        columns: Array,
        scores: Callable[[Chunk, Array, Array], Floats],
    ) -> None:
        """The softmax of one row whose scores are too many to be made at once."""
        parts = self.entry_parts(columns, attention.width)

        def part_scores(first: int, last: int) -> Floats:
            return scores(chunk, np.array([0, last - first]), columns[first:last])

        top = np.max([part_scores(*part).max(axis=0) for part in parts], axis=0)
        total = sum(np.exp(part_scores(*part) - top).sum(axis=0) for part in parts)
        for first, last in parts:
            values = np.exp(part_scores(first, last) - top) / total
            self.engine.write(attention, self._first_edge(chunk) + first, values)

    def weighted_sum(
        self, attention: CodeMatrix, chunk: Chunk, rowptr: Array, columns: Array, matrix: CodeMatrix
    ) -> Floats:
        """Sums of matrix rows, weighted by the coefficients of a chunk's entries."""
        first, parts = self._first_edge(chunk), self.entry_parts(columns, attention.width)
        if len(parts) == 1:
            weights = self.engine.read(attention, first, first + columns.size)
            return self.engine.weighted_sum(rowptr, columns, weights, matrix)
        # A row by itself.
        out = np.zeros((1, matrix.width))
        for start, stop in parts:
            weights = self.engine.read(attention, first + start, first + stop)
            entries = np.array([0, stop - start]), columns[start:stop]
            out += self.engine.weighted_sum(*entries, weights, matrix)
        return out

    def degree_coefficients(self, chunk: Chunk, rowptr: Array, columns: Array) -> Floats:
        """GCN's ``1 / sqrt(d_i d_j)`` of a chunk's entries, self-loops counted in degrees."""
        degrees = self.graph.degrees
        return self.engine.degree_weights(rowptr, columns, chunk.row, degrees, self._root_table)

    @cached_property
    def _root_table(self) -> Floats:
        """``1 / sqrt(1 + d)`` of every degree ``d``."""
        table: Floats = 1 / np.sqrt(1.0 + np.arange(self.graph.spec.max_in_degree + 1))
        return table

    def _first_edge(self, chunk: Chunk) -> int:
        first = int(self.graph.edges.block_starts[chunk.block])
        return first + chunk.blocks.row + chunk.skipped

    def _sparse_product(
        self, features: PackedFeatures, weight: PackedWeight, chunk: Chunk
    ) -> Floats:
        out, sums = features.product(self.engine, chunk, weight)
        if features.normalize_rows:
            out /= np.maximum(sums, 1.0)[:, None]
        return out

    def _multiplier(self, weight: PackedWeight) -> Callable[[Floats], Floats]:
        """What multiplies fp64 rows with a weight, of which a bounded part is unpacked at once."""
        rows, columns = weight.codes.bucket_rows[0], weight.codes.width
        if rows * columns <= _UNPACKED_VALUES:
            unpacked = weight.scaled(self.engine.read(weight.codes, 0, rows), np.ones(rows))
            return lambda x: x @ unpacked

        def multiply(x: Floats) -> Floats:
            out = np.zeros((x.shape[0], columns))
            for first, last in _parts(rows, max(1, _UNPACKED_VALUES // columns)):
                out += x[:, first:last] @ self.engine.read(weight.codes, first, last)
            return weight.scaled(out, x.sum(axis=1))

        return multiply

    def _make(self, name: str, rows: tuple[int, ...], width: int, ranges: Ranges) -> CodeMatrix:
        matrix = CodeMatrix.empty(rows, width, ranges)
        self.made[name] = matrix.stream.nbytes
        return matrix

    def _for_chunks(self, chunks: Iterable[Chunk], work: Callable[[Chunk], None]) -> None:
        if self.threads == 1:
            for chunk in chunks:
                work(chunk)
            return
        with ThreadPoolExecutor(self.threads) as pool:
            for _ in pool.map(work, chunks):
                pass


def _parts(count: int, size: int) -> list[tuple[int, int]]:
    """Ranges of at most ``size``."""
    return [(start, min(start + size, count)) for start in range(0, count, size)]


def _runs(costs: Array, limit: int) -> Iterator[tuple[int, int]]:
    """Runs of rows that cost at most ``limit``, or of one row; ``costs`` is a running total."""
    first = 0
    while first < costs.size - 1:
        fits = int(np.searchsorted(costs, costs[first] + limit, side="right")) - 1
        yield first, max(fits, first + 1)
        first = max(fits, first + 1)
