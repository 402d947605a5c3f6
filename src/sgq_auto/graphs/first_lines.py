"""What stands in the first lines of a search of the classes and the split of its graph."""

from collections.abc import Sequence

import numpy as np

from sgq_auto.graphs.missing_labels import called_missing, unlabelled_setting
from sgq_auto.graphs.raw_graph import UNLABELLED, RawGraph, Split

_MOST_CLASSES = 10


def first_lines(raw: RawGraph, split: Split) -> tuple[str, ...]:
    """Lines that say what was taken for the classes, and where the split is from."""
    return (
        f"{raw.name}: {_class_counts(raw)}",
        *_suspects(raw),
        f"{raw.name}: the split is {split.origin}",
    )


def listed(names: Sequence[str], most: int, rest: str = "more") -> str:
    """Names in quotes, so that none can steer a terminal, and how many more there are."""
    shown = ", ".join(map(repr, names[:most]))
    more = len(names) - most
    return f"{shown} and {more:,} {rest}" if more > 0 else shown


def _class_counts(raw: RawGraph) -> str:
    counts = np.bincount(raw.y[raw.y != UNLABELLED], minlength=raw.num_classes)
    shown = ", ".join(
        f"{raw.class_name(k)} ({count:,}{' nodes' if k == 0 else ''})"
        for k, count in enumerate(counts[:_MOST_CLASSES])
    )
    more = counts.size - _MOST_CLASSES
    line = f"classes {shown}" + (f" and {more:,} more" if more > 0 else "")
    missing = int((raw.y == UNLABELLED).sum())
    return f"{line}; {missing:,} nodes have no label" if missing else line


def _suspects(raw: RawGraph) -> list[str]:
    """A line of the classes that are called as missing values are."""
    names = called_missing(raw.class_names or ())
    if not names:
        return []
    called = "class" if len(names) == 1 else "classes"
    return [
        f"{raw.name}: {called} {listed(names, _MOST_CLASSES)} may mean that there is no label; if "
        f"so, {unlabelled_setting(names)}"
    ]
