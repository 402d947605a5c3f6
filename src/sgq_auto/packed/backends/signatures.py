"""The arguments of every compiled kernel, and the sizes of its scratch, told without numba.

``b``, ``n``, ``q``, ``d`` are pointers to uint8, int32, int64 and fp64; ``i`` is an int64 and ``f``
an fp64 number.
"""

import ctypes
from typing import Any

import numpy as np

from sgq_auto.packed.codes.bit_packing import Array

# Values of a vector: codes that one 64-bit word holds at up to 8 bits, whatever bit of a byte the
# first starts at, and integer totals.
LANES, COUNTERS = 8, 16
# Entries of an Elias-Fano code that are decoded at once.
POSITIONS = 256
# Groups of four columns whose sums are tabled at once, sixteen each: 28 KiB of them.
GROUPS, SUBSETS = 28, 16

SIGNATURES = {
    "decode_elias_fano": "b bii iiiiiii bq qn",
    "decode_bitmap": "bi iiii qn",
    "pick_elias_fano": "bi bii i qi qqq qqn",
    "pick_bitmap": "bi i qi qq qqn",
    "take_values": "ni biq i d",
    "read_values": "bi ii i ff d",
    "quantize": "di ff ii b",
    "fake_quantize": "di fff",
    "row_sums": "qi d d",
    "weighted_sum": "qi nd i biq i ii d",
    "row_extremes": "qi n f biq i d",
    "squared_distances": "qi n d biq i d",
    "code_sums": "qqi n biii ff ni d d d",
    "fill_tile": "bii iii n",
    "bitmap_sums": "bi iii bii i n n q",
    "row_dots": "ni biq i di d",
    "pair_dots": "qi n i biq i ii ii d d",
    "leaky_dots": "qi n i biq i ii df ii d d",
    "cosines": "qi n i biq i d d",
    "degree_weights": "qi n i bii d d",
}


_Memory = ctypes.c_char * 0


class _Pointer:
    """An argument that is given as a contiguous array and arrives as its address."""

    dtype: np.dtype[Any]

    @classmethod
    def from_param(cls, array: Array) -> Any:
        if array.dtype != cls.dtype or not array.flags.c_contiguous:
            raise TypeError(f"a kernel takes a contiguous array of {cls.dtype}, not {array.dtype}")
        # Several times faster than ``array.ctypes``, but for arrays that can be written only.
        if array.flags.writeable:
            return _Memory.from_buffer(array.data)
        return ctypes.c_void_p(array.ctypes.data)


class _Octets(_Pointer):
    dtype = np.dtype(np.uint8)


class _Integers(_Pointer):
    dtype = np.dtype(np.int32)


class _LongIntegers(_Pointer):
    dtype = np.dtype(np.int64)


class _Reals(_Pointer):
    dtype = np.dtype(np.float64)


_TYPES: dict[str, Any] = {
    "b": _Octets,
    "n": _Integers,
    "q": _LongIntegers,
    "d": _Reals,
    "i": ctypes.c_int64,
    "f": ctypes.c_double,
}


def c_function(name: str, address: int) -> Any:
    """A kernel at an address as a function of arrays and numbers; it runs without the GIL."""
    letters = SIGNATURES[name].replace(" ", "")
    return ctypes.CFUNCTYPE(None, *(_TYPES[letter] for letter in letters))(address)
