"""One forward pass over packed codes, layer by layer and chunk by chunk."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np

from sgq_auto.packed.backends import Engine
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.codes.coded_rows import Blocks, Chunk
from sgq_auto.packed.codes.ranges import Floats, Ranges
from sgq_auto.packed.runtime.graphs.packed_features import PackedFeatures, entries_of
from sgq_auto.packed.runtime.graphs.packed_graph import PackedGraph
from sgq_auto.packed.runtime.weight_products import Product, Source

Sink = Callable[[Chunk, Floats], None]

# Values of a chunk, 512 KiB in fp64: a few of them fit a second-level cache.
_CHUNK_VALUES = 1 << 16
# Coefficients and sums of a chunk of edges.
_CHUNK_SUMS = 1 << 17
# Stored values of sparse features in a chunk.
_CHUNK_STORED_VALUES = 1 << 17


class Inference:
    """Runs the layers of a model on one graph.

    Args:
        graph: The graph.
        features: Its node features.
        engine: Does the arithmetic.
        threads: Chunks that are computed at once.

    Attributes:
        made: Bytes of the embeddings and attention made so far, by name.
    """

    def __init__(
        self, graph: PackedGraph, features: PackedFeatures, engine: Engine, threads: int = 1
    ) -> None:
        self.graph = graph
        self.features = features
        self.engine = engine
        self.threads = threads
        self.made: dict[str, int] = {}

    def embedding(
        self, name: str, width: int, ranges: Ranges, *, per_graph: bool = False
    ) -> CodeMatrix:
        """A matrix of codes, one row a node or a graph."""
        return self.make(name, self.graph.spec.rows(per_graph=per_graph), width, ranges)

    def writer(self, matrix: CodeMatrix) -> Sink:
        """What packs the rows that it is given into a matrix."""
        return lambda chunk, x: self.engine.write(matrix, chunk.row, x)

    def transform(self, weight: PackedWeight, source: Source, sink: Sink) -> None:
        """Products ``x W`` of a layer's input with a weight, chunk by chunk."""
        product = self.product(source, weight)
        limit = _CHUNK_STORED_VALUES if product.is_sparse else _CHUNK_VALUES
        chunks = product.blocks.chunks(product.costs, limit)
        rows = max(1, limit // product.row_values)

        def work(chunk: Chunk) -> None:
            for first, last in _parts(chunk.num_rows, rows):
                piece = chunk if (first, last) == (0, chunk.num_rows) else chunk.part(first, last)
                sink(piece, product(piece))

        self._for_chunks(chunks, work)

    def product(self, source: Source, weight: PackedWeight) -> Product:
        """What gives the products of a layer's input with a weight, where a layer asks for them."""
        return Product(self.engine, self._blocks_of(source), source, weight)

    def for_rows(self, work: Callable[[Chunk], None], width: int, *, per_graph: bool) -> None:
        """Call ``work`` with chunks of all nodes, or of all graphs.

        Args:
            work: Given a chunk.
            width: Values of a row that it makes.
            per_graph: Whether rows are graphs.
        """
        blocks = self.graph_blocks if per_graph else self.graph.blocks
        chunks = blocks.chunks(blocks.rows * width, _CHUNK_VALUES)
        rows = max(1, _CHUNK_VALUES // width)

        def pieces(chunk: Chunk) -> None:
            for first, last in _parts(chunk.num_rows, rows):
                work(chunk.rows_from(first, last))

        self._for_chunks(chunks, pieces)

    @cached_property
    def graph_blocks(self) -> Blocks:
        """How rows of graphs are cut into blocks."""
        return Blocks(self.graph.spec.rows(per_graph=True))

    def _blocks_of(self, source: Source) -> Blocks:
        """The blocks of what a layer reads: of nodes, or of graphs."""
        nodes = self.graph.spec.bucket_nodes
        is_of_nodes = isinstance(source, PackedFeatures) or source.bucket_rows == nodes
        return self.graph.blocks if is_of_nodes else self.graph_blocks

    def for_feature_rows(self, work: Sink) -> None:
        """Call ``work`` with the node features of every chunk, fp64 ``[rows, features]``."""
        width = max(1, self.features.spec.num_features)
        self.for_rows(
            lambda chunk: work(chunk, self.features.rows_of(self.engine, chunk)),
            width,
            per_graph=False,
        )

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

    def degree_coefficients(
        self, chunk: Chunk, rowptr: Array, columns: Array, *, loops: bool
    ) -> Floats:
        """GCN's ``1 / sqrt(d_i d_j)`` of a chunk's entries.

        Args:
            chunk: The chunk.
            rowptr: Where the entries of each of its rows start.
            columns: The column of each.
            loops: Whether degrees count a self-loop.
        """
        table, degrees = self._root_tables[loops], self.graph.degrees
        return self.engine.degree_weights(rowptr, columns, chunk.row, degrees, table)

    def weight_coefficients(self, chunk: Chunk, rowptr: Array, columns: Array) -> Floats:
        """The same of weighted edges: ``w_ij / sqrt(d_i d_j)`` with weighted degrees."""
        roots = self.graph.weight_roots
        own = np.repeat(roots[chunk.row : chunk.stop].astype(np.float64), np.diff(rowptr))
        own *= self.edge_weights(chunk, rowptr, columns, loops=True)
        own *= roots[columns]
        return own

    def edge_weights(self, chunk: Chunk, rowptr: Array, columns: Array, *, loops: bool) -> Floats:
        """Weights of a chunk's entries, 1 at self-loops.

        Args:
            chunk: The chunk.
            rowptr: Where the entries of each of its rows start.
            columns: The column of each.
            loops: Whether each row starts with a self-loop.
        """
        weights = self.graph.weights
        assert weights is not None
        before = chunk.skipped - loops * (chunk.row - chunk.blocks.row)
        first = int(self.graph.edges.block_starts[chunk.block]) + before
        own = weights.read(self.engine, first, columns.size - loops * chunk.num_rows)
        if not loops:
            return own
        out, is_edge = np.ones(columns.size), np.ones(columns.size, dtype=bool)
        is_edge[rowptr[:-1]] = False
        out[is_edge] = own
        return out

    @cached_property
    def _root_tables(self) -> tuple[Floats, Floats]:
        """``1 / sqrt(d)`` of every degree ``d``, 0 of degree 0; and ``1 / sqrt(1 + d)``."""
        roots = 1 / np.sqrt(1.0 + np.arange(self.graph.spec.max_in_degree + 1))
        return np.concatenate(([0.0], roots[:-1])), roots

    def make(self, name: str, rows: tuple[int, ...], width: int, ranges: Ranges) -> CodeMatrix:
        """A matrix of codes with so many rows a bucket, whose bytes :attr:`made` counts."""
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
