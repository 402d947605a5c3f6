"""A matrix of packed codes, degree bucket by degree bucket."""

import threading
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from sgq_auto.packed.allocation import FULL_PRECISION
from sgq_auto.packed.codes.bit_packing import Array, Bytes, pack_codes, packed_bytes
from sgq_auto.packed.codes.ranges import Floats, Ranges, to_fp32

Index = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CodeMatrix:
    """``[rows, width]`` codes; a bucket is a slice of rows with bits of its own, in whole bytes.

    Attributes:
        bucket_rows: Rows of each bucket.
        width: Columns.
        bits: Bits of a code in each bucket; 0 where all are 0, 32 for fp32 values.
        ranges: What the codes stand for.
        stream: The packed codes, bucket after bucket.
    """

    bucket_rows: tuple[int, ...]
    width: int
    bits: tuple[int, ...]
    ranges: Ranges
    stream: Bytes
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def empty(cls, bucket_rows: tuple[int, ...], width: int, ranges: Ranges) -> Self:
        """A matrix of zero codes at the bits of ``ranges``."""
        size = stream_bytes(bucket_rows, width, ranges.bits)
        return cls(bucket_rows, width, ranges.bits, ranges, np.zeros(size, dtype=np.uint8))

    def reused(self, ranges: Ranges) -> Self:
        """A matrix of zero codes of as many bits in the same memory, whose codes are lost.

        Args:
            ranges: What the new codes stand for.
        """
        if ranges.bits != self.bits:
            raise ValueError(
                f"codes of {ranges.bits} bits do not lie where those of {self.bits} do"
            )
        # Bytes that two writers share are joined from their bits, so old ones must not be there.
        self.stream[:] = 0
        return replace(self, ranges=ranges)

    @cached_property
    def row_starts(self) -> Index:
        """``[buckets + 1]``, first row of each bucket."""
        return np.concatenate(([0], np.cumsum(self.bucket_rows, dtype=np.int64)))

    @cached_property
    def _row_starts(self) -> list[int]:
        starts: list[int] = self.row_starts.tolist()
        return starts

    @cached_property
    def byte_starts(self) -> Index:
        """``[buckets + 1]``, first byte of each bucket."""
        counts = zip(self.bucket_rows, self.bits, strict=True)
        sizes = [packed_bytes(rows * self.width, bits) for rows, bits in counts]
        return np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))

    @cached_property
    def layout(self) -> Index:
        """``[buckets + 1, 6]``, what compiled kernels know of each bucket.

        First row, first byte, bits, the bits of step and offset as fp64 (1 and 0 of fp32 values),
        and how many of its rows can be read by whole words; the last row ends the last bucket.
        """
        rows = np.zeros((len(self.bits) + 1, 6), dtype=np.int64)
        rows[:, 0], rows[:, 1], rows[:-1, 2] = self.row_starts, self.byte_starts, self.bits
        rows[:-1, 3] = self.ranges.step.astype(np.float64).view(np.int64)
        rows[:-1, 4] = self.ranges.offset.astype(np.float64).view(np.int64)
        rows[:-1, 5] = [self._whole_rows(bucket) for bucket in range(len(self.bits))]
        return rows

    def _whole_rows(self, bucket: int) -> int:
        """Rows of a bucket whose 64-bit words, and those of eight codes past them, exist."""
        bits, rows = self.bits[bucket], self.bucket_rows[bucket]
        if bits == 0 or bits > 8 or self.width == 0:
            return 0
        # The last word of row r starts before bit (r + 1) * width * bits + 8 * bits.
        room = 8 * (self.stream.size - int(self.byte_starts[bucket]) - 8) - 8 * bits
        return min(rows, max(0, room // (self.width * bits)))

    def bucket_of(self, row: int) -> int:
        """The bucket that holds ``row``."""
        return bisect_right(self._row_starts, row) - 1

    def slice(self, bucket: int) -> Bytes:
        """The bytes of a bucket."""
        return self.stream[self.byte_starts[bucket] : self.byte_starts[bucket + 1]]

    def put(self, row: int, packed: Bytes, skip: int, count: int) -> None:
        """Write codes that are packed already.

        Args:
            row: First row.
            packed: Their bits, ``skip`` zero bits before them.
            skip: Bit of its byte at which the first code starts.
            count: Rows written; they lie in one bucket.
        """
        bucket = self.bucket_of(row)
        bits = self.bits[bucket] * self.width
        within = row - self._row_starts[bucket]
        first, start = divmod(within * bits, 8)
        end = (within + count) * bits % 8
        target = self.slice(bucket)[first : first + packed.size]
        if start != skip:
            raise ValueError(f"the codes start at bit {start} of a byte, not at bit {skip}")
        if skip == 0 and end == 0:
            target[:] = packed
            return
        # Neighbours that other threads write share the first and the last byte.
        target[1:-1] = packed[1:-1]
        with self._lock:
            target[0] |= packed[0]
            if packed.size > 1:
                target[-1] |= packed[-1]

    def first_bit(self, row: int) -> int:
        """Bit of the stream at which a row starts."""
        bucket = self.bucket_of(row)
        within = (row - self._row_starts[bucket]) * self.width
        return 8 * int(self.byte_starts[bucket]) + within * self.bits[bucket]


@dataclass(frozen=True, eq=False)
class PackedWeight:
    """A weight matrix ``[in, out]``, each output channel with a range of its own.

    Attributes:
        codes: Codes, or fp32 values, as one bucket.
        channels: The range of each output channel, which scales sums of codes.
    """

    codes: CodeMatrix
    channels: Ranges

    @property
    def bits(self) -> int:
        """Bits of a code."""
        return self.codes.bits[0]

    def scaled(self, sums: Floats, totals: Floats) -> Floats:
        """``x W``, from sums of codes weighted by rows of ``x`` and the totals of these rows."""
        sums *= self.channels.step
        sums += totals[:, None] * self.channels.offset
        return sums


def stream_bytes(bucket_rows: tuple[int, ...], width: int, bits: tuple[int, ...]) -> int:
    """Bytes of a matrix of codes."""
    return sum(packed_bytes(n * width, b) for n, b in zip(bucket_rows, bits, strict=True))


def pack_matrix(
    codes: Array, bucket_rows: tuple[int, ...], bits: tuple[int, ...], ranges: Ranges
) -> CodeMatrix:
    """Pack ``[rows, width]`` codes (values where ``bits`` is 32) bucket by bucket."""
    parts, start = [], 0
    for rows, width in zip(bucket_rows, bits, strict=True):
        part = codes[start : start + rows]
        if width == FULL_PRECISION:
            parts.append(np.ascontiguousarray(to_fp32(part)).view(np.uint8).ravel())
        elif width:
            parts.append(pack_codes(part.astype(np.int64), width))
        start += rows
    stream = np.concatenate([np.empty(0, np.uint8), *parts])
    return CodeMatrix(bucket_rows, codes.shape[1], bits, ranges, stream)
