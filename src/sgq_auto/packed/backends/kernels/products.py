"""Products of sparse features and a packed weight, by integer sums of its codes."""

import numpy as np

from sgq_auto.packed.backends.integers import half_counters, no_counters, scale_counters
from sgq_auto.packed.backends.kernels.decoding import row_bits
from sgq_auto.packed.backends.kernels.reading import inlined, word_at
from sgq_auto.packed.backends.reals import multiply_add, spread
from sgq_auto.packed.backends.signatures import COUNTERS, GROUPS, LANES
from sgq_auto.packed.backends.unpacking import code_counters
from sgq_auto.packed.backends.vectors import (
    add,
    load_counters,
    load_lanes,
    store_counters,
    store_lanes,
)
from sgq_auto.packed.backends.words import count_ones, trailing_zeros


def code_sums(
    rowptr, starts, rows, columns, values, values_size, bit, value_bits, step, offset, tile, width,
    channels, out, sums,
):  # fmt: skip
    """Products of sparse rows, whose codes start at ``bit``, and a weight; and the rows' sums.

    ``starts`` says which code each row starts with.

    ``tile`` is int32 ``[columns, width]``, the codes of the weight, its width padded to a multiple
    of sixteen like that of ``out`` and of the channels' steps and offsets ``[2, width]``. What is
    summed are integers; only the totals are scaled.
    """
    mask = (np.uint64(1) << np.uint64(value_bits)) - np.uint64(1)
    for k in range(rows):
        for c in range(0, width, COUNTERS):
            total = np.int64(0)
            weighted, single = no_counters(), no_counters()
            first = bit + (starts[k] - rowptr[k]) * value_bits
            for e in range(rowptr[k], rowptr[k + 1]):
                word = word_at(values, values_size, first + e * value_bits) & mask
                row = load_counters(tile, columns[e] * width + c)
                total += np.int64(word)
                weighted = add(weighted, scale_counters(row, np.int64(word)))
                single = add(single, row)
            count = np.float64(rowptr[k + 1] - rowptr[k])
            sums[k] = step * np.float64(total) + offset * count
            for half in range(2):
                at = c + half * LANES
                shift = multiply_add(spread(0.0), half_counters(single, half), spread(offset))
                scaled = multiply_add(shift, half_counters(weighted, half), spread(step))
                constant = multiply_add(
                    spread(0.0), load_lanes(channels, width + at), spread(sums[k])
                )
                scaled = multiply_add(constant, scaled, load_lanes(channels, at))
                store_lanes(out, k * width + at, scaled)


def fill_tile(stream, size, bits, rows, width, padded, tile):
    """The codes of a matrix as int32 ``[rows, padded]``."""
    for k in range(rows):
        for c in range(0, width, COUNTERS):
            row = code_counters(stream, size, (k * width + c) * bits, bits)
            store_counters(tile, k * padded + c, row)


def bitmap_sums(
    bitmap, bitmap_size, columns, row, rows, stream, size, bits, width, table, totals, counts
):
    """Sums of the codes of a matrix's rows at the set bits of each row of a bitmap.

    Four columns have sixteen sums; they are tabled once, and looked up by four bits at a time.

    ``table`` has room for 16 x 16 counters a group, ``totals`` is ``[rows, width]`` with each row
    padded to a multiple of 16 and zero, ``counts`` is ``[rows]`` and zero.
    """
    padded = -(-width // COUNTERS) * COUNTERS
    for first in range(0, columns, 4 * GROUPS):
        last = min(columns, first + 4 * GROUPS)
        for lane in range(0, width, COUNTERS):
            for column in range(first, last, 4):
                at = (column - first) * 4 * COUNTERS
                _fill_table(stream, size, bits, width, column, last, lane, table, at)
            for k in range(rows):
                total = load_counters(totals, k * padded + lane)
                for column in range(first, last, 56):
                    word = row_bits(bitmap, bitmap_size, (row + k) * columns, column, columns)
                    counts[k] += count_ones(word) if lane == 0 else 0
                    at = (column - first) * 4 * COUNTERS
                    while word != 0:
                        group = np.int64(word & np.uint64(15))
                        total = add(total, load_counters(table, at + group * COUNTERS))
                        word >>= np.uint64(4)
                        at += 16 * COUNTERS
                store_counters(totals, k * padded + lane, total)


@inlined
def _fill_table(stream, size, bits, width, column, last, lane, table, at):
    """The sums of every subset of four rows of codes."""
    store_counters(table, at, no_counters())
    for subset in range(1, 16):
        member = column + trailing_zeros(np.uint64(subset))
        rest = load_counters(table, at + (subset & (subset - 1)) * COUNTERS)
        if member < last:
            bit = (member * width + lane) * bits
            rest = add(rest, code_counters(stream, size, bit, bits))
        store_counters(table, at + subset * COUNTERS, rest)
