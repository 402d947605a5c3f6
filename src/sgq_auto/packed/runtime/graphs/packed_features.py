"""Node features as the packed runtime holds them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sgq_auto.packed.backends import Engine
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight, pack_matrix
from sgq_auto.packed.codes.coded_rows import (
    BitmapRows,
    Blocks,
    Chunk,
    EliasFanoRows,
    ListedRows,
    listed_rows,
)
from sgq_auto.packed.codes.ranges import Floats, Ranges
from sgq_auto.packed.runtime.graphs.feature_scaling import FeatureScaling
from sgq_auto.packed.runtime.graphs.packed_graph import bucket_sums
from sgq_auto.packed.sizes.shape_specs import FeatureSpec


@dataclass(frozen=True, eq=False)
class PackedFeatures:
    """Node features, quantized by degree bucket.

    Attributes:
        spec: Their counts.
        pattern: Where the stored values are; ``None`` where every entry is stored.
        values: The stored values: ``[values, 1]``, or ``[nodes, features]`` where all are stored.
        normalize_rows: Whether rows are divided by their sums.
        rows: ``int32``, which row of dense values each row is; ``None`` where it is the same.
        scaling: What features that are given are scaled by first; ``None`` where they are not.
    """

    spec: FeatureSpec
    pattern: EliasFanoRows | BitmapRows | ListedRows | None
    values: CodeMatrix
    normalize_rows: bool
    rows: Array | None = None
    scaling: FeatureScaling | None = None

    def product_costs(self, blocks: Blocks, width: int) -> Array:
        """``[blocks + 1]``, running total of values that products of ``width`` columns need."""
        assert self.pattern is not None
        listed = np.diff(self.pattern.block_starts.astype(np.int64))
        if isinstance(self.pattern, BitmapRows):
            # Equal values at set bits are summed without being listed.
            listed[np.array(self.values.bits)[blocks.buckets] == 0] = 0
        costs = np.maximum(listed, np.diff(blocks.rows) * width)
        return np.concatenate(([0], np.cumsum(costs)))

    def product(self, engine: Engine, chunk: Chunk, weight: PackedWeight) -> tuple[Floats, Floats]:
        """A chunk of sparse rows times a weight, and the sum of each row.

        Args:
            engine: Does the arithmetic.
            chunk: Which rows.
            weight: The weight ``[features, width]``.

        Returns:
            fp64 ``[rows, width]`` and ``[rows]``, before rows are normalised.
        """
        assert self.pattern is not None
        if self.values.bits[chunk.bucket] == 0 and isinstance(self.pattern, BitmapRows):
            constant = float(self.values.ranges.offset[chunk.bucket])
            out, counts = engine.bitmap_product(self.pattern, chunk, weight)
            return constant * out, constant * counts
        rowptr, columns, skipped = chunk.own(
            *entries_of(engine, self.pattern, chunk.blocks, loops=False)
        )
        if columns.size == 0:
            return np.zeros((chunk.num_rows, weight.codes.width)), np.zeros(chunk.num_rows)
        if not isinstance(self.pattern, ListedRows):
            first = int(self.pattern.block_starts[chunk.block]) + skipped
            return engine.sparse_product(rowptr, columns, self.values, first, weight)
        starts = self.pattern.starts[chunk.row : chunk.stop]
        # Of a row that has an entry: others may point past the bucket.
        first = int(starts[np.argmax(np.diff(rowptr) > 0)])
        return engine.sparse_product(rowptr, columns, self.values, first, weight, starts)

    def rows_of(self, engine: Engine, chunk: Chunk) -> Floats:
        """Values ``[rows, features]`` of a chunk, zeros of sparse rows among them, normalised."""
        if self.pattern is None:
            return self.dense_rows(engine, chunk)
        rowptr, columns, skipped = chunk.own(
            *entries_of(engine, self.pattern, chunk.blocks, loops=False)
        )
        out = np.zeros((chunk.num_rows, self.spec.num_features))
        rows = np.repeat(np.arange(chunk.num_rows), np.diff(rowptr))
        out[rows, columns] = self._stored(engine, chunk, rowptr, skipped)
        if self.normalize_rows:
            out /= np.maximum(out.sum(axis=1, keepdims=True), 1.0)
        return out

    def _stored(self, engine: Engine, chunk: Chunk, rowptr: Array, skipped: int) -> Array:
        """The stored values of a chunk's entries, fp64."""
        assert self.pattern is not None
        if rowptr[-1] == 0:
            return np.empty(0)
        if not isinstance(self.pattern, ListedRows):
            first = int(self.pattern.block_starts[chunk.block]) + skipped
            return engine.read(self.values, first, first + int(rowptr[-1]))[:, 0]
        starts = self.pattern.starts[chunk.row : chunk.stop]
        places = listed_rows(rowptr, starts)
        return engine.take(self.values, places.astype(np.int32))[:, 0]

    def dense_rows(self, engine: Engine, chunk: Chunk) -> Floats:
        """Values ``[rows, features]`` of a chunk of dense rows, normalised."""
        if self.rows is None:
            values = engine.read(self.values, chunk.row, chunk.stop)
        else:
            values = engine.take(self.values, self.rows[chunk.row : chunk.stop])
        return self._normalized(values)

    def take(self, engine: Engine, rows: Array) -> Floats:
        """Values ``[n, features]`` of any rows ``int32 [n]`` of dense features, normalised."""
        assert self.pattern is None
        held = rows if self.rows is None else self.rows[rows]
        return self._normalized(engine.take(self.values, held))

    def listed(self, engine: Engine, blocks: Blocks, rows: Array) -> tuple[Array, Array, Floats]:
        """The stored entries of any rows of sparse features, normalised, as CSR.

        Args:
            engine: Reads them.
            blocks: How the rows of the graph are cut into blocks.
            rows: ``int32 [n]``.

        Returns:
            ``rowptr [n + 1]``, and the column and fp64 value of each entry.
        """
        assert self.pattern is not None
        wanted, place = np.unique(rows, return_inverse=True)
        if isinstance(self.pattern, ListedRows):
            (rowptr, columns), starts = self.pattern.picked(wanted), self.pattern.starts[wanted]
        else:
            rowptr, columns, starts = engine.pick(self.pattern, blocks, wanted.astype(np.int64))
        values, lengths = (
            engine.take(self.values, listed_rows(rowptr, starts))[:, 0],
            np.diff(rowptr),
        )
        if self.normalize_rows:
            row = np.repeat(np.arange(wanted.size), lengths)
            sums = np.bincount(row, values, minlength=wanted.size)
            values /= np.maximum(sums, 1.0)[row]
        ends = np.concatenate(([0], np.cumsum(lengths[place])))
        entries = listed_rows(ends, rowptr[:-1][place])
        return ends, columns[entries], values[entries]

    def _normalized(self, values: Floats) -> Floats:
        if self.normalize_rows:
            values /= np.maximum(values.sum(axis=1, keepdims=True), 1.0)
        return values


