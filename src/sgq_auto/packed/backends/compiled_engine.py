"""The compiled engine; it needs llvmlite, and numba until its kernels have been compiled once."""

from dataclasses import dataclass

import numpy as np

from sgq_auto.packed.allocation import FULL_PRECISION, MAX_CODE_BITS
from sgq_auto.packed.backends.compiled_scores import (
    PAST,
    WORD_BYTES,
    CompiledScores,
    as_code,
    as_words,
)
from sgq_auto.packed.backends.signatures import COUNTERS, GROUPS, LANES, POSITIONS, SUBSETS
from sgq_auto.packed.codes.bit_packing import Array, Bytes, packed_bytes
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.codes.coded_rows import (
    BitmapRows,
    Blocks,
    Chunk,
    EliasFanoRows,
    listed_rows,
)
from sgq_auto.packed.codes.ranges import Floats, Ranges, to_fp32

# Totals are sums of products of codes, one less than powers of two, so that this is never reached.
_COUNTER_LIMIT = 1 << 31
# Weights of so many bytes are unpacked at once for what multiplies them; larger ones never are.
_TILE_BYTES = 1 << 18


def _ranks() -> Bytes:
    """``[256, 8]``: of every byte, for each set bit, its place less the set bits below it."""
    octets = np.arange(256, dtype=np.uint8)[:, None]
    digits = np.unpackbits(octets, axis=1, bitorder="little")
    ranks = np.zeros((256, LANES), dtype=np.uint8)
    for octet, bits in enumerate(digits):
        places = np.flatnonzero(bits)
        ranks[octet, : places.size] = places - np.arange(places.size)
    return ranks


_RANKS = _ranks()


