"""Some rows of coded patterns and matrices, each found from the block that it lies in."""

import numpy as np

from sgq_auto.packed.backends.kernels.decoding import row_bits
from sgq_auto.packed.backends.kernels.reading import (
    FIELDS,
    bucket_of,
    first_bit,
    lanes_at,
    word_at,
)
from sgq_auto.packed.backends.reals import multiply_add, spread
from sgq_auto.packed.backends.signatures import LANES
from sgq_auto.packed.backends.vectors import store_lanes
from sgq_auto.packed.backends.words import as_real, count_ones, trailing_zeros

_WINDOW = 56


def pick_elias_fano(
    high, high_size, low, low_size, low_bits, columns, rows, count, block_rows, entries, stops,
    rowptr, starts, out,
):  # fmt: skip
    """The columns of some rows of an Elias-Fano code, and which entry each row starts with.

    ``block_rows``, ``entries`` and ``stops`` are the first row, the first entry and one past the
    last entry of the block of each row.
    """
    mask = (np.uint64(1) << np.uint64(low_bits)) - np.uint64(1)
    window = (np.uint64(1) << np.uint64(_WINDOW)) - np.uint64(1)
    filled = 0
    rowptr[0] = 0
    for k in range(count):
        begin, entry, found = rows[k] * columns, entries[k], 0
        bit = (block_rows[k] * columns >> low_bits) + entry
        is_past = False
        while entry < stops[k] and not is_past:
            word = word_at(high, high_size, bit) & window
            # High parts are places less the entries before: no larger ones are in this window.
            if bit + _WINDOW - 1 - entry < begin >> low_bits:
                entry += count_ones(word)
                word = np.uint64(0)
            while word != 0 and not is_past:
                part = np.int64(word_at(low, low_size, entry * low_bits) & mask)
                position = ((bit + trailing_zeros(word) - entry) << low_bits) + part - begin
                is_past = position >= columns
                if 0 <= position < columns:
                    out[filled] = position
                    filled += 1
                    found += 1
                if not is_past:
                    entry += 1
                word &= word - np.uint64(1)
            bit += _WINDOW
        starts[k] = entry - found
        rowptr[k + 1] = filled


def pick_bitmap(bitmap, size, columns, rows, count, block_rows, entries, rowptr, starts, out):
    """The columns of some rows of a bitmap; see :func:`pick_elias_fano`."""
    filled = 0
    rowptr[0] = 0
    for k in range(count):
        entry, before = entries[k], (rows[k] - block_rows[k]) * columns
        for at in range(0, before, _WINDOW):
            entry += count_ones(row_bits(bitmap, size, block_rows[k] * columns, at, before))
        starts[k] = entry
        for column in range(0, columns, _WINDOW):
            word = row_bits(bitmap, size, rows[k] * columns, column, columns)
            while word != 0:
                out[filled] = column + trailing_zeros(word)
                word &= word - np.uint64(1)
                filled += 1
        rowptr[k + 1] = filled


def take_values(rows, count, stream, size, layout, width, out):
    """Values of some rows of a matrix; ``out`` has room for a multiple of eight."""
    bucket = 0
    for k in range(count):
        bucket = bucket_of(layout, rows[k], bucket)
        bits, bit = layout[FIELDS * bucket + 2], first_bit(layout, bucket, rows[k], width)
        step = spread(as_real(layout[FIELDS * bucket + 3]))
        offset = spread(as_real(layout[FIELDS * bucket + 4]))
        for c in range(0, width, LANES):
            lanes = lanes_at(stream, size, bit + c * bits, bits)
            store_lanes(out, k * width + c, multiply_add(offset, lanes, step))
