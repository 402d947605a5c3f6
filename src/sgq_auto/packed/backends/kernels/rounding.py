"""From codes to values and back."""

import numpy as np

from sgq_auto.packed.backends.kernels.reading import lanes_at
from sgq_auto.packed.backends.reals import multiply_add, nearest_codes, spread
from sgq_auto.packed.backends.signatures import LANES
from sgq_auto.packed.backends.unpacking import join_codes
from sgq_auto.packed.backends.vectors import load_lanes, store_lanes
from sgq_auto.packed.backends.words import store_word


def read_values(stream, size, bit, bits, count, step, offset, out):
    """Consecutive values of one bucket; ``out`` has room for a multiple of eight."""
    for k in range(0, count, LANES):
        lanes = lanes_at(stream, size, bit + k * bits, bits)
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
