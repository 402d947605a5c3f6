"""The engine that runs everywhere: numpy alone."""

import numpy as np

from sgq_auto.packed.allocation import FULL_PRECISION
from sgq_auto.packed.backends.numpy_values import (
    pairs_of,
    parts_of,
    segments_of,
    take,
    values_of,
)
from sgq_auto.packed.backends.packed_engine import HeadParts
from sgq_auto.packed.codes.bit_packing import Array, Bytes, PackedIntegers, pack_codes
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.codes.coded_rows import (
    BitmapRows,
    Blocks,
    Chunk,
    EliasFanoRows,
    listed_rows,
)
from sgq_auto.packed.codes.ranges import Floats, Ranges, to_fp32

# PyG's normalisation divides by no less.
_SMALLEST_NORM = 1e-12


class NumpyEngine:
    """:class:`~sgq_auto.packed.backends.packed_engine.Engine` in numpy; see there."""

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
        return take(matrix, rows)

    def read(self, matrix: CodeMatrix, row: int, stop: int) -> Floats:
        """Unpack one run of codes; consecutive rows of a bucket lie next to each other."""
        bucket = matrix.bucket_of(row)
        start = row - int(matrix.row_starts[bucket])
        return values_of(matrix, bucket, matrix.slice(bucket), start, stop - row)

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
        self,
        rowptr: Array,
        columns: Array,
        weights: Floats,
        matrix: CodeMatrix,
        span: tuple[int, int] | None = None,
    ) -> Floats:
        """Unpack a part of the entries at a time, weigh them, and sum them up by ``reduceat``.

        A row whose entries are in two parts is added up from both. ``reduceat`` gives a wrong sum
        for an empty row, so that these are left out and stay zero.
        """
        first, width = span or (0, matrix.width)
        out = np.zeros((rowptr.size - 1, width))
        for part in segments_of(rowptr, matrix.width):
            values = take(matrix, columns[part.entries])[:, first : first + width]
            values = values.reshape(len(values), weights.shape[1], -1)
            values *= weights[part.entries, :, None]
            sums = np.add.reduceat(values.reshape(len(values), -1), part.begins, axis=0)
            out[part.rows] += sums
        return out

    def row_extremes(
        self, rowptr: Array, columns: Array, matrix: CodeMatrix, *, largest: bool
    ) -> Floats:
        """Reduce a part of the entries at a time; smallest values as largest negatives."""
        sign = 1.0 if largest else -1.0
        out = np.full((rowptr.size - 1, matrix.width), -np.inf)
        for part in segments_of(rowptr, matrix.width):
            values = sign * take(matrix, columns[part.entries])
            found = np.maximum.reduceat(values, part.begins, axis=0)
            out[part.rows] = np.maximum(out[part.rows], found)
        return sign * np.where(np.diff(rowptr)[:, None] > 0, out, 0.0)

    def squared_distances(
        self, rowptr: Array, columns: Array, centers: Floats, matrix: CodeMatrix
    ) -> Floats:
        """Unpack a part of the entries at a time and sum up squares by ``reduceat``."""
        out, lengths = np.zeros(centers.shape), np.diff(rowptr)
        row = np.repeat(np.arange(lengths.size), lengths)
        for part in segments_of(rowptr, matrix.width):
            values = take(matrix, columns[part.entries])
            values -= centers[row[part.entries]]
            out[part.rows] += np.add.reduceat(values**2, part.begins, axis=0)
        return out

    def bitmap_product(
        self, rows: BitmapRows, chunk: Chunk, weight: PackedWeight
    ) -> tuple[Floats, Floats]:
        """Unpack both to fp64 and multiply them as matrices, a part at a time.

        The parts keep the unpacked values below a fixed size, whatever the width of the features.
        """
        out = np.zeros((chunk.num_rows, weight.codes.width))
        counts = np.empty(chunk.num_rows)
        for start, stop in parts_of(chunk.num_rows, rows.columns):
            digits = _digits(rows, chunk.row + start, chunk.row + stop)
            entries = digits.reshape(stop - start, rows.columns).astype(np.float64)
            for first, last in parts_of(rows.columns, weight.codes.width):
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
            weights = take(values, listed_rows(rowptr, starts))
        sums, filled = np.zeros(rowptr.size - 1), np.flatnonzero(np.diff(rowptr))
        # Not differences of a running total, in which a large row would drown those after it.
        sums[filled] = np.add.reduceat(weights[:, 0], rowptr[filled])
        out = self.weighted_sum(rowptr, columns, weights, weight.codes)
        return weight.scaled(out, sums), sums

    def row_dots(self, rows: Array, matrix: CodeMatrix, vectors: Floats) -> Floats:
        """Unpack the rows a part at a time, and multiply them by ``einsum``."""
        heads = vectors.shape[0]
        out = np.empty((rows.size, heads))
        for start, stop in parts_of(rows.size, matrix.width):
            values = take(matrix, rows[start:stop]).reshape(stop - start, heads, -1)
            np.einsum("ehc,hc->eh", values, vectors, out=out[start:stop])
        return out

    def cosines(self, rowptr: Array, columns: Array, row: int, matrix: CodeMatrix) -> Floats:
        """Unpack both ends of each entry and scale them to length 1, a part at a time.

        A row is scaled again for each entry it is in: to keep all directions would take the memory
        that packing saves.
        """
        left = np.repeat(np.arange(row, row + rowptr.size - 1), np.diff(rowptr))
        out = np.empty(columns.size)
        for start, stop in parts_of(columns.size, 2 * matrix.width):
            ends = [_directions(take(matrix, i[start:stop])) for i in (left, columns)]
            np.einsum("ec,ec->e", *ends, out=out[start:stop])
        return out

    def pair_dots(
        self, rowptr: Array, columns: Array, row: int, matrix: CodeMatrix, parts: HeadParts
    ) -> Floats:
        """Unpack both parts of some entries at a time, and sum up their products."""
        out = np.empty((columns.size, parts.heads))
        for entries, own, other in pairs_of(rowptr, columns, row, matrix, parts):
            np.einsum("ehc,ehc->eh", own, other, out=out[entries])
        return out

    def leaky_dots(
        self,
        rowptr: Array,
        columns: Array,
        row: int,
        matrix: CodeMatrix,
        parts: HeadParts,
        vectors: Floats,
        slope: float,
    ) -> Floats:
        """Unpack both parts of some entries at a time, then add, bend and multiply them."""
        out = np.empty((columns.size, parts.heads))
        for entries, own, other in pairs_of(rowptr, columns, row, matrix, parts):
            sums = own + other
            sums = np.where(sums > 0, sums, slope * sums)
            np.einsum("ehc,hc->eh", sums, vectors, out=out[entries])
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


def _directions(values: Floats) -> Floats:
    norms = np.sqrt(np.einsum("ec,ec->e", values, values))
    directions: Floats = values / np.maximum(norms, _SMALLEST_NORM)[:, None]
    return directions
