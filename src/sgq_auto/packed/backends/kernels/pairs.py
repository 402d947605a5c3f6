"""Scores of pairs of rows of one matrix: part of a target's row against part of a source's."""

from sgq_auto.packed.backends.kernels.reading import bucket_of, inlined, values_at
from sgq_auto.packed.backends.reals import leaky_lanes, multiply_add, spread, sum_lanes
from sgq_auto.packed.backends.signatures import LANES
from sgq_auto.packed.backends.vectors import add, load_lanes, store_lanes


def pair_dots(
    rowptr, rows, columns, row, stream, size, layout, width, left, right, heads, channels, own, out
):  # fmt: skip
    """Inner products, head by head, of part of row ``row + k`` and part of each entry's row.

    The parts start at columns ``left`` and ``right``. ``own`` has room for the channels of all
    heads, these in multiples of eight.
    """
    padded = -(-channels // LANES) * LANES
    for k in range(rows):
        _store_heads(stream, size, layout, row + k, width, left, heads, channels, own)
        bucket = 0
        for entry in range(rowptr[k], rowptr[k + 1]):
            other = columns[entry]
            bucket = bucket_of(layout, other, bucket)
            for h in range(heads):
                dot, first = spread(0.0), right + h * channels
                for c in range(0, channels, LANES):
                    count = channels - c
                    values = values_at(stream, size, layout, bucket, other, width, first + c, count)
                    dot = multiply_add(dot, values, load_lanes(own, h * padded + c))
                out[entry * heads + h] = sum_lanes(dot)


def leaky_dots(
    rowptr, rows, columns, row, stream, size, layout, width, left, right, vectors, slope, heads,
    channels, own, out,
):  # fmt: skip
    """Inner products of one vector a head with ``LeakyReLU(l + r)``; see :func:`pair_dots`.

    Vectors are padded with zeros to a multiple of eight.
    """
    padded = -(-channels // LANES) * LANES
    for k in range(rows):
        _store_heads(stream, size, layout, row + k, width, left, heads, channels, own)
        bucket = 0
        for entry in range(rowptr[k], rowptr[k + 1]):
            other = columns[entry]
            bucket = bucket_of(layout, other, bucket)
            for h in range(heads):
                dot, first = spread(0.0), right + h * channels
                for c in range(0, channels, LANES):
                    count, at = channels - c, h * padded + c
                    values = values_at(stream, size, layout, bucket, other, width, first + c, count)
                    sums = leaky_lanes(add(values, load_lanes(own, at)), slope)
                    dot = multiply_add(dot, sums, load_lanes(vectors, at))
                out[entry * heads + h] = sum_lanes(dot)


@inlined
def _store_heads(stream, size, layout, row, width, left, heads, channels, own):
    """The values of a row from column ``left`` on, each head filled up with zeros."""
    padded = -(-channels // LANES) * LANES
    bucket = bucket_of(layout, row, 0)
    for h in range(heads):
        for c in range(0, channels, LANES):
            column, count = left + h * channels + c, channels - c
            values = values_at(stream, size, layout, bucket, row, width, column, count)
            store_lanes(own, h * padded + c, values)
