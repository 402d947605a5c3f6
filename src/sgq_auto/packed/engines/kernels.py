"""Loops over packed codes, as numba compiles them.

Arrays are pointers, so that the code needs nothing of numba once it is compiled. Where eight codes
are taken at once, lanes past the last column hold what follows in memory; they are not used.
Totals are fp64: sums do not depend on their order to any digit that could move a value across the
border between two codes.

A matrix of codes is its stream, the stream's size in bytes (at least 8), and a layout of six
numbers a bucket; see :attr:`~sgq_auto.packed.code_matrix.CodeMatrix.layout`.
"""

import numba
import numpy as np

from sgq_auto.packed.engines.intrinsics import (
    COUNTERS,
    LANES,
    add_counters,
    add_integer,
    add_integers,
    add_lanes,
    as_real,
    code_counters,
    codes,
    count_below,
    count_ones,
    half_counters,
    join_codes,
    load_counters,
    load_integers,
    load_lanes,
    load_singles,
    load_word,
    multiply_add,
    nearest_codes,
    no_counters,
    prefetch,
    scale_counters,
    shift_integers,
    split_word,
    spread,
    spread_bytes,
    store_counters,
    store_integers,
    store_lanes,
    store_narrow,
    store_word,
    sum_lanes,
    trailing_zeros,
    wide_codes,
    wide_integers,
)

_SMALLEST_NORM = 1e-12
_CACHE_LINE = 64
# Codes that stay in a near cache by themselves.
_NEAR_BYTES = 1 << 18
# Rows between asking for what a row gathers and gathering it.
_AHEAD = 2
# Numbers of a layout that a bucket has.
_FIELDS = 6
# Entries of an Elias-Fano code that are decoded at once.
_POSITIONS = 256
# Groups of four columns whose sums are tabled at once: 28 KiB of them.
_GROUPS = 28

_inlined = numba.njit(forceinline=True, error_model="numpy")


@_inlined
def _word(stream, size, bit):
    """The bits of a stream from ``bit`` on, 57 of them or up to its end."""
    byte = min(bit >> 3, size - 8)
    return load_word(stream, byte) >> np.uint64(bit - 8 * byte)


@_inlined
def _lanes(stream, size, bit, bits):
    """Eight codes from ``bit`` on, or fp32 values."""
    if bits <= 8:
        return codes(_word(stream, size, bit), bits)
    if bits == 32:
        return load_singles(stream, size, bit >> 3)
    return wide_codes(stream, size, bit, bits)


@_inlined
def _bucket(layout, row, guess):
    """The bucket of a row, looked for from a guess on."""
    while row >= layout[_FIELDS * (guess + 1)]:
        guess += 1
    while row < layout[_FIELDS * guess]:
        guess -= 1
    return guess


@_inlined
def _first_bit(layout, bucket, row, width):
    """Where the codes of a row start."""
    within = row - layout[_FIELDS * bucket]
    return 8 * layout[_FIELDS * bucket + 1] + within * width * layout[_FIELDS * bucket + 2]


def decode_elias_fano(
    high, low, low_size, low_bits, first_bit, start, stop, columns, row, rows, loops,
    ranks, positions, rowptr, out,
):  # fmt: skip
    """Entries ``start .. stop - 1`` of an Elias-Fano code as CSR rows from ``row`` on.

    Eight entries at a time: the set bits of a byte are looked up in ``ranks``, low parts are added,
    and columns are written as long as they belong to one row. ``positions`` has room for
    ``_POSITIONS + 24``, ``out`` for eight more.
    """
    byte, cleared = first_bit >> 3, first_bit & 7
    filled, current, begin = 0, 0, row * columns
    rowptr[0] = 0
    if loops and rows > 0:
        out[0] = row
        filled = 1
    entry = start
    while entry < stop:
        count = 0
        while count < _POSITIONS and entry + count < stop:
            octet = np.int64(high[byte]) >> cleared << cleared
            cleared = 0
            ranked = spread_bytes(load_word(ranks, octet * LANES))
            store_integers(positions, count, add_integer(ranked, 8 * byte - entry - count))
            count += count_ones(np.uint64(octet))
            byte += 1
        count = min(count, stop - entry)
        for k in range(0, count if low_bits > 0 else 0, LANES):
            shifted = shift_integers(load_integers(positions, k), low_bits)
            added = _integers(low, low_size, (entry + k) * low_bits, low_bits)
            store_integers(positions, k, add_integers(shifted, added))
        k = 0
        while k < count:
            # A loop of its own, so that the next eight need not wait for how many these are.
            while k + LANES <= count and positions[k + LANES - 1] < begin + columns:
                store_narrow(out, filled, add_integer(load_integers(positions, k), -begin))
                filled += LANES
                k += LANES
            lanes = load_integers(positions, k)
            inside = min(count_below(lanes, begin + columns), count - k)
            store_narrow(out, filled, add_integer(lanes, -begin))
            filled += inside
            k += inside
            if inside < LANES and k < count:
                current += 1
                begin += columns
                rowptr[current] = filled
                if loops:
                    out[filled] = row + current
                    filled += 1
        entry += count
    while current < rows:
        current += 1
        rowptr[current] = filled
        if loops and current < rows:
            out[filled] = row + current
            filled += 1


