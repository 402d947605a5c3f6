"""Sparsity patterns that stay coded: any block of rows is decoded when it is needed."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sgq_auto.packed.codes.bit_packing import Array, Bytes
from sgq_auto.packed.codes.elias_fano import EliasFano

# Rows between two entries of the index into a coded pattern. A multiple of 8, so that a block of
# rows of any width and bits ends on a whole byte.
ROW_BLOCK = 64
# Blocks between two that are wanted, which are decoded with them: less work than another call.
_NEAR_BLOCKS = 4


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of one bucket: whole blocks of them, or a part of such.

    Attributes:
        bucket: Their bucket.
        row: The first row.
        stop: One past the last row.
        block: The first block.
        last_block: One past the last block.
        whole: The whole blocks that it is a part of; ``None`` where it is whole.
        skipped: Entries of these, as they were decoded, before its own.
    """

    bucket: int
    row: int
    stop: int
    block: int
    last_block: int
    whole: "Chunk | None" = None
    skipped: int = 0

    @property
    def blocks(self) -> "Chunk":
        """Whole blocks, which is what coded patterns are decoded by."""
        return self if self.whole is None else self.whole

    def part(self, first: int, last: int, skipped: int = 0) -> "Chunk":
        """Its rows from the ``first`` on, up to ``last``; it must be whole."""
        rows = self.row + first, self.row + last
        return Chunk(self.bucket, *rows, self.block, self.last_block, self, skipped)

    def rows_from(self, first: int, last: int) -> "Chunk":
        """Its rows from the ``first`` on, up to ``last``, to read but their edges' coefficients."""
        rows = self.row + first, self.row + last
        return Chunk(self.bucket, *rows, self.block, self.last_block, self.blocks)

    def own(self, rowptr: Array, columns: Array) -> tuple[Array, Array, int]:
        """Of the entries of its whole blocks its own, and how many come before them."""
        if self.whole is None:
            return rowptr, columns, 0
        first = self.row - self.whole.row
        part = rowptr[first : first + self.num_rows + 1]
        return part - part[0], columns[part[0] : part[-1]], int(part[0])

    @property
    def num_rows(self) -> int:
        """How many rows."""
        return self.stop - self.row


@dataclass(frozen=True, eq=False)
class EliasFanoRows:
    """Entries as Elias-Fano coded positions ``row * columns + column``."""

    layout: EliasFano
    columns: int
    high: Bytes
    low: Bytes
    block_starts: Array

    @property
    def num_bytes(self) -> int:
        """Bytes of the code."""
        return self.high.nbytes + self.low.nbytes

    def coordinates(self) -> tuple[Array, Array]:
        """Rows and columns of all entries ``int64 [entries]``, in order; for what is done once."""
        parts = [np.empty(0, np.int64), *self.layout.decode_all(self.high, self.low)]
        row, column = np.divmod(np.concatenate(parts), self.columns)
        return row, column

    def first_bit(self, chunk: Chunk) -> int:
        """Where the entries of a chunk start in the bitmap."""
        high = chunk.row * self.columns >> self.layout.low_bits
        return high + int(self.block_starts[chunk.block])


@dataclass(frozen=True, eq=False)
class BitmapRows:
    """Entries as set bits of a bitmap ``[rows * columns]``."""

    columns: int
    bitmap: Bytes
    block_starts: Array

    @property
    def num_bytes(self) -> int:
        """Bytes of the code."""
        return self.bitmap.nbytes


