"""The compiled engine; it needs llvmlite, and numba until its kernels have been compiled once."""

from dataclasses import dataclass, field

import numpy as np

from sgq_auto.allocation import FULL_PRECISION, MAX_CODE_BITS
from sgq_auto.packed.code_matrix import CodeMatrix
from sgq_auto.packed.coded_rows import BitmapRows, Chunk, EliasFanoRows
from sgq_auto.packed.codes import Array, Bytes, PackedIntegers, packed_bytes
from sgq_auto.packed.engines.machine_code import Kernels, load_kernels
from sgq_auto.packed.ranges import Floats, Ranges

# Values that a vector holds, and kernels may write past the last one of their result.
_LANES, _PAST = 8, 16
_COUNTERS = 16
_GROUPS, _SUBSETS = 28, 16
_WORD_BYTES = 8
_POSITIONS = 256
# Weights of so many bytes are unpacked at once for what multiplies them; larger ones never are.
_TILE_BYTES = 1 << 18


def _ranks() -> Bytes:
    """``[256, 8]``: of every byte, for each set bit, its place less the set bits below it."""
    octets = np.arange(256, dtype=np.uint8)[:, None]
    digits = np.unpackbits(octets, axis=1, bitorder="little")
    ranks = np.zeros((256, _LANES), dtype=np.uint8)
    for octet, bits in enumerate(digits):
        places = np.flatnonzero(bits)
        ranks[octet, : places.size] = places - np.arange(places.size)
    return ranks


_RANKS = _ranks()