@_inlined
def _integers(stream, size, bit, bits):
    """Eight packed integers of up to 57 bits."""
    if bits <= 8:
        return split_word(_word(stream, size, bit), bits)
    return wide_integers(stream, size, bit, bits)


def decode_bitmap(bitmap, size, columns, row, rows, loops, rowptr, out):
    """The set bits of a bitmap as CSR rows from ``row`` on."""
    filled = 0
    rowptr[0] = 0
    for current in range(rows):
        if loops:
            out[filled] = row + current
            filled += 1
        for column in range(0, columns, 56):
            word = _columns(bitmap, size, (row + current) * columns, column, columns)
            while word != 0:
                out[filled] = column + trailing_zeros(word)
                word &= word - np.uint64(1)
                filled += 1
        rowptr[current + 1] = filled


@_inlined
def _columns(bitmap, size, first, column, columns):
    """Up to 56 bits of a row of a bitmap, those past its end cleared."""
    word = _word(bitmap, size, first + column)
    return word & ((np.uint64(1) << np.uint64(min(56, columns - column))) - np.uint64(1))


def read_values(stream, size, bit, bits, count, step, offset, out):
    """Consecutive values of one bucket; ``out`` has room for a multiple of eight."""
    for k in range(0, count, LANES):
        lanes = _lanes(stream, size, bit + k * bits, bits)
        store_lanes(out, k, multiply_add(spread(offset), lanes, spread(step)))


def quantize(values, count, step, offset, bits, skip, packed):
    """Round values to codes and pack them from bit ``skip`` on; halves round to even.

    ``packed`` has room for eight bytes more.
    """
    top = np.float64((1 << bits) - 1)
    held, carry, byte, done = skip, np.uint64(0), 0, 0
    if bits <= 8:
        while done + LANES <= count:
            word = join_codes(nearest_codes(load_lanes(values, done), step, offset, top), bits)
            # At 8 bits nothing is carried: every code starts at a byte.
            store_word(packed, byte, carry | (word << np.uint64(skip)))
            carry = word >> np.uint64(min(8 * bits - skip, 63)) if skip > 0 else np.uint64(0)
            byte += bits
            done += LANES
    for k in range(done, count):
        code = min(max(np.rint((values[k] - offset) / step), 0.0), top)
        carry |= np.uint64(code) << np.uint64(held)
        held += bits
        while held >= 8:
            packed[byte] = np.uint8(carry & np.uint64(0xFF))
            carry >>= np.uint64(8)
            held -= 8
            byte += 1
    if held > 0:
        packed[byte] = np.uint8(carry & np.uint64(0xFF))


def fake_quantize(values, count, step, offset, top):
    """Round values to those of codes; there is room for a multiple of eight."""
    for k in range(0, count, LANES):
        lanes = nearest_codes(load_lanes(values, k), step, offset, top)
        store_lanes(values, k, multiply_add(spread(offset), lanes, spread(step)))


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


