"""Labels as arrays of numbers have them: shapes, whole floats, numbers that do not start at 0."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sgq_auto.errors import InputError
from sgq_auto.graphs.labels.label_kinds import Numbers
from sgq_auto.graphs.raw_graph import UNLABELLED, IntArray

Names = tuple[str, ...] | None


@dataclass(frozen=True, eq=False)
class GivenLabels:
    """Labels of an array.

    Attributes:
        y: ``int64 [N]`` classes; or ``float32 [N, K]`` labels or numbers, NaN where unknown.
        names: What classes, labels or numbers are called.
        numbers: What classes are as numbers.
        notes: What to say of it, a line each.
    """

    y: Any
    names: Names
    numbers: Numbers | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, y: np.ndarray[Any, Any], names: Names, where: str, name: str) -> "GivenLabels":
        """From an array ``[N]``, ``[N, 1]``, ``[1, N]`` or ``[N, K]`` of numbers.

        Args:
            y: The array.
            names: Names that came with it.
            where: What messages about the array call its file.
            name: What the graph is called.

        Raises:
            InputError: If it holds no numbers.
        """
        if y.ndim == 2 and 1 in y.shape:
            y = y.ravel()
        if y.dtype.kind not in "biuf" or y.ndim not in (1, 2):
            raise InputError(
                f"{where}: y has dtype {y.dtype} {tuple(y.shape)}; it must be [N] whole numbers, "
                "which are classes, or [N, K] numbers"
            )
        if y.ndim == 2 or not _are_classes(y):
            return cls(y.astype(np.float32).reshape(y.shape[0], -1), names, None, ())
        numbers = Numbers(y.astype(np.float32)[:, None])
        classes, of_y = class_numbers(y, where)
        classes, called, of_numbers = numbered_from_0(classes, names, name)
        return cls(classes, called, numbers, (*of_y, *of_numbers))


def _are_classes(y: np.ndarray[Any, Any]) -> bool:
    """Whether values ``[N]`` are whole numbers, or none."""
    if y.dtype.kind != "f":
        return True
    known = y[~np.isnan(y)]
    return bool(np.isfinite(known).all() and (known % 1 == 0).all())


def class_numbers(y: np.ndarray[Any, Any], name: str) -> tuple[IntArray, list[str]]:
    """Classes ``int64 [N]`` of whole numbers ``[N]``, and what to say of it.

    NaN is a node without a class.
    """
    if y.dtype.kind in "biu":
        return y.astype(np.int64), []
    known = ~np.isnan(y)
    whole = np.where(known, y, UNLABELLED)
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
