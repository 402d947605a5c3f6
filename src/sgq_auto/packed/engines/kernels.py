"""Compiled loops over packed codes.

A row of codes is unpacked into a few bytes of scratch (8-bit rows are read where they are) and
used at once. Totals are fp64: sums do not depend on their order to any digit that could move a
value across the border between two codes.
"""

from functools import partial

import numpy as np

from sgq_auto.compiled import compiled as _compiled
from sgq_auto.packed.engines.intrinsics import (
    LANES,
    add_codes,
    load_real,
    load_word,
    prefetch,
    trailing_zeros,
)

_SMALLEST_NORM = 1e-12
_CACHE_LINE = 64
# Codes that stay in a near cache by themselves.
_NEAR_BYTES = 1 << 18
# Entries between asking for a row and using it.
_AHEAD = 8

# Nothing is allocated here, and counting references would cost more than the work.
compiled = partial(_compiled, _nrt=False)


@compiled()
def decode_elias_fano(
    high, low, low_bits, first_bit, start, stop, columns, row, loops, rowptr, out
):
    """Entries ``start .. stop - 1`` of an Elias-Fano code as CSR rows from ``row`` on."""
    mask = (np.uint64(1) << np.uint64(low_bits)) - np.uint64(1)
    bit, word_end = first_bit, (first_bit & ~7) + 64
    word = _word(high, bit)
    filled, end, last = 0, (row + 1) * columns, rowptr.size - 1
    rowptr[0] = 0
    current = 0
    if loops and last > 0:
        out[0] = row
        filled = 1
    for entry in range(start, stop):
        while word == 0:
            bit, word_end = word_end, word_end + 64
            word = _word(high, bit)
        zeros = trailing_zeros(word)
        # Twice, for a shift by 64 is none.
        word = (word >> np.uint64(zeros)) >> np.uint64(1)
        bit += zeros + 1
        position = (bit - 1 - entry) << low_bits
        if low_bits:
            position |= np.int64(_word(low, entry * low_bits) & mask)
        while position >= end:
            current += 1
            rowptr[current] = filled
            if loops:
                out[filled] = row + current
                filled += 1
            end += columns
        out[filled] = position - (end - columns)
        filled += 1
    while current < last:
        current += 1
        rowptr[current] = filled
        if loops and current < last:
            out[filled] = row + current
            filled += 1


@compiled()
def decode_bitmap(bitmap, columns, row, loops, rowptr, out):
    """The set bits of a bitmap as CSR rows from ``row`` on."""
    filled = 0
    rowptr[0] = 0
    for current in range(rowptr.size - 1):
        if loops:
            out[filled] = row + current
            filled += 1
        first = (row + current) * columns
        column = 0
        while column < columns:
            word = _word(bitmap, first + column)
            word &= (np.uint64(1) << np.uint64(min(56, columns - column))) - np.uint64(1)
            while word:
                out[filled] = column + trailing_zeros(word)
                word &= word - np.uint64(1)
                filled += 1
            column += 56
        rowptr[current + 1] = filled


@compiled()
def read_values(stream, start, first, bits, step, offset, out):
    """Consecutive values from code ``first`` of the bucket whose bytes begin at ``start``."""
    _unpack(stream, start, first, bits, out.size, out)
    for k in range(out.size):
        out[k] = out[k] * step + offset


@compiled()
def quantize(values, step, offset, bits, skip, packed):
    """Round values to codes and pack them from bit ``skip`` on; halves round to even."""
    top = np.float64((1 << bits) - 1)
    word, held, byte = np.uint64(0), skip, 0
    for value in values:
        code = min(max(np.rint((value - offset) / step), 0.0), top)
        word |= np.uint64(code) << np.uint64(held)
        held += bits
        while held >= 8:
            packed[byte] = np.uint8(word & np.uint64(0xFF))
            word >>= np.uint64(8)
            held -= 8
            byte += 1
    if held > 0:
        packed[byte] = np.uint8(word & np.uint64(0xFF))


