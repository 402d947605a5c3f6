"""One forward pass over packed codes, layer by layer and chunk by chunk."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np

from sgq_auto.packed.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.coded_rows import Chunk
from sgq_auto.packed.codes import Array
from sgq_auto.packed.engines import Engine
from sgq_auto.packed.features import PackedFeatures, entries_of
from sgq_auto.packed.graph import PackedGraph
from sgq_auto.packed.layers import PackedLayer, WeightedLayer
from sgq_auto.packed.ranges import Floats, Ranges, to_fp32
from sgq_auto.packed.specs import LayerSpec

Source = PackedFeatures | CodeMatrix
Sink = Callable[[Chunk, Floats], None]

# Values of a chunk, 512 KiB in fp64: a few of them fit a second-level cache.
_CHUNK_VALUES = 1 << 16
# Stored values of sparse features in a chunk.
_CHUNK_STORED_VALUES = 1 << 17
# Gathered entries of a chunk.
_CHUNK_ENTRIES = 1 << 16


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

    def run(self, layers: Sequence[PackedLayer]) -> Array:
        """Logits fp32 ``[N, classes]``, nodes in their own order."""
        nodes = self.graph.spec.num_nodes
        logits = np.empty((nodes, layers[-1].out_features), dtype=np.float32)
        order = self.graph.node_order()

        def emit(chunk: Chunk, x: Floats) -> None:
            logits[order[chunk.row : chunk.stop]] = to_fp32(x)

        source: Source = self.features
        for layer, following in zip(layers, [*layers[1:], None], strict=True):
            if following is None:
                layer.run(self, source, emit)
            else:
                name, width = f"{following.spec.name}.input", layer.out_features
                embedding = self.embedding(name, width, following.inputs)
                layer.run(self, source, self._writer(embedding))
                source = embedding
        return logits

    def embedding(self, name: str, width: int, ranges: Ranges) -> CodeMatrix:
        """A matrix of codes, one row a node."""
        return self._make(name, self.graph.spec.bucket_nodes, width, ranges)

    def transform(self, layer: WeightedLayer, source: Source, sink: Sink) -> None:
        """Products ``x W`` of a layer's input with its weight."""
        is_sparse = isinstance(source, PackedFeatures) and source.pattern is not None
        limit = _CHUNK_STORED_VALUES if is_sparse else _CHUNK_VALUES
        chunks = self.graph.blocks.chunks(self.product_costs(source, layer.weight), limit)
        product = self.product(source, layer.weight)
        self._for_chunks(chunks, lambda chunk: sink(chunk, product(chunk)))

    def product(self, source: Source, weight: PackedWeight) -> Callable[[Chunk], Floats]:
        """What gives the products ``x W`` of a chunk's rows of an input."""
        if isinstance(source, PackedFeatures) and source.pattern is not None:
            return lambda chunk: self._sparse_product(source, weight, chunk)
        unpacked = self._unpacked(weight)
        if isinstance(source, PackedFeatures):
            return lambda chunk: source.dense_rows(self.engine, chunk) @ unpacked
        return lambda chunk: self.engine.read(source, chunk.row, chunk.stop) @ unpacked

    def product_costs(self, source: Source, weight: PackedWeight) -> Array:
        """``[blocks + 1]``, running total of the values that products of these rows need."""
        blocks, width = self.graph.blocks, weight.codes.width
        if isinstance(source, PackedFeatures) and source.pattern is not None:
            return source.product_costs(blocks, width)
        costs: Array = blocks.rows * max(width, weight.codes.bucket_rows[0])
        return costs

    def for_edges(
        self,
        work: Callable[[Chunk, Array, Array], None],
        heads: int = 1,
        *,
        loops: bool = True,
        other_costs: Array | int = 0,
    ) -> None:
        """Call ``work`` with the edges of every chunk.

        Args:
            work: Given a chunk and its edges as CSR.
            heads: Coefficients of an edge.
            loops: Whether each row starts with a self-loop.
            other_costs: ``[blocks + 1]``, running total of the values that ``work`` needs besides.
        """
        edges = self.graph.edges
        # Every row has a self-loop besides its coded edges, or the room for one.
        costs = edges.block_starts.astype(np.int64) + self.graph.blocks.rows + other_costs
        chunks = self.graph.blocks.chunks(costs, _CHUNK_ENTRIES // heads)
        self._for_chunks(
            chunks, lambda chunk: work(chunk, *entries_of(self.engine, edges, chunk, loops=loops))
        )

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
            values = scores(chunk, rowptr, columns)
            lengths = np.diff(rowptr)
            values -= np.repeat(np.maximum.reduceat(values, rowptr[:-1]), lengths, axis=0)
            np.exp(values, out=values)
            values /= np.repeat(np.add.reduceat(values, rowptr[:-1]), lengths, axis=0)
            self.engine.write(attention, self._first_edge(chunk), values)

        self.for_edges(work, spec.heads)
        return attention

    def edge_values(self, attention: CodeMatrix, chunk: Chunk, rowptr: Array) -> Floats:
        """Coefficients ``[entries, heads]`` of a chunk."""
        first = self._first_edge(chunk)
        return self.engine.read(attention, first, first + int(rowptr[-1]))

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
        return int(self.graph.edges.block_starts[chunk.block]) + chunk.row

    def _sparse_product(
        self, features: PackedFeatures, weight: PackedWeight, chunk: Chunk
    ) -> Floats:
        out, sums = features.product(self.engine, chunk, weight)
        if features.normalize_rows:
            out /= np.maximum(sums, 1.0)[:, None]
        return out

    def _unpacked(self, weight: PackedWeight) -> Floats:
        """The weight ``[in, out]`` in fp64: small beside what it multiplies."""
        rows = weight.codes.bucket_rows[0]
        return weight.scaled(self.engine.read(weight.codes, 0, rows), np.ones(rows))

    def _writer(self, matrix: CodeMatrix) -> Sink:
        return lambda chunk, x: self.engine.write(matrix, chunk.row, x)

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