def weighted_sum(rowptr, rows, columns, weights, heads, stream, size, layout, width, out):
    """Sums of weighted rows of codes; ``out`` has room for sixteen values more."""
    channels = width // heads
    for k in range(rows):
        first, last = rowptr[k], rowptr[k + 1]
        if size > _NEAR_BYTES and k + _AHEAD < rows:
            # Rows lie anywhere: without asking ahead, each would be waited for.
            _ask_for(columns, rowptr[k + _AHEAD], rowptr[k + _AHEAD + 1], stream, layout, width)
        for h in range(heads):
            for c in range(0, channels, 2 * LANES):
                entries = columns, weights, heads, h, first, last
                left, right = _sum_row(entries, stream, size, layout, width, h * channels + c)
                at = k * width + h * channels + c
                store_lanes(out, at, left)
                if channels - c > LANES:
                    store_lanes(out, at + LANES, right)


@_inlined
def _sum_row(entries, stream, size, layout, width, column):
    """Weighted sums of sixteen columns of codes, a run of entries in one bucket after another."""
    columns, weights, heads, head, e, last = entries
    left, right, bucket = spread(0.0), spread(0.0), 0
    while e < last:
        bucket = _bucket(layout, columns[e], bucket)
        begin, bits = layout[_FIELDS * bucket], layout[_FIELDS * bucket + 2]
        rows, whole_rows = layout[_FIELDS * (bucket + 1)] - begin, layout[_FIELDS * bucket + 5]
        base = 8 * layout[_FIELDS * bucket + 1] + column * bits
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
            one = multiply_add(one, _lanes(stream, size, bit, bits), spread(weight))
            second = _lanes(stream, size, bit + LANES * bits, bits)
            two = multiply_add(two, second, spread(weight))
            e += 1
        step = spread(as_real(layout[_FIELDS * bucket + 3]))
        shift = spread(total * as_real(layout[_FIELDS * bucket + 4]))
        left = add_lanes(multiply_add(left, one, step), shift)
        right = add_lanes(multiply_add(right, two, step), shift)
    return left, right


def code_sums(
    rowptr, rows, columns, values, values_size, bit, value_bits, step, offset, tile, width,
    channels, out, sums,
):  # fmt: skip
    """Products of sparse rows, whose codes start at ``bit``, and a weight; and the rows' sums.

    ``tile`` is int32 ``[columns, width]``, the codes of the weight, its width padded to a multiple
    of sixteen like that of ``out`` and of the channels' steps and offsets ``[2, width]``. What is
    summed are integers; only the totals are scaled.
    """
    mask = (np.uint64(1) << np.uint64(value_bits)) - np.uint64(1)
    for k in range(rows):
        for c in range(0, width, COUNTERS):
            total = np.int64(0)
            weighted, single = no_counters(), no_counters()
            for e in range(rowptr[k], rowptr[k + 1]):
                word = _word(values, values_size, bit + e * value_bits) & mask
                row = load_counters(tile, columns[e] * width + c)
                total += np.int64(word)
                weighted = add_counters(weighted, scale_counters(row, np.int64(word)))
                single = add_counters(single, row)
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


@_inlined
def _ask_for(columns, first, last, stream, layout, width):
    bucket = 0
    for entry in range(first, last):
        bucket = _bucket(layout, columns[entry], bucket)
        byte = _first_bit(layout, bucket, columns[entry], width) >> 3
        end = byte + (width * layout[_FIELDS * bucket + 2] >> 3)
        while byte <= end:
            prefetch(stream, byte)
            byte += _CACHE_LINE