@compiled(fastmath={"contract"})
def weighted_sum(
    rowptr,
    columns,
    weights,
    stream,
    row_starts,
    byte_starts,
    bits,
    steps,
    offsets,
    codes,
    totals,
    shifts,
    out,
):
    """Sums of weighted rows of codes."""
    width, heads = out.shape[1], weights.shape[1]
    channels = width // heads
    padded = -(-channels // LANES) * LANES
    is_far = stream.size > _NEAR_BYTES
    for k in range(out.shape[0]):
        shifts[:] = 0
        totals[:] = 0
        bucket = 0
        for entry in range(rowptr[k], rowptr[k + 1]):
            row = columns[entry]
            bucket = _bucket(row_starts, row, bucket)
            within, step, offset = row - row_starts[bucket], steps[bucket], offsets[bucket]
            start, b = byte_starts[bucket], bits[bucket]
            if is_far and entry + _AHEAD < columns.size:
                # Rows lie anywhere: without asking ahead, each would be waited for.
                ahead = columns[entry + _AHEAD]
                guess = _bucket(row_starts, ahead, bucket)
                size = width * bits[guess] >> 3
                first = byte_starts[guess] + (
                    (ahead - row_starts[guess]) * width * bits[guess] >> 3
                )
                for byte in range(first, first + size + 1, _CACHE_LINE):
                    prefetch(stream, byte)
            if b <= 8:
                first = 8 * start + within * width * b
                for h in range(heads):
                    weight = weights[entry, h] * step
                    for c in range(0, channels, LANES):
                        word = _word(stream, first + (h * channels + c) * b)
                        add_codes(totals, h * padded + c, word, np.uint64(b), weight)
            else:
                _unpack(stream, start, within * width, b, width, codes)
                for h in range(heads):
                    weight = weights[entry, h] * step
                    for c in range(channels):
                        totals[h * padded + c] += weight * codes[h * channels + c]
            for h in range(heads):
                shifts[h] += weights[entry, h] * offset
        for h in range(heads):
            for c in range(channels):
                out[k, h * channels + c] = totals[h * padded + c] + shifts[h]


@compiled(fastmath={"contract"})
def row_dots(rows, stream, row_starts, byte_starts, bits, steps, offsets, codes, vectors, out):
    """Inner products of rows with one vector a head."""
    heads, channels = vectors.shape
    bucket = 0
    for k in range(rows.size):
        bucket = _bucket(row_starts, rows[k], bucket)
        within = rows[k] - row_starts[bucket]
        _unpack(
            stream,
            byte_starts[bucket],
            within * codes.size,
            bits[bucket],
            codes.size,
            codes,
        )
        for h in range(heads):
            dot = 0.0
            for c in range(channels):
                value = codes[h * channels + c] * steps[bucket] + offsets[bucket]
                dot += value * vectors[h, c]
            out[k, h] = dot


@compiled(fastmath={"contract"})
def cosines(
    rowptr, columns, row, stream, row_starts, byte_starts, bits, steps, offsets, left, right, out
):
    """Cosines of rows with other rows."""
    width = left.size
    for k in range(rowptr.size - 1):
        bucket = _bucket(row_starts, row + k, 0)
        within = row + k - row_starts[bucket]
        _unpack(stream, byte_starts[bucket], within * width, bits[bucket], width, left)
        _normalize(left, steps[bucket], offsets[bucket])
        for entry in range(rowptr[k], rowptr[k + 1]):
            bucket = _bucket(row_starts, columns[entry], bucket)
            within = columns[entry] - row_starts[bucket]
            _unpack(stream, byte_starts[bucket], within * width, bits[bucket], width, right)
            _normalize(right, steps[bucket], offsets[bucket])
            dot = 0.0
            for c in range(width):
                dot += left[c] * right[c]
            out[entry] = dot


@compiled(inline="always")
def _normalize(codes, step, offset):
    """Turn codes into the direction of their values."""
    norm = 0.0
    for c in range(codes.size):
        codes[c] = codes[c] * step + offset
        norm += codes[c] * codes[c]
    norm = max(np.sqrt(norm), _SMALLEST_NORM)
    for c in range(codes.size):
        codes[c] /= norm


@compiled(inline="always")
def _bucket(row_starts, row, guess):
    """The bucket of a row, looked for from a guess on."""
    while row >= row_starts[guess + 1]:
        guess += 1
    while row < row_starts[guess]:
        guess -= 1
    return guess


@compiled(inline="always")
def _unpack(stream, start, first, bits, count, codes):
    """Codes from ``first`` on of the bucket whose bytes begin at ``start``, or fp32 values."""
    if bits == 32:
        for c in range(count):
            codes[c] = load_real(stream, start + 4 * (first + c))
    else:
        _unpack_codes(stream, start, first, bits, count, codes)


@compiled(inline="always")
def _unpack_codes(stream, start, first, bits, total, codes):
    """Codes of up to 16 bits each."""
    mask = (np.uint64(1) << np.uint64(bits)) - np.uint64(1)
    bit = 8 * start + first * bits
    done = 0
    while done < total:
        word = _word(stream, bit)
        count = min(57 // bits, total - done)
        for k in range(count):
            codes[done + k] = np.float64((word >> np.uint64(k * bits)) & mask)
        done += count
        bit += count * bits


@compiled(inline="always")
def _word(stream, bit):
    """The bits of a stream from ``bit`` on, at least 57 of them; zeros beyond its end."""
    byte = bit >> 3
    word = np.uint64(0)
    if byte + 8 <= stream.size:
        word = load_word(stream, byte)
    else:
        for k in range(stream.size - byte):
            word |= np.uint64(stream[byte + k]) << np.uint64(8 * k)
    return word >> np.uint64(bit & 7)