@dataclass(frozen=True)
class CompiledEngine:
    """:class:`~sgq_auto.packed.engines.engine.Engine` in compiled loops; see there.

    Arrays that a kernel writes a vector at a time are given room for the last one.
    """

    kernels: Kernels = field(default_factory=load_kernels, repr=False)

    def decode(
        self, rows: EliasFanoRows | BitmapRows, chunk: Chunk, *, loops: bool
    ) -> tuple[Array, Array]:
        """See the protocol."""
        start, stop = (int(rows.block_starts[b]) for b in (chunk.block, chunk.last_block))
        rowptr = np.empty(chunk.num_rows + 1, dtype=np.int64)
        entries = stop - start + loops * chunk.num_rows
        columns = np.empty(entries + _PAST, dtype=np.int32)
        where = rows.columns, chunk.row, chunk.num_rows, loops
        if isinstance(rows, EliasFanoRows):
            high, low = _words(rows.high), _words(rows.low)
            code = high, low, low.size, rows.layout.low_bits
            span = rows.first_bit(chunk), start, stop
            scratch = np.empty(_POSITIONS + 3 * _LANES, dtype=np.int64)
            self.kernels.decode_elias_fano(*code, *span, *where, _RANKS, scratch, rowptr, columns)
        else:
            bitmap = _words(rows.bitmap)
            self.kernels.decode_bitmap(bitmap, bitmap.size, *where, rowptr, columns)
        return rowptr, columns[:entries]

    def read(self, matrix: CodeMatrix, row: int, stop: int) -> Floats:
        """See the protocol."""
        count = (stop - row) * matrix.width
        out = np.empty(count + _PAST)
        bucket, stream = matrix.bucket_of(row), _words(matrix.stream)
        first, bits = matrix.first_bit(row), matrix.bits[bucket]
        scale = float(matrix.ranges.step[bucket]), float(matrix.ranges.offset[bucket])
        scale = (1.0, 0.0) if bits == FULL_PRECISION else scale
        self.kernels.read_values(stream, stream.size, first, bits, count, *scale, out)
        return out[:count].reshape(stop - row, matrix.width)

    def write(self, matrix: CodeMatrix, row: int, values: Floats) -> None:
        """See the protocol."""
        bucket, skip = matrix.bucket_of(row), matrix.first_bit(row) % 8
        bits = matrix.bits[bucket]
        if bits == FULL_PRECISION:
            packed = np.ascontiguousarray(values, dtype="<f4").view(np.uint8).ravel()
        else:
            values = np.ascontiguousarray(values)
            size = packed_bytes(skip + values.size * bits, 1)
            padded = np.empty(size + _WORD_BYTES, dtype=np.uint8)
            step, offset = (float(s[bucket]) for s in (matrix.ranges.step, matrix.ranges.offset))
            code = step, offset, bits, skip
            self.kernels.quantize(values, values.size, *code, padded)
            packed = padded[:size]
        matrix.put(row, packed, skip, values.shape[0])

    def weighted_sum(
        self, rowptr: Array, columns: Array, weights: Floats, matrix: CodeMatrix
    ) -> Floats:
        """See the protocol."""
        rows, heads = rowptr.size - 1, weights.shape[1]
        out = np.empty(rows * matrix.width + _PAST)
        stream, weights = _words(matrix.stream), np.ascontiguousarray(weights)
        entries = rowptr, rows, columns, weights, heads
        code = stream, stream.size, matrix.layout, matrix.width
        self.kernels.weighted_sum(*entries, *code, out)
        return out[: rows * matrix.width].reshape(rows, matrix.width)

    def sums_at_set_bits(
        self, rows: BitmapRows, chunk: Chunk, matrix: CodeMatrix
    ) -> tuple[Floats, Floats]:
        """See the protocol."""
        bits, width = matrix.bits[0], matrix.width
        if bits > MAX_CODE_BITS or rows.columns << bits >= 1 << 31:
            # Real values, or totals that no counter holds.
            rowptr, columns = self.decode(rows, chunk, loops=False)
            ones = np.ones((columns.size, 1))
            return self.weighted_sum(rowptr, columns, ones, matrix), np.diff(rowptr).astype(
                np.float64
            )
        bitmap, stream = _words(rows.bitmap), _words(matrix.stream)
        table = np.empty(_GROUPS * _SUBSETS * _COUNTERS, dtype=np.int32)
        totals = np.zeros((chunk.num_rows, _padded(matrix)), dtype=np.int32)
        counts = np.zeros(chunk.num_rows, dtype=np.int64)
        where = bitmap, bitmap.size, rows.columns, chunk.row, chunk.num_rows
        code = stream, stream.size, bits, width
        self.kernels.bitmap_sums(*where, *code, table, totals, counts)
        return totals[:, :width].astype(np.float64), counts.astype(np.float64)

    def value_sums(
        self, rowptr: Array, columns: Array, values: CodeMatrix, first: int, matrix: CodeMatrix
    ) -> tuple[Floats, Floats]:
        """See the protocol; where totals of codes fit a counter, they are integers."""
        bucket, rows = values.bucket_of(first), rowptr.size - 1
        value_bits, count, padded = values.bits[bucket], matrix.bucket_rows[0], _padded(matrix)
        fits = count << value_bits + matrix.bits[0] <= 1 << 31 and 4 * count * padded <= _TILE_BYTES
        if value_bits > MAX_CODE_BITS or not fits:
            weights = self.read(values, first, first + columns.size)
            sums = np.empty(rows)
            self.kernels.row_sums(rowptr, rows, weights, sums)
            return self.weighted_sum(rowptr, columns, weights, matrix), sums
        tile = np.empty((count, padded), dtype=np.int32)
        summed = _words(matrix.stream)
        bits = summed, summed.size, matrix.bits[0]
        self.kernels.fill_tile(*bits, count, matrix.width, padded, tile)
        out, sums, weights = np.empty((rows, padded)), np.empty(rows), _words(values.stream)
        where = weights, weights.size, values.first_bit(first), value_bits
        scale = (float(s[bucket]) for s in (values.ranges.step, values.ranges.offset))
        self.kernels.code_sums(rowptr, rows, columns, *where, *scale, tile, padded, out, sums)
        return out[:, : matrix.width], sums

    def row_dots(self, rows: Array, matrix: CodeMatrix, vectors: Floats) -> Floats:
        """See the protocol."""
        heads, channels = vectors.shape
        padded = np.zeros((heads, -(-channels // _LANES) * _LANES))
        padded[:, :channels] = vectors
        out = np.empty((rows.size, heads))
        stream = _words(matrix.stream)
        code = stream, stream.size, matrix.layout, matrix.width
        self.kernels.row_dots(rows, rows.size, *code, padded, heads, out)
        return out

    def cosines(self, rowptr: Array, columns: Array, row: int, matrix: CodeMatrix) -> Floats:
        """See the protocol."""
        out, stream = np.empty(columns.size), _words(matrix.stream)
        valid = (np.arange(-(-matrix.width // _LANES) * _LANES) < matrix.width).astype(np.float64)
        entries = rowptr, rowptr.size - 1, columns, row
        code = stream, stream.size, matrix.layout, matrix.width
        self.kernels.cosines(*entries, *code, valid, np.empty_like(valid), out)
        return out

    def degree_weights(
        self, rowptr: Array, columns: Array, row: int, degrees: PackedIntegers, table: Floats
    ) -> Floats:
        """See the protocol."""
        out, stream = np.empty(columns.size + _PAST), _words(degrees.stream)
        entries = rowptr, rowptr.size - 1, columns, row
        code = stream, stream.size, degrees.bits
        self.kernels.degree_weights(*entries, *code, table, out)
        return out[: columns.size]

    def fake_quantize(self, values: Floats, ranges: Ranges, group: int) -> Floats:
        """See the protocol."""
        padded = np.empty(values.size + _PAST)
        padded[: values.size] = values
        step, offset = float(ranges.step[group]), float(ranges.offset[group])
        top = float(2 ** ranges.bits[group] - 1)
        self.kernels.fake_quantize(padded, values.size, step, offset, top)
        return padded[: values.size]


def _padded(matrix: CodeMatrix) -> int:
    """Its width, filled up to whole vectors of counters."""
    return -(-matrix.width // _COUNTERS) * _COUNTERS


def _words(stream: Bytes) -> Bytes:
    """A stream of at least one word, which is what kernels read."""
    if stream.size >= _WORD_BYTES:
        return stream
    padded = np.zeros(_WORD_BYTES, dtype=np.uint8)
    padded[: stream.size] = stream
    return padded