def pack_features(
    x: Array,
    order: Array,
    bucket_nodes: tuple[int, ...],
    like: PackedFeatures,
    free: Sequence[bool] | None = None,
) -> PackedFeatures:
    """Quantize features of a graph that is predicted once, as others are, and pack them.

    Args:
        x: ``[nodes, F]`` values, in the user's units.
        order: The node of each row.
        bucket_nodes: Rows of each bucket.
        like: The features whose scaling and ranges they get.
        free: Buckets whose values need no codes where they are equal; by default all.
    """
    spec, ranges, normalize = like.spec, like.values.ranges, like.normalize_rows
    if like.scaling is not None:
        x = like.scaling.of(x)
    if spec.dense:
        counts = tuple(bucket_nodes)
        return pack_values(x[order], spec, None, counts, ranges, normalize=normalize)
    # Entries node by node, then row by row: x itself may be large and is not put in order.
    stored = np.flatnonzero(x.ravel() != 0)
    node, columns = np.divmod(stored, x.shape[1])
    counts_by_node = np.bincount(node, minlength=x.shape[0])
    first = np.concatenate(([0], np.cumsum(counts_by_node)))[order]
    rowptr = np.concatenate(([0], np.cumsum(counts_by_node[order])))
    entries = listed_rows(rowptr, first)
    starts = Blocks(bucket_nodes).starts(counts_by_node[order])
    listed = columns[entries].astype(np.int32)
    pattern = ListedRows(x.shape[1], rowptr, listed, rowptr[:-1], starts)
    counts = bucket_sums(counts_by_node[order], bucket_nodes)
    values = x.ravel()[stored[entries]][:, None]
    return pack_values(values, spec, pattern, counts, ranges, normalize=normalize, free=free)


