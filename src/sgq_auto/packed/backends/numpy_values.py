"""Values of packed rows as numpy unpacks them, a bounded number at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sgq_auto.packed.allocation import FULL_PRECISION
from sgq_auto.packed.backends.packed_engine import HeadParts
from sgq_auto.packed.codes.bit_packing import Array, Bytes, unpack_codes
from sgq_auto.packed.codes.code_matrix import CodeMatrix
from sgq_auto.packed.codes.ranges import Floats

# Values that are unpacked at once: 1 MiB of them.
_MAX_VALUES = 1 << 17


@dataclass(frozen=True)
class Segment:
    """A range of entries of several rows, few enough to unpack their values at once.

    Attributes:
        entries: Which entries.
        rows: Rows that have some of them.
        begins: Where in the range those of each of these rows begin.
    """

    entries: slice
    rows: Array
    begins: Array


def segments_of(rowptr: Array, width: int) -> Iterator[Segment]:
    """The entries of rows of ``width`` values, as CSR, in ranges few enough to unpack."""
    for start, stop in parts_of(int(rowptr[-1]), width):
        first = int(np.searchsorted(rowptr, start, side="right")) - 1
        last = int(np.searchsorted(rowptr, stop, side="left"))
        begins = np.maximum(rowptr[first:last], start)
        ends = np.minimum(rowptr[first + 1 : last + 1], stop)
        filled = np.flatnonzero(ends > begins)
        yield Segment(slice(start, stop), first + filled, begins[filled] - start)


def pairs_of(
    rowptr: Array, columns: Array, row: int, matrix: CodeMatrix, parts: HeadParts
) -> Iterator[tuple[slice, Floats, Floats]]:
    """Entries, and the parts of their targets and sources ``[entries, heads, channels]``."""
    targets = np.repeat(np.arange(row, row + rowptr.size - 1), np.diff(rowptr))
    width = parts.heads * parts.channels
    for start, stop in parts_of(columns.size, 2 * matrix.width):
        ends = (targets, parts.targets), (columns, parts.sources)
        own, other = (
            take(matrix, rows[start:stop])[:, first : first + width].reshape(
                stop - start, parts.heads, parts.channels
            )
            for rows, first in ends
        )
        yield slice(start, stop), own, other


def parts_of(count: int, width: int) -> list[tuple[int, int]]:
    """Ranges of entries whose values are few enough to unpack at once."""
    size = max(1, _MAX_VALUES // max(width, 1))
    return [(start, min(start + size, count)) for start in range(0, count, size)]


def take(matrix: CodeMatrix, rows: Array) -> Floats:
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
        return values_of(matrix, bucket, stream, 0, rows.size)
    # A row starts inside a byte: gather the bytes it touches and shift its codes down.
    first, skip = np.divmod(rows.astype(np.int64) * bits, 8)
    span = (bits + 14) // 8
    octets = np.take(matrix.slice(bucket), first[:, None] + np.arange(span), mode="clip")
    digits = np.unpackbits(octets, axis=1, bitorder="little")
    digits = np.take_along_axis(digits, skip[:, None] + np.arange(bits), axis=1)
    weights = (1 << np.arange(matrix.bits[bucket])).astype(np.uint16)
    codes = digits.reshape(rows.size, matrix.width, -1) @ weights
    return matrix.ranges.values(codes, bucket)


def values_of(matrix: CodeMatrix, bucket: int, stream: Bytes, row: int, rows: int) -> Floats:
    """Values ``[rows, width]`` of consecutive rows in the bytes of a bucket."""
    bits, start, count = matrix.bits[bucket], row * matrix.width, rows * matrix.width
    shape = rows, matrix.width
    if bits == FULL_PRECISION:
        part = np.ascontiguousarray(stream[4 * start : 4 * (start + count)])
        return part.view("<f4").astype(np.float64).reshape(shape)
    codes = unpack_codes(stream, bits, count, start) if bits else np.zeros(count, np.uint8)
    return matrix.ranges.values(codes, bucket).reshape(shape)
