"""Trees that predict accuracies, each prediction with its uncertainty."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.tree import ExtraTreeRegressor

Floats = NDArray[np.float64]

_TREES = 24
_SMALLEST_LEAF = 2
# Features that a split may choose from: half of them, as far as time allows.
_FEATURE_SHARE, _MOST_FEATURES = 0.5, 16
# How much of the variance between trees is the error of their mean: single trees err more than
# their mean does. Between 0.15 and 0.8 over the course of searches on four graphs.
_SHARE_OF_SPREAD = 0.25


@dataclass(frozen=True, eq=False)
class Forest:
    """Extremely randomised trees (Geurts et al. 2006) with a spread for every prediction.

    Attributes:
        trees: fitted trees of scikit-learn.
        residual_variance: Variance of a measurement around what the others predict for it.
    """

    trees: tuple[Any, ...]
    residual_variance: float

    @classmethod
    def fit(
        cls, x: Floats, y: Floats, seed: int, *, repeats: Floats | None = None, noise: float = 0.0
    ) -> "Forest":
        """Fit ``x [n, features]`` to ``y [n]``.

        Args:
            x: Features.
            y: What is predicted.
            seed: Seed of the splits.
            repeats: ``[n]`` measurements that each ``y`` is the mean of; ``None`` for one each.
            noise: Variance of one measurement, where it is known.
        """
        single = np.ascontiguousarray(x, dtype=np.float32)
        targets = np.ascontiguousarray(y, dtype=np.float64)[:, None]
        rng = np.random.RandomState(seed)
        features = max(1, min(_MOST_FEATURES, round(_FEATURE_SHARE * x.shape[1])))

        # Equal weights change nothing, and scikit-learn would check them for every tree.
        unequal = None if repeats is None or (repeats == repeats[0]).all() else repeats

        def grown() -> Any:
            tree = ExtraTreeRegressor(
                min_samples_leaf=min(_SMALLEST_LEAF, len(y)),
                max_features=features,
                random_state=rng,
            )
            return tree.fit(single, targets, unequal, check_input=False).tree_

        # One by one: a forest of scikit-learn spends more time on cloning its trees than on them.
        with sklearn.config_context(skip_parameter_validation=True, assume_finite=True):
            trees = tuple(grown() for _ in range(_TREES))
        weights = np.ones(len(y)) if repeats is None else repeats
        residuals = y - np.mean([_others(tree, single, y, weights) for tree in trees], axis=0)
        return cls(trees, max(float(np.mean(residuals**2)), noise))

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Means and standard deviations ``[n]`` of new measurements at ``x [n, features]``."""
        single = x.astype(np.float32)
        votes = np.array([tree.predict(single)[:, 0] for tree in self.trees])
        variance = _SHARE_OF_SPREAD * votes.var(axis=0) + self.residual_variance
        return votes.mean(axis=0), np.sqrt(variance)


def _others(tree: Any, x: NDArray[np.float32], y: Floats, weights: Floats) -> Floats:
    """What a tree would predict for each of its own rows from the rest of the row's leaf."""
    leaf = tree.apply(x)
    total = np.bincount(leaf, weights, minlength=tree.node_count)[leaf]
    rest = total - weights
    others = total * tree.value[leaf, 0, 0] - weights * y
    # A single row has no others: the only one there is.
    return np.where(rest > 0, others / np.where(rest > 0, rest, 1.0), y)
