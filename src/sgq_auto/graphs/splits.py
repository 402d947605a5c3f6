"""Seeded splits for graphs that come without one."""

from typing import Protocol

import numpy as np

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw import UNLABELLED, IntArray, RawGraph, Split


class Splitter(Protocol):
    """A way to split the nodes of a graph."""

    def split(self, raw: RawGraph) -> Split:
        """Training, validation and test nodes of ``raw``."""


class PublicSplit:
    """The split that comes with the dataset."""

    def split(self, raw: RawGraph) -> Split:
        """The dataset's own split."""
        if raw.split is None:
            raise InputError(
                f"{raw.name}: the data has no split of its own; "
                "give train_mask, val_mask and test_mask, or choose a seeded split"
            )
        return raw.split


class PerClassSplit:
    """The same number of training nodes for each class (Yang et al. 2016; Shchur et al. 2018).

    Nodes without a label are in no part.

    Args:
        train_per_class: Training nodes of each class.
        val_per_class: Validation nodes of each class; give this or ``num_val``.
        num_val: Validation nodes in all.
        num_test: Test nodes in all; ``None`` takes the rest.
        seed: Seed of the draw.
    """

    def __init__(
        self,
        train_per_class: int = 20,
        *,
        val_per_class: int | None = None,
        num_val: int | None = None,
        num_test: int | None = None,
        seed: int = 0,
    ) -> None:
        if (val_per_class is None) == (num_val is None):
            raise InputError("dataset.split: give one of val_per_class and num_val")
        sizes = [train_per_class, val_per_class, num_val, num_test]
        if any(size is not None and size < 1 for size in sizes):
            raise InputError("dataset.split: sizes must be at least 1")
        self.train_per_class = train_per_class
        self.val_per_class = val_per_class
        self.num_val = num_val
        self.num_test = num_test
        self.seed = seed

    def split(self, raw: RawGraph) -> Split:
        """Draw the split; the same seed draws the same nodes.

        Raises:
            InputError: If a class has too few nodes for it.
        """
        self._check_sizes(raw)
        order = np.random.default_rng(self.seed).permutation(raw.num_nodes)
        order = order[raw.y[order] != UNLABELLED]
        train = _first_of_each_class(raw, order, self.train_per_class)
        rest = order[~np.isin(order, train)]
        if self.val_per_class is not None:
            val = _first_of_each_class(raw, rest, self.val_per_class)
        else:
            val = rest[: self.num_val]
        test = rest[~np.isin(rest, val)][: self.num_test]
        return Split(*(np.sort(nodes).astype(np.int64) for nodes in (train, val, test)))

    def _check_sizes(self, raw: RawGraph) -> None:
        counts = np.bincount(raw.y[raw.y != UNLABELLED], minlength=raw.num_classes)
        rarest = int(counts.argmin())
        per_class = self.train_per_class + (self.val_per_class or 0)
        if counts[rarest] < per_class:
            sizes = f"dataset.split.train_per_class={self.train_per_class}"
            if self.val_per_class is not None:
                sizes += f" and dataset.split.val_per_class={self.val_per_class}"
            raise InputError(
                f"{raw.name}: class {raw.class_name(rarest)} has {counts[rarest]} labelled nodes; "
                f"{sizes} take {per_class} of each class: set fewer, or bring a split of your own"
            )


def _first_of_each_class(raw: RawGraph, order: IntArray, count: int) -> IntArray:
    labels = raw.y[order]
    return np.concatenate([order[labels == c][:count] for c in range(raw.num_classes)])


class OwnOrPerClassSplit(PerClassSplit):
    """The data's own split where it has one, and a seeded one where it has none."""

    def split(self, raw: RawGraph) -> Split:
        """The dataset's split, or a drawn one."""
        return raw.split if raw.split is not None else super().split(raw)
