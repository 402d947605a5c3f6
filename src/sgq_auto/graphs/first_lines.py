"""What stands in the first lines of a search of the task, the labels and the split."""

from collections.abc import Sequence

import numpy as np

from sgq_auto.graphs.labels.missing_labels import called_missing, unlabelled_setting
from sgq_auto.graphs.raw_graph import UNLABELLED, RawGraph, Split
from sgq_auto.task import Metric, Task

_MOST_CLASSES = 10


def first_lines(raw: RawGraph, split: Split) -> tuple[str, ...]:
    """Lines that say what was taken for the labels, and where the split is from."""
    if not raw.has_classes:
        labels = _numbers(raw) if raw.task is not Task.NODE_MULTILABEL else _label_counts(raw)
        lines: tuple[str, ...] = (f"{raw.name}: {labels}{_missing(raw)}",)
    else:
        lines = (f"{raw.name}: {_class_counts(raw)}{_missing(raw)}", *_suspects(raw))
    return (
        *_task(raw),
        *lines,
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
        f"{raw.class_name(k)} ({count:,}{f' {raw.unit}s' if k == 0 else ''})"
        for k, count in enumerate(counts[:_MOST_CLASSES])
    )
    more = counts.size - _MOST_CLASSES
    return f"classes {shown}" + (f" and {more:,} more" if more > 0 else "")


def _missing(raw: RawGraph) -> str:
    missing = int((~raw.labelled).sum())
    return f"; {missing:,} {raw.unit}s have no label" if missing else ""


def _task(raw: RawGraph) -> list[str]:
    """The task and the metric, where they are others than the accuracy of classes."""
    if (raw.task, raw.metric) == (Task.NODE_CLASSIFICATION, Metric.ACCURACY):
        return []
    if raw.task is None:
        return []
    others = ", ".join(each for each in raw.task.metrics if each is not raw.metric)
    return [f"{raw.name}: task={raw.task}, judged by metric={raw.metric} (others: {others})"]


def _label_counts(raw: RawGraph) -> str:
    """How many nodes have each label."""
    counts = np.nansum(raw.y, axis=0)
    shown = ", ".join(
        f"{raw.class_name(k)} ({int(count):,}{' nodes' if k == 0 else ''})"
        for k, count in enumerate(counts[:_MOST_CLASSES])
    )
    more = counts.size - _MOST_CLASSES
    each = np.nansum(raw.y) / max(1, int(raw.labelled.sum()))
    line = f"labels {shown}" + (f" and {more:,} more" if more > 0 else "")
    return f"{line}; a node has {each:.1f} on average"


def _numbers(raw: RawGraph) -> str:
    """Ranges of the numbers to predict."""
    low, high, mean = (f(raw.y, axis=0) for f in (np.nanmin, np.nanmax, np.nanmean))
    shown = ", ".join(
        f"{raw.class_name(k)} ({low[k]:.4g} to {high[k]:.4g}, mean {mean[k]:.4g})"
        for k in range(min(low.size, _MOST_CLASSES))
    )
    more = low.size - _MOST_CLASSES
    return f"numbers to predict {shown}" + (f" and {more:,} more" if more > 0 else "")


def outputs_counted(task: Task, count: int) -> str:
    """How wide a model's output is, in words: ``7 classes``, ``14 labels``, ``1 number``."""
    if task.is_classification:
        return f"{count} classes"
    kind = "number" if task.is_regression else "label"
    return f"{count} {kind}{'' if count == 1 else 's'}"


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
