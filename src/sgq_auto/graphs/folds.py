"""Folds of many graphs: each is tested once, and another one validates meanwhile."""

from typing import Any

import numpy as np

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw_graph import UNLABELLED, IntArray, RawGraph, Split

Mask = np.ndarray[Any, np.dtype[np.bool_]]


class FoldSplit:
    """The data's own split where it has one, else folds of its graphs (Xu et al. 2019).

    One fold is tested, the one before it validates, and the others train. Graphs that have one
    class each are drawn class by class, so that all folds have their share of each.

    Args:
        folds: Number of folds.
        fold: The tested one, counted from 0.
        seed: Seed of the draw.
    """

    def __init__(self, folds: int = 10, fold: int = 0, seed: int = 0) -> None:
        if folds < 3:
            raise InputError(
                f"dataset.split.folds={folds}: it must be at least 3, one to test, one to validate "
                "and one to train"
            )
        if not 0 <= fold < folds:
            raise InputError(f"dataset.split.fold={fold}: the {folds} folds are 0 to {folds - 1}")
        self.folds, self.fold, self.seed = folds, fold, seed

    def split(self, raw: RawGraph) -> Split:
        """The data's split, or drawn folds.

        Returns:
            Numbers of graphs where whole graphs are predicted, else of all labelled nodes of these.

        Raises:
            InputError: If there are fewer graphs than folds, or a class has fewer graphs than that.
        """
        if raw.split is not None:
            return raw.split
        graphs = raw.num_graphs
        if graphs < self.folds:
            counted = "there is 1 graph" if graphs == 1 else f"there are {graphs} graphs"
            raise InputError(
                f"{raw.name}: dataset.split.folds={self.folds}: {counted}; give at most as many "
                "folds, or a split of your own"
            )
        fold_of_graph = self._drawn(raw)
        validating = (self.fold - 1) % self.folds
        wanted = (fold_of_graph != self.fold) & (fold_of_graph != validating)
        parts = [wanted, fold_of_graph == validating, fold_of_graph == self.fold]
        rows = [np.flatnonzero(self._of_rows(raw, part)).astype(np.int64) for part in parts]
        origin = (
            f"{self.folds} folds of the graphs (seed {self.seed}): fold {self.fold} is tested, "
            f"fold {validating} validates"
        )
        return Split(rows[0], rows[1], rows[2], origin)

    def _drawn(self, raw: RawGraph) -> IntArray:
        """``int64 [G]``, the fold of each graph."""
        order = np.random.default_rng(self.seed).permutation(raw.num_graphs)
        if raw.predicts_graphs and raw.has_classes:
            # Class by class, and dealt out in turn.
            order = order[np.argsort(raw.y[order], kind="stable")]
            counts = np.bincount(raw.y[raw.y != UNLABELLED])
            rarest = int(counts.argmin())
            if counts[rarest] < self.folds:
                raise InputError(
                    f"{raw.name}: class {raw.class_name(rarest)} has {counts[rarest]} graphs, and "
                    f"some of the {self.folds} folds would have none; set dataset.split.folds to "
                    "fewer"
                )
        folds = np.empty(raw.num_graphs, np.int64)
        folds[order] = np.arange(raw.num_graphs) % self.folds
        return folds

    @staticmethod
    def _of_rows(raw: RawGraph, graphs: Mask) -> Mask:
        """Which labelled rows of ``y`` belong to some of the graphs."""
        if raw.predicts_graphs or raw.graph_of_node is None:
            return raw.labelled & graphs
        return raw.labelled & graphs[raw.graph_of_node]