def bitmap_sums(
    bitmap, bitmap_size, columns, row, rows, stream, size, bits, width, table, totals, counts
):
    """Sums of the codes of a matrix's rows at the set bits of each row of a bitmap.

    Four columns have sixteen sums; they are tabled once, and looked up by four bits at a time.

    ``table`` has room for 16 x 16 counters a group, ``totals`` is ``[rows, width]`` with each row
    padded to a multiple of 16 and zero, ``counts`` is ``[rows]`` and zero.
    """
    padded = -(-width // COUNTERS) * COUNTERS
    for first in range(0, columns, 4 * _GROUPS):
        last = min(columns, first + 4 * _GROUPS)
        for lane in range(0, width, COUNTERS):
            for column in range(first, last, 4):
                at = (column - first) * 4 * COUNTERS
                _fill_table(stream, size, bits, width, column, last, lane, table, at)
            for k in range(rows):
                total = load_counters(totals, k * padded + lane)
                for column in range(first, last, 56):
                    word = _columns(bitmap, bitmap_size, (row + k) * columns, column, columns)
                    counts[k] += count_ones(word) if lane == 0 else 0
                    at = (column - first) * 4 * COUNTERS
                    while word != 0:
                        group = np.int64(word & np.uint64(15))
                        total = add_counters(total, load_counters(table, at + group * COUNTERS))
                        word >>= np.uint64(4)
                        at += 16 * COUNTERS
                store_counters(totals, k * padded + lane, total)


@_inlined
def _fill_table(stream, size, bits, width, column, last, lane, table, at):
    """The sums of every subset of four rows of codes."""
    store_counters(table, at, no_counters())
    for subset in range(1, 16):
        member = column + trailing_zeros(np.uint64(subset))
        rest = load_counters(table, at + (subset & (subset - 1)) * COUNTERS)
        if member < last:
            bit = (member * width + lane) * bits
            rest = add_counters(rest, code_counters(stream, size, bit, bits))
        store_counters(table, at + subset * COUNTERS, rest)


def row_dots(rows, count, stream, size, layout, width, vectors, heads, out):
    """Inner products of rows with one vector a head, padded with zeros to a multiple of eight."""
    channels = width // heads
    padded = -(-channels // LANES) * LANES
    bucket = 0
    for k in range(count):
        bucket = _bucket(layout, rows[k], bucket)
        bits, bit = layout[_FIELDS * bucket + 2], _first_bit(layout, bucket, rows[k], width)
        step = spread(as_real(layout[_FIELDS * bucket + 3]))
        offset = spread(as_real(layout[_FIELDS * bucket + 4]))
        for h in range(heads):
            dot = spread(0.0)
            for c in range(0, channels, LANES):
                lanes = _lanes(stream, size, bit + (h * channels + c) * bits, bits)
                values = multiply_add(offset, lanes, step)
                dot = multiply_add(dot, values, load_lanes(vectors, h * padded + c))
            out[k * heads + h] = sum_lanes(dot)


def cosines(rowptr, rows, columns, row, stream, size, layout, width, valid, left, out):
    """Cosines of rows with other rows.

    ``valid`` is 1 for a column and 0 for the padding to a multiple of eight; ``left`` is as long.
    """
    for k in range(rows):
        bucket = _bucket(layout, row + k, 0)
        length = 0.0
        for c in range(0, width, LANES):
            values = _valid_values(stream, size, layout, bucket, row + k, width, c, valid)
            store_lanes(left, c, values)
            length += sum_lanes(multiply_add(spread(0.0), values, values))
        length = max(np.sqrt(length), _SMALLEST_NORM)
        for entry in range(rowptr[k], rowptr[k + 1]):
            bucket = _bucket(layout, columns[entry], bucket)
            dot, norm = spread(0.0), spread(0.0)
            for c in range(0, width, LANES):
                values = _valid_values(
                    stream, size, layout, bucket, columns[entry], width, c, valid
                )
                dot = multiply_add(dot, values, load_lanes(left, c))
                norm = multiply_add(norm, values, values)
            other = max(np.sqrt(sum_lanes(norm)), _SMALLEST_NORM)
            out[entry] = sum_lanes(dot) / (length * other)


@_inlined
def _valid_values(stream, size, layout, bucket, row, width, column, valid):
    """Values of eight columns of a row, 0 past the last."""
    bits = layout[_FIELDS * bucket + 2]
    bit = _first_bit(layout, bucket, row, width) + column * bits
    step, offset = as_real(layout[_FIELDS * bucket + 3]), as_real(layout[_FIELDS * bucket + 4])
    values = multiply_add(spread(offset), _lanes(stream, size, bit, bits), spread(step))
    return multiply_add(spread(0.0), values, load_lanes(valid, column))


def degree_weights(rowptr, rows, columns, row, degrees, size, bits, table, out):
    """Products of what a table says of the degrees of both ends of each entry."""
    mask = (np.uint64(1) << np.uint64(bits)) - np.uint64(1)
    for k in range(rows):
        own = table[np.int64(_word(degrees, size, (row + k) * bits) & mask)]
        for entry in range(rowptr[k], rowptr[k + 1]):
            degree = _word(degrees, size, columns[entry] * bits) & mask
            out[entry] = own * table[np.int64(degree)]
