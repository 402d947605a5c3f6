"""Trees that predict accuracies, each prediction with its uncertainty."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.tree import ExtraTreeRegressor

Floats = NDArray[np.float64]

_TREES = 32
_SMALLEST_LEAF = 2
# Features that a split may choose from: half of them, as far as time allows.
_FEATURE_SHARE, _MOST_FEATURES = 0.5, 16


@dataclass(frozen=True, eq=False)
class Forest:
    """Extremely randomised trees (Geurts et al. 2006) with a spread for every prediction.

    Attributes:
        trees: fitted trees of scikit-learn.
        residual_variance: Variance of a new measurement around what the trees agree on.
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

        def grown() -> Any:
            tree = ExtraTreeRegressor(
                min_samples_leaf=min(_SMALLEST_LEAF, len(y)),
                max_features=features,
                random_state=rng,
            )
            return tree.fit(single, targets, repeats, check_input=False).tree_

        # One by one: a forest of scikit-learn spends more time on cloning its trees than on them.
        with sklearn.config_context(skip_parameter_validation=True):
            trees = tuple(grown() for _ in range(_TREES))
        residuals = y - _votes(trees, single).mean(axis=0)
        return cls(trees, max(float(np.mean(residuals**2)), noise))

    def predict(self, x: Floats) -> tuple[Floats, Floats]:
        """Means and standard deviations ``[n]`` of new measurements at ``x [n, features]``."""
        votes = _votes(self.trees, x.astype(np.float32))
        return votes.mean(axis=0), np.sqrt(votes.var(axis=0) + self.residual_variance)


def _votes(trees: tuple[Any, ...], x: NDArray[np.float32]) -> Floats:
    return np.array([tree.predict(x)[:, 0] for tree in trees])