def entries_of(
    engine: Engine,
    rows: EliasFanoRows | BitmapRows | ListedRows,
    chunk: Chunk,
    *,
    loops: bool,
) -> tuple[Array, Array]:
    """The entries of a chunk of rows as CSR, coded or listed; see the engine."""
    if isinstance(rows, ListedRows):
        return rows.entries(chunk, loops=loops)
    return engine.decode(rows, chunk, loops=loops)


def pack_values(
    values: Array,
    spec: FeatureSpec,
    pattern: EliasFanoRows | BitmapRows | ListedRows | None,
    bucket_rows: tuple[int, ...],
    ranges: Ranges,
    *,
    normalize: bool,
    free: Sequence[bool] | None = None,
) -> PackedFeatures:
    """Quantize stored values ``[rows, width]`` by given ranges and pack them; see above."""
    codes, bits, constant, start = [np.empty((0, values.shape[1]))], [], [], 0
    for bucket, rows in enumerate(bucket_rows):
        part = values[start : start + rows].astype(np.float64)
        is_constant = part.size == 0 or bool(part.min() == part.max())
        if ranges.is_quantized(bucket):
            part = ranges.codes(part, bucket)
            # Equal values are told by their offset alone.
            may_lack = free is None or free[bucket] or part.size == 0
            needs_codes = spec.dense or not is_constant or bool(part.any()) or not may_lack
            bits.append(ranges.bits[bucket] if needs_codes else 0)
        else:
            bits.append(ranges.bits[bucket])
        codes.append(part)
        constant.append(is_constant)
        start += rows
    matrix = pack_matrix(np.concatenate(codes), bucket_rows, tuple(bits), ranges)
    spec = replace(
        spec,
        bucket_values=tuple(n * values.shape[1] for n in bucket_rows),
        bucket_constant=tuple(constant),
    )
    return PackedFeatures(spec, pattern, matrix, normalize)


def code_pattern(
    positions: Array, row_counts: Array, spec: FeatureSpec, bucket_nodes: tuple[int, ...]
) -> EliasFanoRows | BitmapRows:
    """The smaller code of where stored values are.

    Args:
        positions: Sorted positions ``row * F + column``.
        row_counts: Stored values of each row.
        spec: The features.
        bucket_nodes: Rows of each bucket.
    """
    nodes, columns = sum(bucket_nodes), spec.num_features
    starts = Blocks(bucket_nodes).starts(row_counts)
    counted = replace(spec, bucket_values=(positions.size,))
    if counted.uses_bitmap(nodes):
        digits = np.zeros(nodes * columns, dtype=bool)
        digits[positions] = True
        return BitmapRows(columns, np.packbits(digits, bitorder="little"), starts)
    layout = counted.pattern(nodes)
    high, low = layout.encode_parts([positions])
    return EliasFanoRows(layout, columns, high, low, starts)
