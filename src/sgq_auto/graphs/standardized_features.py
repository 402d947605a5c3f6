"""Columns of node features brought to one size: measurements have units of their own.

Training moves all weights alike, and few bits are one range for all columns. So a column of large
numbers would hide the others from both.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw_graph import RawGraph, Split
from sgq_auto.packed.runtime.graphs.feature_scaling import FeatureScaling
from sgq_auto.settings.standardize import Standardize

# A largest column so many times the usual size, or so large itself, is scaled.
_UNEVEN = 10.0
# Columns with fewer values that are not 0 are counts: shifted, their zeros would have to be stored.
_FEWEST_NONZERO = 0.5
# Rows that are looked at together.
_ROWS = 1 << 14

Array = np.ndarray[Any, Any]


def standardized(
    raw: RawGraph, split: Split, wanted: Standardize, *, normalize_rows: bool
) -> tuple[RawGraph, FeatureScaling | None]:
    """A checked graph with its measured columns at mean 0 and standard deviation 1, if need be.

    Columns of 0 and 1 stay as they are. Means and deviations are those of all nodes of one graph,
    whose features are known; of many graphs, those of the ones that train.

    Args:
        raw: The graph.
        split: Says which graphs train.
        wanted: Whether to scale. ``AUTO`` does where the sizes of columns differ much, features
            are no sparse matrix and rows are not normalised.
        normalize_rows: Whether rows will be divided by their sums.

    Returns:
        The graph, with a note where its features are scaled, and what they are scaled by.

    Raises:
        InputError: If features shall be scaled that are a sparse matrix or whose rows are divided.
    """
    is_open = wanted is Standardize.AUTO
    if wanted is Standardize.OFF or (is_open and normalize_rows):
        return raw, None
    if normalize_rows:
        raise InputError("dataset.standardize=true: rows are divided by their sums; choose one")
    if not isinstance(raw.x, np.ndarray):
        if is_open:
            return raw, None
        raise InputError(
            f"{raw.name}: dataset.standardize=true: the features are a sparse matrix, whose zeros "
            "would no longer be 0"
        )
    trained = raw.x[_trained(raw, split)]
    columns = _Columns.of(trained)
    if is_open and not columns.differ:
        return raw, None
    measured = columns.measured if len(trained) == len(raw.x) else _Columns.of(raw.x).measured
    # A column that never changes becomes 0.
    factor = 1 / np.where(columns.std > 0, columns.std, 1)
    scaling = FeatureScaling.of_arrays(
        np.where(measured, columns.mean, 0), np.where(measured, factor, 1)
    )
    counted = f"{int(measured.sum()):,} of {measured.size:,} columns"
    note = (
        f"{raw.name}: {counted} of features are scaled to mean 0 and deviation 1, those of new "
        "nodes too (dataset.standardize=false leaves them as they are)"
    )
    return replace(raw, x=scaling.of(raw.x), notes=(*raw.notes, note)), scaling


def _trained(raw: RawGraph, split: Split) -> Any:
    """The rows of ``x`` that means and deviations are taken from."""
    if raw.graph_of_node is None:
        return slice(None)
    graphs = split.train if raw.predicts_graphs else raw.graph_of_node[split.train]
    return np.isin(raw.graph_of_node, graphs)


def sizes_differ(x: Array) -> bool:
    """Whether a measured column of ``[n, F]`` numbers is far larger than usual, or than 1.

    Binary columns count as one of size 1. Columns that are mostly 0 are counts, and left alone.
    """
    return _Columns.of(x).differ


@dataclass(frozen=True, eq=False)
class _Columns:
    """What is known of each column of ``[n, F]`` numbers, from one pass over them.

    Attributes:
        measured: ``bool [F]``, whether it has something else than 0 and 1.
        mean: ``float64 [F]``.
        std: ``float64 [F]``, 0 where it never changes.
        nonzero: ``[F]``, the share of values that are not 0.
    """

    measured: Array
    mean: Array
    std: Array
    nonzero: Array

    @classmethod
    def of(cls, x: Array) -> Self:
        """Look at some rows at a time: features may be large."""
        first = x[0].astype(np.float64)
        sums, squares, nonzero = (np.zeros(x.shape[1]) for _ in range(3))
        measured = np.zeros(x.shape[1], np.bool_)
        for start in range(0, len(x), _ROWS):
            part = x[start : start + _ROWS]
            measured |= ((part != 0) & (part != 1)).any(axis=0)
            nonzero += np.count_nonzero(part, axis=0)
            # From the first row, so that a large mean costs no digits.
            moved = part - first
            sums += moved.sum(axis=0)
            squares += np.square(moved).sum(axis=0)
        mean = sums / len(x)
        variance = np.maximum(squares / len(x) - mean**2, 0)
        return cls(measured, first + mean, np.sqrt(variance), nonzero / len(x))

    @property
    def differ(self) -> bool:
        """See :func:`sizes_differ`."""
        found = self.measured & (self.std > 0)
        if not found.any() or self.nonzero[found].mean() <= _FEWEST_NONZERO:
            return False
        sizes = np.hypot(self.mean, self.std)[found]
        if not self.measured.all():
            sizes = np.append(sizes, 1.0)
        usual = min(1.0, float(np.exp(np.log(sizes).mean())))
        return bool(sizes.max() > _UNEVEN * usual)
