"""Classes as arrays of numbers have them: shapes, whole floats, numbers that do not start at 0."""

from typing import Any

import numpy as np

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw_graph import UNLABELLED, IntArray

Names = tuple[str, ...] | None


def class_numbers(y: np.ndarray[Any, Any], name: str) -> tuple[IntArray, list[str]]:
    """Classes ``int64 [N]`` of an array ``[N]``, ``[N, 1]`` or ``[1, N]``, and what to say of it.

    Floats count where they are whole numbers; NaN is a node without a class.

    Raises:
        InputError: If it is of another shape, or holds what is no class.
    """
    if y.ndim == 2 and 1 in y.shape:
        y = y.ravel()
    if y.ndim == 2:
        one_hot = bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())
        hint = "; one class in each row is y.argmax(1)" if one_hot else ""
        raise InputError(
            f"{name}: y has shape {tuple(y.shape)}; a node has one class, [N] (multi-label "
            f"classification is not supported){hint}"
        )
    if y.dtype.kind in "biu":
        return y.astype(np.int64), []
    if y.dtype.kind != "f":
        raise InputError(f"{name}: y has dtype {y.dtype}; classes are integers")
    known = ~np.isnan(y)
    whole = np.where(known, y, UNLABELLED)
    if not (np.isfinite(whole).all() and (whole % 1 == 0).all()):
        raise InputError(
            f"{name}: y has dtype {y.dtype} and holds {whole[whole % 1 != 0][0]}; classes are "
            "integers (regression is not supported)"
        )
    missing = "" if known.all() else ", and NaN for no label"
    note = f"{name}: y is {y.dtype} of whole numbers: they are taken for classes{missing}"
    return whole.astype(np.int64), [note]


def numbered_from_0(y: IntArray, names: Names, name: str) -> tuple[IntArray, Names, list[str]]:
    """Classes without gaps from 0 on, what they are called, and what to say of it.

    Classes that start at 1, or that leave numbers out, keep their numbers as names. Nothing
    changes where names are given for every number.
    """
    used = np.unique(y[y != UNLABELLED])
    gapless = used.size == 0 or (used[0] == 0 and used[-1] == used.size - 1)
    if gapless or used[0] < 0 or (names is not None and len(names) != used.size):
        return y, names, []
    numbered = np.where(y == UNLABELLED, UNLABELLED, np.searchsorted(used, y)).astype(np.int64)
    called = names or tuple(str(k) for k in used)
    note = (
        f"{name}: y has {used.size:,} classes from {used[0]} to {used[-1]}; the search counts them "
        f"from 0, and calls them {'as class_names says' if names else 'by their numbers in y'}"
    )
    return numbered, called, [note]
