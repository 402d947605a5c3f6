"""Compiled kernels whose arrays end, or begin, at a page that may not be touched.

Each array that a kernel is given is copied there and back, so that one byte beyond it ends the
process. Run them in a process of its own.
"""

import ctypes
import mmap
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from sgq_auto.packed.backends.compiled_engine import CompiledEngine
from sgq_auto.packed.backends.machine_code import Kernels, load_kernels
from sgq_auto.packed.backends.signatures import SIGNATURES

_PAGE = mmap.PAGESIZE
_NO_ACCESS = 0
# How many of the arrays of a kernel are written, counted from the last.
_WRITTEN = {
    "decode_elias_fano": 3,
    "decode_bitmap": 2,
    "pick_elias_fano": 3,
    "pick_bitmap": 3,
    "code_sums": 2,
    "bitmap_sums": 3,
    "cosines": 2,
}
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def guarded_engine(*, at_end: bool) -> CompiledEngine:
    """The compiled engine with a page that may not be touched beside every array.

    Args:
        at_end: Whether that page follows the array; else it comes before.
    """
    arenas = threading.local()
    kernels = load_kernels()
    guarded = {
        name: _guarded(getattr(kernels, name), name, arenas, at_end=at_end) for name in SIGNATURES
    }
    return CompiledEngine(Kernels(engine=kernels.engine, **guarded))


class _Region:
    """Memory of whole pages between two that may not be touched."""

    def __init__(self, num_bytes: int) -> None:
        size = -(-max(num_bytes, 1) // _PAGE) * _PAGE
        self._map = mmap.mmap(-1, size + 2 * _PAGE)
        whole = np.frombuffer(self._map, dtype=np.uint8)
        for guard in (whole.ctypes.data, whole.ctypes.data + _PAGE + size):
            if _LIBC.mprotect(guard, _PAGE, _NO_ACCESS):
                raise OSError(ctypes.get_errno(), "mprotect failed")
        self._free = whole[_PAGE : _PAGE + size]

    @property
    def num_bytes(self) -> int:
        return self._free.size

    def copy_of(self, array: np.ndarray, *, at_end: bool) -> np.ndarray:
        start = self.num_bytes - array.nbytes if at_end else 0
        held = self._free[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
        held[...] = array
        return held


def _guarded(kernel: Any, name: str, arenas: Any, *, at_end: bool) -> Callable[..., None]:
    def call(*arguments: Any) -> None:
        regions: dict[int, _Region] = arenas.__dict__.setdefault("regions", {})
        places = [k for k, given in enumerate(arguments) if isinstance(given, np.ndarray)]
        guarded = list(arguments)
        for place in places:
            array = arguments[place]
            assert array.flags.c_contiguous
            if place not in regions or regions[place].num_bytes < array.nbytes:
                regions[place] = _Region(array.nbytes)
            guarded[place] = regions[place].copy_of(array, at_end=at_end)
        kernel(*guarded)
        for place in places[-_WRITTEN.get(name, 1) :]:
            arguments[place][...] = guarded[place]

    return call
