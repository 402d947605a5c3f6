"""Reading packed words, lanes and layouts; what the kernels share."""

import numba
import numpy as np

from sgq_auto.packed.backends.reals import first_lanes, load_singles, multiply_add, spread
from sgq_auto.packed.backends.unpacking import codes, wide_codes
from sgq_auto.packed.backends.words import as_real, load_word

# Numbers of a layout that a bucket has.
FIELDS = 6

inlined = numba.njit(forceinline=True, error_model="numpy")


@inlined
def word_at(stream, size, bit):
    """The bits of a stream from ``bit`` on, 57 of them or up to its end."""
    byte = min(bit >> 3, size - 8)
    return load_word(stream, byte) >> np.uint64(bit - 8 * byte)


@inlined
def lanes_at(stream, size, bit, bits):
    """Eight codes from ``bit`` on, or fp32 values; lanes past the row may hold NaN."""
    if bits <= 8:
        return codes(word_at(stream, size, bit), bits)
    if bits == 32:
        return load_singles(stream, size, bit >> 3)
    return wide_codes(stream, size, bit, bits)


@inlined
def bucket_of(layout, row, guess):
    """The bucket of a row, looked for from a guess on."""
    while row >= layout[FIELDS * (guess + 1)]:
        guess += 1
    while row < layout[FIELDS * guess]:
        guess -= 1
    return guess


@inlined
def first_bit(layout, bucket, row, width):
    """Where the codes of a row start."""
    within = row - layout[FIELDS * bucket]
    return 8 * layout[FIELDS * bucket + 1] + within * width * layout[FIELDS * bucket + 2]


@inlined
def values_at(stream, size, layout, bucket, row, width, column, count):
    """Values of eight columns of a row, 0 past the first ``count``."""
    bits = layout[FIELDS * bucket + 2]
    bit = first_bit(layout, bucket, row, width) + column * bits
    step, offset = as_real(layout[FIELDS * bucket + 3]), as_real(layout[FIELDS * bucket + 4])
    values = multiply_add(spread(offset), lanes_at(stream, size, bit, bits), spread(step))
    return first_lanes(values, count)
