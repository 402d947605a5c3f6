"""What must hold of the labels and the task of a stored graph."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from sgq_auto.graphs.labels.labelled_nodes import LabelledNodes
from sgq_auto.graphs.labels.target_scale import TargetScale
from sgq_auto.graphs.store.unsound import demand
from sgq_auto.packed.artifact.output_header import class_names_fault
from sgq_auto.task import Task


def check_task(header: Mapping[str, Any]) -> None:
    """Check what a graph's header says of the task.

    Raises:
        UnsoundError: If it contradicts itself.
    """
    # Files from before there were other tasks do not have the entries.
    if "task" not in header:
        return
    task, metric, scale = (header.get(name) for name in ("task", "metric", "target_scale"))
    known = isinstance(task, str) and task in list(Task)
    demand(known, "task must be a task that this version knows")
    demand(metric in Task(str(task)).metrics, "metric must be one of its task")
    if scale is not None:
        listed = isinstance(scale, dict) and all(
            isinstance(scale.get(name), list) for name in ("mean", "std")
        )
        demand(listed, "target_scale must have a mean and a std, lists of numbers")
        fault = TargetScale(tuple(scale["mean"]), tuple(scale["std"])).fault(header["num_classes"])
        demand(fault is None, fault or "")


def check_class_names(header: Mapping[str, Any]) -> None:
    """Check the names of classes, labels or numbers in a graph's header.

    Raises:
        UnsoundError: If they are no names, or are of another number.
    """
    # Files from before classes had names do not have the entry.
    names = header.get("class_names")
    if names is not None:
        demand(isinstance(names, list), "class_names must be a list")
        fault = class_names_fault(names, header["num_classes"])
        demand(fault is None, f"class_names {fault}")


def check_labels(
    labels: LabelledNodes, name: str, num_nodes: int, num_classes: int, task: Task | None = None
) -> None:
    """Check labelled nodes: which they are, in order, and their labels.

    Args:
        labels: The nodes and their labels.
        name: What messages call them.
        num_nodes: Rows of what the model returns.
        num_classes: Its width.
        task: What is predicted; ``None`` where that is not at hand.

    Raises:
        UnsoundError: If types, shapes or ranges are wrong, or there are none.
    """
    nodes, classes = labels.nodes, labels.labels
    is_classes = classes.dtype == torch.int64 if task is None else task.is_classification
    good = nodes.dtype == torch.int64 and nodes.dim() == 1
    if is_classes:
        good &= classes.dtype == torch.int64 and classes.shape == nodes.shape
        demand(good, f"{name}: nodes and labels must be int64 [n]")
    else:
        width = classes.size(1) if task is None and classes.dim() == 2 else num_classes
        good &= classes.dtype == torch.float32 and classes.shape == (nodes.numel(), width)
        demand(good, f"{name}: nodes must be int64 [n], and labels float32 [n, {width}]")
    demand(nodes.numel() > 0, f"{name}: it has no node")
    inside = int(nodes.min()) >= 0 and int(nodes.max()) < num_nodes
    demand(inside, f"{name}: nodes must lie in 0 to {num_nodes - 1}")
    demand(bool((nodes.diff() > 0).all()), f"{name}: nodes must rise, none of them twice")
    if not is_classes:
        demand(bool(classes.isfinite().all()), f"{name}: labels must be finite")
        shares = bool(((classes == 0) | (classes == 1)).all())
        yes_or_no = task is None or task.is_regression or shares
        demand(yes_or_no, f"{name}: labels must be 0 or 1")
        return
    known = int(classes.min()) >= 0 and int(classes.max()) < num_classes
    demand(known, f"{name}: labels must lie in 0 to {num_classes - 1}")


def check_disjoint(parts: Mapping[str, LabelledNodes], num_nodes: int) -> None:
    """Check that no node is in two parts of a split.

    Raises:
        UnsoundError: If one is.
    """
    taken = np.zeros(num_nodes, bool)
    for name, part in parts.items():
        nodes = part.nodes.numpy()
        demand(not taken[nodes].any(), f"{name}: a node is in another part of the split too")
        taken[nodes] = True
