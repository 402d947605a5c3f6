"""Seeded splits for graphs that come without one."""

from dataclasses import replace
from typing import Any

import numpy as np

from sgq_auto.errors import InputError
from sgq_auto.graphs.folds import FoldSplit
from sgq_auto.graphs.raw_graph import UNLABELLED, IntArray, RawGraph, Split
from sgq_auto.graphs.splits.partial_splits import completed_split, drawn_split


class PublicSplit:
    """The split that comes with the dataset, for results that compare with published ones."""

    def split(self, raw: RawGraph) -> Split:
        """The dataset's own split.

        Raises:
            InputError: If it has none.
        """
        if raw.split is None:
            raise InputError(
                f"{raw.name}: the data has no split of its own; "
                "give train_mask, val_mask and test_mask, or choose a seeded split"
            )
        return raw.split


class PerClassSplit:
    """The same number of training nodes for each class (Yang et al. 2016; Shchur et al. 2018).

    Nodes without a label are in no part. Where nodes have several labels, or numbers, there are no
    classes to draw from: 60 % of them train, 20 % validate, and 20 % are tested.

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
        if not raw.has_classes:
            return drawn_split(raw, self.seed)
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
        if not test.size:
            raise InputError(
                f"{raw.name}: the split that is drawn leaves no test node: {self._sizes} take "
                f"all {order.size:,} labelled nodes: set fewer, or bring a split of your own"
            )
        parts = [np.sort(nodes).astype(np.int64) for nodes in (train, val, test)]
        return Split(parts[0], parts[1], parts[2], self._origin())

    def _origin(self) -> str:
        val = (
            f"{self.val_per_class} validation nodes of each class"
            if self.val_per_class is not None
            else f"{self.num_val} validation nodes"
        )
        return f"drawn: {self.train_per_class} training nodes and {val} (seed {self.seed})"

    @property
    def _sizes(self) -> str:
        """The settings that say how many nodes train and validate."""
        train = f"dataset.split.train_per_class={self.train_per_class}"
        if self.val_per_class is not None:
            return f"{train} and dataset.split.val_per_class={self.val_per_class}"
        return f"{train} and dataset.split.num_val={self.num_val}"

    def _check_sizes(self, raw: RawGraph) -> None:
        counts = np.bincount(raw.y[raw.y != UNLABELLED], minlength=raw.num_classes)
        rarest = int(counts.argmin())
        per_class = self.train_per_class + (self.val_per_class or 0)
        if counts[rarest] < per_class:
            raise InputError(
                f"{raw.name}: class {raw.class_name(rarest)} has {counts[rarest]} labelled nodes; "
                f"{self._sizes} take {per_class} of each class: set fewer, or bring a split of "
                f"your own{raw.missing_hint(rarest)}"
            )


def _first_of_each_class(raw: RawGraph, order: IntArray, count: int) -> IntArray:
    labels = raw.y[order]
    return np.concatenate([order[labels == c][:count] for c in range(raw.num_classes)])


class OwnOrPerClassSplit(PerClassSplit):
    """The data's own split where it has one, and a seeded one where it has none.

    Parts that the data's split lacks are drawn (:func:`completed_split`). Of many graphs without a
    split, one of ten folds is tested (:class:`~sgq_auto.graphs.folds.FoldSplit`).

    Args:
        train_per_class: Training nodes of each class, where the split is drawn.
        column: Which of several splits that the data has, counted from 0.
        **sizes: The other arguments of :class:`PerClassSplit`.
    """

    def __init__(
        self, train_per_class: int = 20, *, column: int | None = None, **sizes: Any
    ) -> None:
        super().__init__(train_per_class, **sizes)
        self.column = column

    def split(self, raw: RawGraph) -> Split:
        """The dataset's split, or a drawn one.

        Raises:
            InputError: If there are several and none is chosen, or nothing can be drawn.
        """
        own = raw.split if self.column is None and not raw.splits else self._chosen(raw)
        if own is None and raw.graph_of_node is not None:
            return FoldSplit(seed=self.seed).split(raw)
        if own is None:
            return super().split(raw)
        return completed_split(raw, own, self.seed, self.val_per_class)

    def _chosen(self, raw: RawGraph) -> Split:
        splits = raw.splits or (() if raw.split is None else (raw.split,))
        if not splits:
            raise InputError(
                f"{raw.name}: dataset.split.column={self.column} chooses one of the data's splits, "
                "and it has none; leave the setting out, and one is drawn"
            )
        last = len(splits) - 1
        if self.column is None or not 0 <= self.column <= last:
            given = "" if self.column is None else f"dataset.split.column={self.column}: "
            raise InputError(
                f"{raw.name}: {given}the data has several splits ({splits[0].origin}); choose one "
                f"with dataset.split.column=0 (to {last}), or keep one in the data: mask[:, 0]"
            )
        chosen = splits[self.column]
        return replace(chosen, origin=f"{chosen.origin}, column {self.column} of 0 to {last}")
