"""Coded patterns as CSR rows."""

import numpy as np

from sgq_auto.packed.backends.integers import (
    add_integer,
    count_below,
    shift_integers,
    spread_bytes,
    store_narrow,
)
from sgq_auto.packed.backends.kernels.reading import inlined, word_at
from sgq_auto.packed.backends.signatures import LANES, POSITIONS
from sgq_auto.packed.backends.unpacking import split_word, wide_integers
from sgq_auto.packed.backends.vectors import add, load_integers, store_integers
from sgq_auto.packed.backends.words import count_ones, load_word, trailing_zeros


def decode_elias_fano(
    high, low, low_size, low_bits, first_bit, start, stop, columns, row, rows, loops,
    ranks, positions, rowptr, out,
):  # fmt: skip
    """Entries ``start .. stop - 1`` of an Elias-Fano code as CSR rows from ``row`` on.

    Eight entries at a time: the set bits of a byte are looked up in ``ranks``, low parts are added,
    and columns are written as long as they belong to one row. ``positions`` has room for
    ``POSITIONS + 24``, ``out`` for eight more.
    """
    byte, cleared = first_bit >> 3, first_bit & 7
    filled, current, begin = 0, 0, row * columns
    rowptr[0] = 0
    if loops and rows > 0:
        out[0] = row
        filled = 1
    entry = start
    while entry < stop:
        count, byte = _find_high_parts(high, byte, cleared, entry, stop, ranks, positions)
        cleared = 0
        if low_bits > 0:
            _add_low_parts(low, low_size, low_bits, entry, count, positions)
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
    _end_rows(current, filled, row, rows, loops, rowptr, out)


@inlined
def _find_high_parts(high, byte, cleared, entry, stop, ranks, positions):
    """High parts of entries from ``entry`` on: how many were found, and the byte after theirs.

    Of the first byte the lowest ``cleared`` bits belong to entries before.
    """
    count = 0
    while count < POSITIONS and entry + count < stop:
        octet = np.int64(high[byte]) >> cleared << cleared
        cleared = 0
        ranked = spread_bytes(load_word(ranks, octet * LANES))
        store_integers(positions, count, add_integer(ranked, 8 * byte - entry - count))
        count += count_ones(np.uint64(octet))
        byte += 1
    return min(count, stop - entry), byte


@inlined
def _add_low_parts(low, low_size, low_bits, entry, count, positions):
    """Make positions of ``count`` high parts, of which the first is that of ``entry``."""
    for k in range(0, count, LANES):
        shifted = shift_integers(load_integers(positions, k), low_bits)
        added = _integers(low, low_size, (entry + k) * low_bits, low_bits)
        store_integers(positions, k, add(shifted, added))


@inlined
def _end_rows(current, filled, row, rows, loops, rowptr, out):
    """End the row ``current`` and all after it, which have no entries but their loops."""
    while current < rows:
        current += 1
        rowptr[current] = filled
        if loops and current < rows:
            out[filled] = row + current
            filled += 1


@inlined
def _integers(stream, size, bit, bits):
    """Eight packed integers of up to 57 bits."""
    if bits <= 8:
        return split_word(word_at(stream, size, bit), bits)
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
            word = row_bits(bitmap, size, (row + current) * columns, column, columns)
            while word != 0:
                out[filled] = column + trailing_zeros(word)
                word &= word - np.uint64(1)
                filled += 1
        rowptr[current + 1] = filled


@inlined
def row_bits(bitmap, size, first, column, columns):
    """Up to 56 bits of a row of a bitmap, those past its end cleared."""
    word = word_at(bitmap, size, first + column)
    return word & ((np.uint64(1) << np.uint64(min(56, columns - column))) - np.uint64(1))
