"""Loops over packed codes, as numba compiles them.

Arrays are pointers, so that the code needs nothing of numba once it is compiled. Where eight codes
are taken at once, lanes past the last column hold what follows in memory; they are not used.
Totals are fp64: sums do not depend on their order to any digit that could move a value across the
border between two codes.

A matrix of codes is its stream, the stream's size in bytes (at least 8), and a layout of six
numbers a bucket; see :attr:`~sgq_auto.packed.codes.code_matrix.CodeMatrix.layout`.
"""

from sgq_auto.packed.backends.kernels.attention import cosines, degree_weights, row_dots
from sgq_auto.packed.backends.kernels.decoding import decode_bitmap, decode_elias_fano
from sgq_auto.packed.backends.kernels.pairs import leaky_dots, pair_dots
from sgq_auto.packed.backends.kernels.picking import pick_bitmap, pick_elias_fano, take_values
from sgq_auto.packed.backends.kernels.products import bitmap_sums, code_sums, fill_tile
from sgq_auto.packed.backends.kernels.rounding import fake_quantize, quantize, read_values
from sgq_auto.packed.backends.kernels.statistics import row_extremes, squared_distances
from sgq_auto.packed.backends.kernels.sums import row_sums, weighted_sum

__all__ = [
    "bitmap_sums",
    "code_sums",
    "cosines",
    "decode_bitmap",
    "decode_elias_fano",
    "degree_weights",
    "fake_quantize",
    "fill_tile",
    "leaky_dots",
    "pair_dots",
    "pick_bitmap",
    "pick_elias_fano",
    "quantize",
    "read_values",
    "row_dots",
    "row_extremes",
    "row_sums",
    "squared_distances",
    "take_values",
    "weighted_sum",
]
