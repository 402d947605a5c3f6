"""How every kernel is compiled."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

Array = np.ndarray[Any, Any]


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a kernel for the types it is first called with, and keep the code on disk."""
    options |= {"boundscheck": False, "error_model": "numpy", "nogil": True}

    def decorate(kernel: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return numba.njit(cache=True, **options)(kernel)
        except RuntimeError:  # No folder can be written: compiled anew in each process.
            return numba.njit(**options)(kernel)

    return decorate
