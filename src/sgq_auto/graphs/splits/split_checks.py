"""Whether a split can train, validate and test a model."""

import itertools

import numpy as np

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw_graph import RawGraph, Split
from sgq_auto.task import Metric, Task


def check_split(raw: RawGraph, split: Split) -> None:
    """Check that a split is disjoint, not empty, labelled, and trains every class.

    Raises:
        InputError: One line that names what is wrong.
    """
    parts = {"train": split.train, "val": split.val, "test": split.test}
    for name, nodes in parts.items():
        if nodes.size == 0:
            raise InputError(f"{raw.name}: the {name} split is empty; it must hold a {raw.unit}")
        unlabelled = nodes[~raw.labelled[nodes]]
        if unlabelled.size:
            raise InputError(
                f"{raw.name}: {raw.unit} {unlabelled[0]} of the {name} split has no label "
                f"({unlabelled.size} of its {nodes.size} have none); label them, or leave them out "
                "of the split"
            )
    for one, other in itertools.combinations(parts, 2):
        shared = np.intersect1d(parts[one], parts[other])
        if shared.size:
            raise InputError(
                f"{raw.name}: {raw.unit} {shared[0]} is in the {one} and the {other} split "
                f"({shared.size} {raw.unit}s are); they must be disjoint"
            )
    _check_taught(raw, split)
    _check_judged(raw, split)


def _check_judged(raw: RawGraph, split: Split) -> None:
    """Check that a metric which compares nodes finds some that differ."""
    compares = (Metric.ROC_AUC, Metric.AVERAGE_PRECISION, Metric.R2)
    for name, nodes in (("val", split.val), ("test", split.test)):
        labels = raw.y[nodes]
        if raw.metric in compares and (labels == labels[0]).all():
            raise InputError(
                f"{raw.name}: metric={raw.metric}: all nodes of the {name} split have the same "
                "labels, and so it says nothing; choose others"
            )


def _check_taught(raw: RawGraph, split: Split) -> None:
    """Check that the training nodes teach every class, label or number."""
    if not raw.has_classes:
        taught = raw.y[split.train]
        same = np.flatnonzero(taught.max(axis=0) == taught.min(axis=0))
        if same.size:
            label, value = raw.class_name(int(same[0])), taught[0, same[0]]
            what = f"number {label} is {value:g} on every training {raw.unit}"
            if raw.task is Task.NODE_MULTILABEL:
                what = f"{'every' if value else 'no'} training {raw.unit} has label {label}"
            raise InputError(
                f"{raw.name}: {what}; the training split must hold {raw.unit}s that differ in it"
            )
        return
    missing = np.setdiff1d(np.arange(raw.num_classes), raw.y[split.train])
    if missing.size:
        raise InputError(
            f"{raw.name}: class {raw.class_name(missing[0])} has no training {raw.unit}; the "
            f"training split must hold every one of the {raw.num_classes} classes"
            f"{raw.missing_hint(missing[0])}"
        )
