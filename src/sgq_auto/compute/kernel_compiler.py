"""How every kernel is compiled."""

import inspect
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np

from sgq_auto.files.file_ownership import is_beside_source, is_own, user_folder

Array = np.ndarray[Any, Any]

_PRIVATE = 0o700
_config: Any = numba.config

_logger = logging.getLogger(__name__)


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a kernel for the types it is first called with, and keep the code on disk.

    What numba keeps is a pickle, so only a folder that nobody else can write is good for it: the
    one beside the source, or the user's own. Without one, each process compiles anew.
    """
    options |= {"boundscheck": False, "error_model": "numpy", "nogil": True}

    def decorate(kernel: Callable[..., Any]) -> Callable[..., Any]:
        kept = _kept(kernel, options)
        if kept is None:
            kept = _kept_with_the_user(kernel, options)
        return numba.njit(**options)(kernel) if kept is None else kept

    return decorate


def _kept(kernel: Callable[..., Any], options: dict[str, Any]) -> Callable[..., Any] | None:
    """The kernel with a cache where numba puts it, if that is a safe place."""
    try:
        made = numba.njit(cache=True, **options)(kernel)
    except RuntimeError:  # No folder can be written.
        return None
    folder = Path(made.stats.cache_path)
    if _config.CACHE_DIR and str(_own_folder()) == _config.CACHE_DIR:
        folder.chmod(_PRIVATE)  # Numba made it as open as files are by default.
    return made if _is_safe(folder, Path(inspect.getfile(kernel))) else None


def _kept_with_the_user(
    kernel: Callable[..., Any], options: dict[str, Any]
) -> Callable[..., Any] | None:
    """The kernel with a cache in the user's own folder, if there is one."""
    folder = _own_folder()
    if folder is None:
        _say_once()
        return None
    before, _config.CACHE_DIR = _config.CACHE_DIR, str(folder)
    try:
        return _kept(kernel, options)
    finally:
        _config.CACHE_DIR = before


def _own_folder() -> Path | None:
    return user_folder("XDG_CACHE_HOME", ".cache")


@cache
def _is_safe(folder: Path, source: Path) -> bool:
    beside = folder == source.parent / "__pycache__"
    return is_beside_source(folder, source) if beside else is_own(folder)


@cache
def _say_once() -> None:
    _logger.warning(
        "every process compiles its kernels again, because no folder to keep them in belongs to "
        "this user alone; set XDG_CACHE_HOME to one that does"
    )
