"""Labels as a source gives them, and as a task needs them: classes, several labels, or numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sgq_auto.errors import InputError
from sgq_auto.task import Metric, Task

Array = np.ndarray[Any, Any]
Names = tuple[str, ...] | None

# The class of a node whose class is not known, as PyG's datasets write it.
UNLABELLED = -1


@dataclass(frozen=True, eq=False)
class Numbers:
    """What labels are as numbers, where they may be classes or numbers.

    Attributes:
        values: ``float32 [N, T]``, NaN where a node has none.
        names: What the columns are called, if the source knows it.
    """

    values: Array
    names: Names = None


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels of a task.

    Attributes:
        task: The task.
        y: ``int64 [N]`` classes, :data:`UNLABELLED` where there is none; or ``float32 [N, K]``:
            0 or 1 for each label, or numbers, a row of NaN where a node has none.
        names: Names of classes, labels or numbers, where they are known.
    """

    task: Task
    y: Array
    names: Names

    @classmethod
    def of(
        cls,
        y: Array,
        names: Names,
        numbers: Numbers | None,
        task: Task | None,
        name: str,
        *,
        of_graphs: bool = False,
    ) -> "Labels":
        """Labels as a task needs them; what is plain is told from the labels.

        Args:
            y: ``[N]`` classes, or ``[N, K]`` labels or numbers.
            names: What classes, labels or numbers are called, if that is known.
            numbers: The same as numbers, where ``y`` may be both.
            task: The task; ``None`` tells it from the labels.
            name: What messages call the graph.
            of_graphs: Whether a row of labels is of a whole graph, not of a node.

        Raises:
            InputError: If the labels fit no task, not this one, or several.
        """
        if task is not None and task.predicts_graphs != of_graphs:
            rows = "whole graphs" if of_graphs else "the nodes of one graph"
            raise InputError(f"{name}: task={task}: the labels are of {rows}")
        if y.ndim == 1 and y.dtype.kind == "f" and _are_whole(y):
            numbers = numbers or Numbers(y.astype(np.float32)[:, None])
            y = np.where(np.isnan(y), UNLABELLED, y).astype(np.int64)
        is_classes = y.ndim == 1 and y.dtype.kind in "biu"
        y = y.astype(np.int64) if is_classes else _rows(y, name)
        wanted = task or _told(y, name, of_graphs=of_graphs)
        if wanted.is_classification:
            return cls(wanted, *_classes(y, names, wanted, name))
        if wanted.is_regression and is_classes:
            numbers = numbers or Numbers(_as_rows(y))
            return cls(wanted, numbers.values, numbers.names)
        if is_classes:
            return cls(wanted, _as_rows(y), None)
        return cls(wanted, y, names)


def is_labelled(y: Array) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """``bool [N]``: which rows of labels are known."""
    known = y != UNLABELLED if y.ndim == 1 else ~np.isnan(y).any(axis=1)
    return np.asarray(known, np.bool_)


def metric_for(task: Task, metric: Metric | None) -> Metric:
    """The metric of a task: the one that is asked for, or its usual one.

    Raises:
        InputError: If it does not belong to the task.
    """
    if metric is None:
        return task.metrics[0]
    if metric not in task.metrics:
        choices = ", ".join(task.metrics)
        raise InputError(f"metric={metric}: the task is {task}; choose one of {choices}")
    return metric


def labels_fault(task: Task, y: Array, names: Names, num_rows: int) -> str | None:
    """What is wrong with labels or numbers ``[N, K]``, as the rest of a line, or ``None``."""
    if y.ndim != 2 or y.shape[0] != num_rows or y.shape[1] == 0:
        return f"y has shape {y.shape}; it must be [{num_rows}, labels]"
    known = y[is_labelled(y)]
    if not known.size:
        return "y holds no label; some nodes must have one"
    if task.is_regression:
        return None if np.isfinite(known).all() else "y holds infinite values; numbers are finite"
    strange = known[(known != 0) & (known != 1)]
    if strange.size:
        return f"y holds {strange[0]:g}; task={task}: a node has a label (1) or not (0)"
    nobody = np.flatnonzero(known.max(axis=0) == 0)
    if nobody.size:
        return f"no node has label {named(names, int(nobody[0]))}; leave out what nobody has"
    return None


def named(names: Names, number: int) -> str:
    """What a class, a label or a number is called: its name in quotes, else its place."""
    return str(number) if names is None else repr(names[number])


def _are_whole(y: Array) -> bool:
    """Whether known values are whole numbers, so that they may be classes."""
    known = y[~np.isnan(y)]
    return bool(np.isfinite(known).all() and (known % 1 == 0).all())


def _rows(y: Array, name: str) -> Array:
    """Labels as ``float32 [N, K]``; a node has all of them or none."""
    if y.dtype.kind not in "biuf" or y.ndim not in (1, 2):
        raise InputError(f"{name}: y is {y.dtype} {y.shape}; give [N] classes, or [N, K] numbers")
    rows = y.astype(np.float32).reshape(y.shape[0], -1)
    missing = np.isnan(rows)
    part = np.flatnonzero(missing.any(axis=1) & ~missing.all(axis=1))
    if part.size:
        raise InputError(
            f"{name}: y of node {part[0]} is NaN in part ({part.size} nodes are so); a node has "
            "all of its values, or none"
        )
    return rows


def _as_rows(y: Array) -> Array:
    """Classes as one number each."""
    return np.where(y == UNLABELLED, np.nan, y).astype(np.float32)[:, None]


def _told(y: Array, name: str, *, of_graphs: bool) -> Task:
    """The task that labels are plainly of.

    Raises:
        InputError: If they may be of several.
    """
    classes, numbers = Task.NODE_CLASSIFICATION, Task.NODE_REGRESSION
    if of_graphs:
        classes, numbers = Task.GRAPH_CLASSIFICATION, Task.GRAPH_REGRESSION
    if y.ndim == 1:
        return classes
    known, shape = y[is_labelled(y)], tuple(y.shape)
    if y.shape[1] == 1 or not _are_whole(known):
        return numbers
    if not ((known == 0) | (known == 1)).all():
        raise InputError(
            f"{name}: y has shape {shape} and holds whole numbers; say what they are: "
            f"task={numbers}, or give one class a row, [N]"
        )
    if (known.sum(axis=1) == 1).all():
        several = "" if of_graphs else f", and task={Task.NODE_MULTILABEL} for several labels"
        raise InputError(
            f"{name}: y has shape {shape}, each row with one 1; say what it is: task={classes} for "
            f"one class in each row, which is y.argmax(1){several}"
        )
    if of_graphs:
        raise InputError(
            f"{name}: y has shape {shape}; several labels of a graph are not supported"
        )
    return Task.NODE_MULTILABEL


def _classes(y: Array, names: Names, task: Task, name: str) -> tuple[Array, Names]:
    """Classes of labels that may be numbers, or a row with one 1."""
    if y.ndim == 1:
        return y, names
    known = y[is_labelled(y)]
    one_hot = y.shape[1] > 1 and bool(
        ((known == 0) | (known == 1)).all() and (known.sum(axis=1) == 1).all()
    )
    if not one_hot:
        raise InputError(
            f"{name}: task={task}: y has shape {tuple(y.shape)} and is no class a row; classes are "
            "whole numbers [N], or rows with one 1"
        )
    return np.where(is_labelled(y), np.nan_to_num(y).argmax(axis=1), UNLABELLED), names