@dataclass(frozen=True, eq=False)
class ListedRows:
    """Entries as plain CSR, for what is predicted once: coding it would cost more than it saves.

    Attributes:
        columns: Number of columns.
        rowptr: ``int64 [rows + 1]``.
        listed: ``int32 [entries]``, the column of each entry.
        starts: ``int64 [rows]``, which stored value the entries of each row start with.
        block_starts: ``[blocks + 1]``, entries before each block.
    """

    columns: int
    rowptr: Array
    listed: Array
    starts: Array
    block_starts: Array

    def entries(self, chunk: Chunk, *, loops: bool) -> tuple[Array, Array]:
        """The entries of a chunk of rows, as an engine decodes those of a coded pattern."""
        rowptr, listed = self._with_loops if loops else (self.rowptr, self.listed)
        part = rowptr[chunk.row : chunk.stop + 1]
        return part - part[0], listed[part[0] : part[-1]]

    def picked(self, rows: Array) -> tuple[Array, Array]:
        """The entries of some rows as CSR."""
        counts = self.rowptr[rows + 1] - self.rowptr[rows]
        rowptr = np.concatenate(([0], np.cumsum(counts)))
        return rowptr, self.listed[listed_rows(rowptr, self.rowptr[rows])]

    @cached_property
    def _with_loops(self) -> tuple[Array, Array]:
        rowptr = self.rowptr + np.arange(self.rowptr.size)
        listed = np.empty(int(rowptr[-1]), dtype=np.int32)
        own = np.zeros(listed.size, dtype=bool)
        own[rowptr[:-1]] = True
        listed[own], listed[~own] = np.arange(rowptr.size - 1), self.listed
        return rowptr, listed


def listed_rows(rowptr: Array, starts: Array) -> Array:
    """``int32 [entries]``: entry ``k`` of row ``r`` is ``starts[r] + k``."""
    rows: Array = np.repeat(starts - rowptr[:-1], np.diff(rowptr)) + np.arange(rowptr[-1])
    return rows.astype(np.int32)


@dataclass(frozen=True)
class Blocks:
    """How the rows of a graph are cut into blocks: each bucket, every :data:`ROW_BLOCK` rows."""

    bucket_rows: tuple[int, ...]

    @cached_property
    def rows(self) -> Array:
        """``int64 [blocks + 1]``, the first row of each block."""
        ends = np.concatenate(([0], np.cumsum(self.bucket_rows, dtype=np.int64)))
        parts = [np.arange(a, b, ROW_BLOCK) for a, b in itertools.pairwise(ends)]
        return np.concatenate([*parts, ends[-1:]])

    @cached_property
    def buckets(self) -> Array:
        """``int64 [blocks]``, the bucket of each block."""
        return np.searchsorted(np.cumsum(self.bucket_rows), self.rows[:-1], side="right")

    def starts(self, row_counts: Array) -> Array:
        """``uint32 [blocks + 1]``, entries before each block, from the entries of each row."""
        before = np.concatenate(([0], np.cumsum(row_counts, dtype=np.int64)))
        return before[self.rows].astype(np.uint32)

    def chunks_of(self, rows: Array) -> Iterator[tuple[Chunk, slice]]:
        """Runs of blocks that hold some increasing rows, and which of the rows each run holds.

        A run may span buckets, and a few blocks that hold none of the rows.
        """
        blocks = np.searchsorted(self.rows, rows, side="right") - 1
        cuts = np.flatnonzero(np.diff(blocks) > _NEAR_BLOCKS) + 1
        for first, last in itertools.pairwise([0, *cuts.tolist(), rows.size]):
            if last > first:
                block, end = int(blocks[first]), int(blocks[last - 1]) + 1
                bucket, start = int(self.buckets[block]), int(self.rows[block])
                yield Chunk(bucket, start, int(self.rows[end]), block, end), slice(first, last)

    def chunks(self, block_costs: Sequence[int] | Array, limit: int) -> Iterator[Chunk]:
        """Runs of blocks inside a bucket that cost at most ``limit`` (or one block).

        Args:
            block_costs: ``[blocks + 1]`` running total of what blocks cost.
            limit: Largest cost of a chunk.
        """
        block = 0
        costs = np.asarray(block_costs, dtype=np.int64)
        for bucket, rows in enumerate(self.bucket_rows):
            end = block - (-rows // ROW_BLOCK)
            while block < end:
                fits = int(np.searchsorted(costs, costs[block] + limit, side="right")) - 1
                last = min(max(fits, block + 1), end)
                yield Chunk(bucket, int(self.rows[block]), int(self.rows[last]), block, last)
                block = last
