"""How every kernel is compiled."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

Array = np.ndarray[Any, Any]


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a kernel for the types it is first called with, and keep the code on disk."""
    return numba.njit(cache=True, boundscheck=False, error_model="numpy", nogil=True, **options)
