"""The engine that runs everywhere: numpy alone."""

import numpy as np

from sgq_auto.packed.allocation import FULL_PRECISION
from sgq_auto.packed.codes.bit_packing import Array, Bytes, PackedIntegers, pack_codes, unpack_codes
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.codes.coded_rows import (
    BitmapRows,
    Blocks,
    Chunk,
    EliasFanoRows,
    listed_rows,
)
from sgq_auto.packed.codes.ranges import Floats, Ranges, to_fp32

# Values that are unpacked at once: 1 MiB of them.
_MAX_VALUES = 1 << 17
# PyG's normalisation divides by no less.
_SMALLEST_NORM = 1e-12


class NumpyEngine:
    """:class:`~sgq_auto.packed.backends.engine.Engine` in numpy; see there."""

    def decode(
        self, rows: EliasFanoRows | BitmapRows, chunk: Chunk, *, loops: bool
    ) -> tuple[Array, Array]:
        """Decode all positions of the chunk at once, then split them into rows and columns.

        A bitmap is unpacked to a byte a bit, so this needs more memory than the compiled engine.
        """
        start, stop = (int(rows.block_starts[b]) for b in (chunk.block, chunk.last_block))
        if isinstance(rows, EliasFanoRows):
            first_bit = rows.first_bit(chunk)
            positions = rows.layout.decode(rows.high, rows.low, start, stop, first_bit)
        else:
            digits = _digits(rows, chunk.row, chunk.stop)
            positions = np.flatnonzero(digits) + chunk.row * rows.columns
        row, column = np.divmod(positions, rows.columns)
        counts = np.bincount(row - chunk.row, minlength=chunk.num_rows)
        rowptr = np.concatenate(([0], np.cumsum(counts + loops)))
        if not loops:
            return rowptr, column.astype(np.int32)
        columns = np.empty(int(rowptr[-1]), dtype=np.int32)
        diagonal = np.zeros(columns.size, dtype=bool)
        diagonal[rowptr[:-1]] = True
        columns[diagonal] = np.arange(chunk.row, chunk.stop)
        columns[~diagonal] = column
        return rowptr, columns

    def pick(
        self, rows: EliasFanoRows | BitmapRows, blocks: Blocks, wanted: Array
    ) -> tuple[Array, Array, Array]:
        """Decode whole runs of blocks and keep the wanted rows of each.

        numpy is fast on long arrays only: decoding rows that nobody wants costs less than a call
        for each row.
        """
        counts, found = np.zeros(wanted.size, dtype=np.int64), [np.empty(0, np.int32)]
        starts = np.empty(wanted.size, dtype=np.int64)
        for chunk, held in blocks.chunks_of(wanted):
            rowptr, columns = self.decode(rows, chunk, loops=False)
            local = wanted[held] - chunk.row
            counts[held] = rowptr[local + 1] - rowptr[local]
            starts[held] = rowptr[local]
            part = np.concatenate(([0], np.cumsum(counts[held])))
            found.append(columns[listed_rows(part, rowptr[local])])
            starts[held] += int(rows.block_starts[chunk.block])
        return np.concatenate(([0], np.cumsum(counts))), np.concatenate(found), starts

    def take(self, matrix: CodeMatrix, rows: Array) -> Floats:
        """Gather the bytes that each row touches, one bucket after another, then unpack them."""
        return _take(matrix, rows)

    def read(self, matrix: CodeMatrix, row: int, stop: int) -> Floats:
        """Unpack one run of codes; consecutive rows of a bucket lie next to each other."""
        bucket = matrix.bucket_of(row)
        start = row - int(matrix.row_starts[bucket])
        return _values(matrix, bucket, matrix.slice(bucket), start, stop - row)

    def write(self, matrix: CodeMatrix, row: int, values: Floats) -> None:
        """Pack the values on their own, then shift them to the bit where the first row starts.

        The bits of the first byte that belong to rows before stay zero here;
        :meth:`CodeMatrix.put` joins the two.
        """
        bucket, skip = matrix.bucket_of(row), matrix.first_bit(row) % 8
        bits = matrix.bits[bucket]
        if bits == FULL_PRECISION:
            packed = np.ascontiguousarray(to_fp32(values)).view(np.uint8).ravel()
        else:
            packed = pack_codes(matrix.ranges.codes(values, bucket).astype(np.uint16), bits)
        if skip:
            count = values.size * bits
            digits = np.unpackbits(packed, count=count, bitorder="little")
            packed = np.packbits(np.concatenate([np.zeros(skip, "u1"), digits]), bitorder="little")
        matrix.put(row, packed, skip, values.shape[0])

    def weighted_sum(
        self, rowptr: Array, columns: Array, weights: Floats, matrix: CodeMatrix
    ) -> Floats:
        """Unpack a part of the entries at a time, weigh them, and sum them up by ``reduceat``.

        A row whose entries are in two parts is added up from both. ``reduceat`` gives a wrong sum
        for an empty row, so that these are left out and stay zero.
        """
        rows, heads = rowptr.size - 1, weights.shape[1]
        out = np.zeros((rows, matrix.width))
        for start, stop in _parts(columns.size, matrix.width):
            values = _take(matrix, columns[start:stop]).reshape(stop - start, heads, -1)
            values *= weights[start:stop, :, None]
            first = int(np.searchsorted(rowptr, start, side="right")) - 1
            last = int(np.searchsorted(rowptr, stop, side="left"))
            begins = np.maximum(rowptr[first:last], start)
            ends = np.minimum(rowptr[first + 1 : last + 1], stop)
            filled = np.flatnonzero(ends > begins)
            sums = np.add.reduceat(values.reshape(stop - start, -1), begins[filled] - start, axis=0)
            out[first + filled] += sums
        return out

    def bitmap_product(
        self, rows: BitmapRows, chunk: Chunk, weight: PackedWeight
    ) -> tuple[Floats, Floats]:
        """Unpack both to fp64 and multiply them as matrices, a part at a time.

        The parts keep the unpacked values below a fixed size, whatever the width of the features.
        """
        out = np.zeros((chunk.num_rows, weight.codes.width))
        counts = np.empty(chunk.num_rows)
        for start, stop in _parts(chunk.num_rows, rows.columns):
            digits = _digits(rows, chunk.row + start, chunk.row + stop)
            entries = digits.reshape(stop - start, rows.columns).astype(np.float64)
            for first, last in _parts(rows.columns, weight.codes.width):
                out[start:stop] += entries[:, first:last] @ self.read(weight.codes, first, last)
            counts[start:stop] = entries.sum(axis=1)
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
        """Unpack the stored values, and sum the rows of the weight that they weigh."""
        if starts is None:
            weights = self.read(values, first, first + columns.size)
        else:
            weights = _take(values, listed_rows(rowptr, starts))
        sums, filled = np.zeros(rowptr.size - 1), np.flatnonzero(np.diff(rowptr))
        # Not differences of a running total, in which a large row would drown those after it.
        sums[filled] = np.add.reduceat(weights[:, 0], rowptr[filled])
        out = self.weighted_sum(rowptr, columns, weights, weight.codes)
        return weight.scaled(out, sums), sums

    def row_dots(self, rows: Array, matrix: CodeMatrix, vectors: Floats) -> Floats:
        """Unpack the rows a part at a time, and multiply them by ``einsum``."""
        heads = vectors.shape[0]
        out = np.empty((rows.size, heads))
        for start, stop in _parts(rows.size, matrix.width):
            values = _take(matrix, rows[start:stop]).reshape(stop - start, heads, -1)
            np.einsum("ehc,hc->eh", values, vectors, out=out[start:stop])
        return out

    def cosines(self, rowptr: Array, columns: Array, row: int, matrix: CodeMatrix) -> Floats:
        """Unpack both ends of each entry and scale them to length 1, a part at a time.

        A row is scaled again for each entry it is in: to keep all directions would take the memory
        that packing saves.
        """
        left = np.repeat(np.arange(row, row + rowptr.size - 1), np.diff(rowptr))
        out = np.empty(columns.size)
        for start, stop in _parts(columns.size, 2 * matrix.width):
            ends = [_directions(_take(matrix, i[start:stop])) for i in (left, columns)]
            np.einsum("ec,ec->e", *ends, out=out[start:stop])
        return out

    def degree_weights(
        self, rowptr: Array, columns: Array, row: int, degrees: PackedIntegers, table: Floats
    ) -> Floats:
        """Look up the degrees of both ends of all entries at once."""
        own = table[degrees[np.arange(row, row + rowptr.size - 1)]]
        weights: Floats = np.repeat(own, np.diff(rowptr)) * table[degrees[columns]]
        return weights

    def fake_quantize(self, values: Floats, ranges: Ranges, group: int) -> Floats:
        """Round to codes and back; nothing is packed."""
        return ranges.values(ranges.codes(values, group), group)


