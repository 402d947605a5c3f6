"""Weighted sums of rows of codes: what gathers along edges."""

import numpy as np

from sgq_auto.packed.backends.kernels.reading import FIELDS, bucket_of, first_bit, inlined, lanes_at
from sgq_auto.packed.backends.reals import multiply_add, spread, sum_lanes
from sgq_auto.packed.backends.signatures import LANES
from sgq_auto.packed.backends.unpacking import codes
from sgq_auto.packed.backends.vectors import add, load_lanes, store_lanes
from sgq_auto.packed.backends.words import as_real, load_word, prefetch

_CACHE_LINE = 64
# Codes that stay in a near cache by themselves.
_NEAR_BYTES = 1 << 18
# Rows between asking for what a row gathers and gathering it.
_AHEAD = 2


def weighted_sum(
    rowptr, rows, columns, weights, heads, stream, size, layout, width, start, count, out
):  # fmt: skip
    """Sums of ``count`` columns of weighted rows of codes, from column ``start`` on.

    ``out`` has room for sixteen values more.
    """
    channels = count // heads
    for k in range(rows):
        first, last = rowptr[k], rowptr[k + 1]
        if size > _NEAR_BYTES and k + _AHEAD < rows:
            # Rows lie anywhere: without asking ahead, each would be waited for.
            ahead = rowptr[k + _AHEAD], rowptr[k + _AHEAD + 1]
            _ask_for(columns, ahead, stream, layout, width, start, count)
        for h in range(heads):
            for c in range(0, channels, 2 * LANES):
                entries = columns, weights, heads, h, first, last
                column = start + h * channels + c
                left, right = _sum_row(entries, stream, size, layout, width, column)
                at = k * count + h * channels + c
                store_lanes(out, at, left)
                if channels - c > LANES:
                    store_lanes(out, at + LANES, right)


@inlined
def _sum_row(entries, stream, size, layout, width, column):
    """Weighted sums of sixteen columns of codes, a run of entries in one bucket after another."""
    columns, weights, heads, head, e, last = entries
    left, right, bucket = spread(0.0), spread(0.0), 0
    while e < last:
        bucket = bucket_of(layout, columns[e], bucket)
        begin, bits = layout[FIELDS * bucket], layout[FIELDS * bucket + 2]
        rows, whole_rows = layout[FIELDS * (bucket + 1)] - begin, layout[FIELDS * bucket + 5]
        base = 8 * layout[FIELDS * bucket + 1] + column * bits
        row_bits = width * bits
        one, two, total = spread(0.0), spread(0.0), 0.0
        while e < last and np.uint64(columns[e] - begin) < np.uint64(whole_rows):
            bit = base + (columns[e] - begin) * row_bits
            byte, shift = bit >> 3, np.uint64(bit & 7)
            weight = weights[e * heads + head]
            total += weight
            # Eight codes on, the bit of its byte is the same.
            first = codes(load_word(stream, byte) >> shift, bits)
            second = codes(load_word(stream, byte + bits) >> shift, bits)
            one = multiply_add(one, first, spread(weight))
            two = multiply_add(two, second, spread(weight))
            e += 1
        while e < last and whole_rows <= columns[e] - begin < rows:
            bit = base + (columns[e] - begin) * row_bits
            weight = weights[e * heads + head]
            total += weight
            one = multiply_add(one, lanes_at(stream, size, bit, bits), spread(weight))
            second = lanes_at(stream, size, bit + LANES * bits, bits)
            two = multiply_add(two, second, spread(weight))
            e += 1
        step = spread(as_real(layout[FIELDS * bucket + 3]))
        shift = spread(total * as_real(layout[FIELDS * bucket + 4]))
        left = add(multiply_add(left, one, step), shift)
        right = add(multiply_add(right, two, step), shift)
    return left, right


@inlined
def _ask_for(columns, entries, stream, layout, width, start, count):
    bucket = 0
    for entry in range(entries[0], entries[1]):
        bucket = bucket_of(layout, columns[entry], bucket)
        bits = layout[FIELDS * bucket + 2]
        byte = first_bit(layout, bucket, columns[entry], width) + start * bits >> 3
        end = byte + (count * bits >> 3)
        while byte <= end:
            prefetch(stream, byte)
            byte += _CACHE_LINE


def row_sums(rowptr, rows, values, out):
    """Sums over the entries of each row."""
    for k in range(rows):
        entry, end = rowptr[k], rowptr[k + 1]
        total, rest = spread(0.0), 0.0
        while entry + LANES <= end:
            total = multiply_add(total, load_lanes(values, entry), spread(1.0))
            entry += LANES
        while entry < end:
            rest += values[entry]
            entry += 1
        out[k] = sum_lanes(total) + rest