@dataclass(frozen=True)
class CompiledEngine(CompiledScores):
    """:class:`~sgq_auto.packed.backends.packed_engine.Engine` in compiled loops; see there."""

    def decode(
        self, rows: EliasFanoRows | BitmapRows, chunk: Chunk, *, loops: bool
    ) -> tuple[Array, Array]:
        """Decode the entries straight into CSR, eight at a time for an Elias-Fano code.

        The result is longer than what is returned, as the kernel writes whole vectors.
        """
        start, stop = (int(rows.block_starts[b]) for b in (chunk.block, chunk.last_block))
        rowptr = np.empty(chunk.num_rows + 1, dtype=np.int64)
        entries = stop - start + loops * chunk.num_rows
        columns = np.empty(entries + PAST, dtype=np.int32)
        where = rows.columns, chunk.row, chunk.num_rows, loops
        if isinstance(rows, EliasFanoRows):
            high, low = as_words(rows.high), as_words(rows.low)
            code = high, low, low.size, rows.layout.low_bits
            span = rows.first_bit(chunk), start, stop
            scratch = np.empty(POSITIONS + 3 * LANES, dtype=np.int64)
            self.kernels.decode_elias_fano(*code, *span, *where, _RANKS, scratch, rowptr, columns)
        else:
            bitmap = as_words(rows.bitmap)
            self.kernels.decode_bitmap(bitmap, bitmap.size, *where, rowptr, columns)
        return rowptr, columns[:entries]

    def pick(
        self, rows: EliasFanoRows | BitmapRows, blocks: Blocks, wanted: Array
    ) -> tuple[Array, Array, Array]:
        """Decode each wanted row alone: the kernel starts at the row's block and skips to the row.

        How many entries there will be is not known before, so room is made for the whole blocks.
        """
        within = np.searchsorted(blocks.rows, wanted, side="right") - 1
        entries = rows.block_starts[within].astype(np.int64)
        stops = rows.block_starts[within + 1].astype(np.int64)
        # A block may hold nothing but a row, and rows are different.
        room = min(int((stops - entries).sum()), int(rows.block_starts[-1]))
        rowptr, starts = np.empty(wanted.size + 1, np.int64), np.empty(wanted.size, np.int64)
        columns = np.empty(room, dtype=np.int32)
        where = rows.columns, wanted, wanted.size, blocks.rows[within], entries
        out = rowptr, starts, columns
        if isinstance(rows, EliasFanoRows):
            high, low = as_words(rows.high), as_words(rows.low)
            code = high, high.size, low, low.size, rows.layout.low_bits
            self.kernels.pick_elias_fano(*code, *where, stops, *out)
        else:
            bitmap = as_words(rows.bitmap)
            self.kernels.pick_bitmap(bitmap, bitmap.size, *where, *out)
        return rowptr, columns[: rowptr[-1]], starts

    def take(self, matrix: CodeMatrix, rows: Array) -> Floats:
        """Unpack row after row; the bucket of one row is where the next is looked for first."""
        out = np.empty(rows.size * matrix.width + PAST)
        self.kernels.take_values(rows, rows.size, *as_code(matrix), out)
        return out[: rows.size * matrix.width].reshape(rows.size, matrix.width)

    def read(self, matrix: CodeMatrix, row: int, stop: int) -> Floats:
        """Unpack eight values at a time; the rows are in one bucket, so one scale serves all."""
        count = (stop - row) * matrix.width
        out = np.empty(count + PAST)
        bucket, stream = matrix.bucket_of(row), as_words(matrix.stream)
        first, bits = matrix.first_bit(row), matrix.bits[bucket]
        scale = float(matrix.ranges.step[bucket]), float(matrix.ranges.offset[bucket])
        self.kernels.read_values(stream, stream.size, first, bits, count, *scale, out)
        return out[:count].reshape(stop - row, matrix.width)

    def write(self, matrix: CodeMatrix, row: int, values: Floats) -> None:
        """Round and pack in one pass, from the bit on where the first row starts.

        fp32 values are copied as they are. The bits of the first byte that belong to rows before
        stay zero here; :meth:`CodeMatrix.put` joins the two.
        """
        bucket, skip = matrix.bucket_of(row), matrix.first_bit(row) % 8
        bits = matrix.bits[bucket]
        if bits == FULL_PRECISION:
            packed = np.ascontiguousarray(to_fp32(values)).view(np.uint8).ravel()
        else:
            values = np.ascontiguousarray(values, dtype=np.float64)
            size = packed_bytes(skip + values.size * bits, 1)
            padded = np.empty(size + WORD_BYTES, dtype=np.uint8)
            step, offset = (float(s[bucket]) for s in (matrix.ranges.step, matrix.ranges.offset))
            code = step, offset, bits, skip
            self.kernels.quantize(values, values.size, *code, padded)
            packed = padded[:size]
        matrix.put(row, packed, skip, values.shape[0])

    def weighted_sum(
        self,
        rowptr: Array,
        columns: Array,
        weights: Floats,
        matrix: CodeMatrix,
        span: tuple[int, int] | None = None,
    ) -> Floats:
        """Sum up sixteen columns at a time, straight from the codes: no row is unpacked to memory.

        The entries of one bucket are summed as codes, and scaled once at the end of their run.
        """
        rows, heads = rowptr.size - 1, weights.shape[1]
        first, width = span or (0, matrix.width)
        out = np.empty(rows * width + PAST)
        weights = np.ascontiguousarray(weights, dtype=np.float64)
        entries = rowptr, rows, columns, weights, heads
        self.kernels.weighted_sum(*entries, *as_code(matrix), first, width, out)
        return out[: rows * width].reshape(rows, width)

    def row_extremes(
        self, rowptr: Array, columns: Array, matrix: CodeMatrix, *, largest: bool
    ) -> Floats:
        """Keep the extremes of a row in registers, eight columns at a time."""
        rows, sign = rowptr.size - 1, 1.0 if largest else -1.0
        out = np.empty(rows * matrix.width + PAST)
        self.kernels.row_extremes(rowptr, rows, columns, sign, *as_code(matrix), out)
        return sign * out[: rows * matrix.width].reshape(rows, matrix.width)

    def squared_distances(
        self, rowptr: Array, columns: Array, centers: Floats, matrix: CodeMatrix
    ) -> Floats:
        """Subtract padded centers, so that the last columns are read by whole vectors too."""
        rows, values = rowptr.size - 1, centers.size
        out, padded = np.empty(values + PAST), np.zeros(values + PAST)
        padded[:values] = centers.ravel()
        self.kernels.squared_distances(rowptr, rows, columns, padded, *as_code(matrix), out)
        return out[:values].reshape(rows, matrix.width)

    def bitmap_product(
        self, rows: BitmapRows, chunk: Chunk, weight: PackedWeight
    ) -> tuple[Floats, Floats]:
        """Sum up codes by tables of the sixteen subsets of four rows, in int32.

        This is exact and fast. Codes that are too wide, or too many for an int32 total, are summed
        by :meth:`weighted_sum` in fp64.
        """
        codes, bits = weight.codes, weight.bits
        if bits > MAX_CODE_BITS or rows.columns << bits > _COUNTER_LIMIT:
            rowptr, columns, _ = chunk.own(*self.decode(rows, chunk.blocks, loops=False))
            out = self.weighted_sum(rowptr, columns, np.ones((columns.size, 1)), codes)
            counts = np.diff(rowptr).astype(np.float64)
            return weight.scaled(out, counts), counts
        bitmap, stream = as_words(rows.bitmap), as_words(codes.stream)
        table = np.empty(GROUPS * SUBSETS * COUNTERS, dtype=np.int32)
        totals = np.zeros((chunk.num_rows, _padded(codes.width)), dtype=np.int32)
        ones = np.zeros(chunk.num_rows, dtype=np.int64)
        where = bitmap, bitmap.size, rows.columns, chunk.row, chunk.num_rows
        summed = stream, stream.size, bits, codes.width
        self.kernels.bitmap_sums(*where, *summed, table, totals, ones)
        out, counts = totals[:, : codes.width].astype(np.float64), ones.astype(np.float64)
        return weight.scaled(out, counts), counts

    def sparse_product(
        self,
        rowptr: Array,
        columns: Array,
        values: CodeMatrix,
        first: int,
        weight: PackedWeight,
        starts: Array | None = None,
    ) -> tuple[Floats, Floats]:
        """Multiply codes by codes, with the weight unpacked once into a small int32 tile.

        This is exact, and each total is scaled once. Where totals may not fit an int32, or the tile
        would be large, the stored values are unpacked and :meth:`weighted_sum` does the rest.
        """
        codes, rows, sums = weight.codes, rowptr.size - 1, np.empty(rowptr.size - 1)
        bucket, count, padded = values.bucket_of(first), codes.bucket_rows[0], _padded(codes.width)
        value_bits = values.bits[bucket]
        fits = max(value_bits, weight.bits) <= MAX_CODE_BITS
        fits &= count << value_bits + weight.bits <= _COUNTER_LIMIT
        if not fits or 4 * count * padded > _TILE_BYTES:
            if starts is None:
                listed = self.read(values, first, first + columns.size)
            else:
                listed = self.take(values, listed_rows(rowptr, starts))
            self.kernels.row_sums(rowptr, rows, listed, sums)
            return weight.scaled(self.weighted_sum(rowptr, columns, listed, codes), sums), sums
        tile, out = np.empty((count, padded), dtype=np.int32), np.empty((rows, padded))
        stream, coded = as_words(codes.stream), as_words(values.stream)
        self.kernels.fill_tile(stream, stream.size, weight.bits, count, codes.width, padded, tile)
        begins = rowptr[:-1] if starts is None else starts - first
        where = coded, coded.size, values.first_bit(first), value_bits
        scale = (float(s[bucket]) for s in (values.ranges.step, values.ranges.offset))
        channels = np.zeros((2, padded))
        channels[:, : codes.width] = weight.channels.step, weight.channels.offset
        totals = tile, padded, channels, out, sums
        self.kernels.code_sums(rowptr, begins, rows, columns, *where, *scale, *totals)
        return out[:, : codes.width], sums

    def fake_quantize(self, values: Floats, ranges: Ranges, group: int) -> Floats:
        """Round a padded copy in place, eight values at a time; ``values`` stays as it was."""
        padded = np.empty(values.size + PAST)
        padded[: values.size] = values
        step, offset = float(ranges.step[group]), float(ranges.offset[group])
        top = float(2 ** ranges.bits[group] - 1)
        self.kernels.fake_quantize(padded, values.size, step, offset, top)
        return padded[: values.size]


def _padded(width: int) -> int:
    """A width filled up to whole vectors of counters."""
    return -(-width // COUNTERS) * COUNTERS
