"""What attention coefficients are made of."""

import numpy as np

from sgq_auto.packed.backends.kernels.reading import (
    FIELDS,
    bucket_of,
    first_bit,
    lanes_at,
    values_at,
    word_at,
)
from sgq_auto.packed.backends.reals import first_lanes, multiply_add, spread, sum_lanes
from sgq_auto.packed.backends.signatures import LANES
from sgq_auto.packed.backends.vectors import load_lanes, store_lanes
from sgq_auto.packed.backends.words import as_real

_SMALLEST_NORM = 1e-12


def row_dots(rows, count, stream, size, layout, width, vectors, heads, out):
    """Inner products of rows with one vector a head, padded with zeros to a multiple of eight."""
    channels = width // heads
    padded = -(-channels // LANES) * LANES
    bucket = 0
    for k in range(count):
        bucket = bucket_of(layout, rows[k], bucket)
        bits, bit = layout[FIELDS * bucket + 2], first_bit(layout, bucket, rows[k], width)
        step = spread(as_real(layout[FIELDS * bucket + 3]))
        offset = spread(as_real(layout[FIELDS * bucket + 4]))
        for h in range(heads):
            dot = spread(0.0)
            for c in range(0, channels, LANES):
                lanes = lanes_at(stream, size, bit + (h * channels + c) * bits, bits)
                values = first_lanes(multiply_add(offset, lanes, step), channels - c)
                dot = multiply_add(dot, values, load_lanes(vectors, h * padded + c))
            out[k * heads + h] = sum_lanes(dot)


def cosines(rowptr, rows, columns, row, stream, size, layout, width, left, out):
    """Cosines of rows with other rows; ``left`` has room for a row, in multiples of eight."""
    for k in range(rows):
        bucket = bucket_of(layout, row + k, 0)
        length = 0.0
        for c in range(0, width, LANES):
            values = values_at(stream, size, layout, bucket, row + k, width, c, width - c)
            store_lanes(left, c, values)
            length += sum_lanes(multiply_add(spread(0.0), values, values))
        length = max(np.sqrt(length), _SMALLEST_NORM)
        for entry in range(rowptr[k], rowptr[k + 1]):
            bucket = bucket_of(layout, columns[entry], bucket)
            dot, norm = spread(0.0), spread(0.0)
            for c in range(0, width, LANES):
                other = columns[entry]
                values = values_at(stream, size, layout, bucket, other, width, c, width - c)
                dot = multiply_add(dot, values, load_lanes(left, c))
                norm = multiply_add(norm, values, values)
            across = max(np.sqrt(sum_lanes(norm)), _SMALLEST_NORM)
            out[entry] = sum_lanes(dot) / (length * across)


def degree_weights(rowptr, rows, columns, row, degrees, size, bits, table, out):
    """Products of what a table says of the degrees of both ends of each entry."""
    mask = (np.uint64(1) << np.uint64(bits)) - np.uint64(1)
    for k in range(rows):
        own = table[np.int64(word_at(degrees, size, (row + k) * bits) & mask)]
        for entry in range(rowptr[k], rowptr[k + 1]):
            degree = word_at(degrees, size, columns[entry] * bits) & mask
            out[entry] = own * table[np.int64(degree)]