def _digits(rows: BitmapRows, row: int, stop: int) -> Bytes:
    """The bits of consecutive rows, one a byte."""
    first, skip = divmod(row * rows.columns, 8)
    last = -(-stop * rows.columns // 8)
    digits = np.unpackbits(rows.bitmap[first:last], bitorder="little")[skip:]
    return digits[: (stop - row) * rows.columns]


def _parts(count: int, width: int) -> list[tuple[int, int]]:
    """Ranges of entries whose values are few enough to unpack at once."""
    size = max(1, _MAX_VALUES // max(width, 1))
    return [(start, min(start + size, count)) for start in range(0, count, size)]


def _directions(values: Floats) -> Floats:
    norms = np.sqrt(np.einsum("ec,ec->e", values, values))
    directions: Floats = values / np.maximum(norms, _SMALLEST_NORM)[:, None]
    return directions


def _take(matrix: CodeMatrix, rows: Array) -> Floats:
    """Values ``[entries, width]`` of any rows of a matrix."""
    buckets = np.searchsorted(matrix.row_starts, rows, side="right") - 1
    out = np.empty((rows.size, matrix.width))
    for bucket in range(len(matrix.bits)):
        chosen = np.flatnonzero(buckets == bucket)
        if chosen.size:
            local = rows[chosen] - matrix.row_starts[bucket]
            out[chosen] = _take_in_bucket(matrix, bucket, local)
    return out


def _take_in_bucket(matrix: CodeMatrix, bucket: int, rows: Array) -> Floats:
    bits = matrix.bits[bucket] * matrix.width
    if bits == 0:
        return matrix.ranges.values(np.zeros((rows.size, matrix.width)), bucket)
    if bits % 8 == 0:  # Rows are whole bytes: gather them, then unpack all at once.
        stream = matrix.slice(bucket).reshape(-1, bits // 8)[rows].ravel()
        return _values(matrix, bucket, stream, 0, rows.size)
    # A row starts inside a byte: gather the bytes it touches and shift its codes down.
    first, skip = np.divmod(rows.astype(np.int64) * bits, 8)
    span = (bits + 14) // 8
    octets = np.take(matrix.slice(bucket), first[:, None] + np.arange(span), mode="clip")
    digits = np.unpackbits(octets, axis=1, bitorder="little")
    digits = np.take_along_axis(digits, skip[:, None] + np.arange(bits), axis=1)
    weights = (1 << np.arange(matrix.bits[bucket])).astype(np.uint16)
    codes = digits.reshape(rows.size, matrix.width, -1) @ weights
    return matrix.ranges.values(codes, bucket)


def _values(matrix: CodeMatrix, bucket: int, stream: Bytes, row: int, rows: int) -> Floats:
    """Values ``[rows, width]`` of consecutive rows in the bytes of a bucket."""
    bits, start, count = matrix.bits[bucket], row * matrix.width, rows * matrix.width
    shape = rows, matrix.width
    if bits == FULL_PRECISION:
        part = np.ascontiguousarray(stream[4 * start : 4 * (start + count)])
        return part.view("<f4").astype(np.float64).reshape(shape)
    codes = unpack_codes(stream, bits, count, start) if bits else np.zeros(count, np.uint8)
    return matrix.ranges.values(codes, bucket).reshape(shape)
