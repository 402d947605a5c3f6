"""The belief of a sampler: predicted accuracy and known size, in the units of its scale."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sgq_auto.searching.samplers.hypervolume_gain import expected_gain
from sgq_auto.searching.samplers.measured_history import History
from sgq_auto.searching.samplers.objective_scale import Scale
from sgq_auto.searching.samplers.prior_knowledge import Knowledge
from sgq_auto.searching.samplers.surrogate import Forest
from sgq_auto.searching.space.pareto_front import non_dominated
from sgq_auto.searching.space.search_space import Positions

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Model:
    """Predictions for allocations, and the front that they would have to beat.

    Attributes:
        knowledge: What is known before training.
        scale: The units of accuracies and sizes below.
        accuracy: Predicts accuracies.
        size: Predicts sizes where they are not known.
        front: ``[k, parameters]`` measured allocations that no other one beats.
        reached: Accuracies and sizes of measured and pending allocations. What breaks a bound is
            in neither, as long as something keeps them.
    """

    knowledge: Knowledge
    scale: Scale
    accuracy: Forest
    size: Forest | None
    front: Positions
    reached: tuple[Floats, Floats]

    @classmethod
    def fit(cls, history: History, knowledge: Knowledge, seed: int) -> "Model":
        """The belief after a history of at least one measured allocation."""
        scale = Scale.of(history, knowledge.frame)
        features = knowledge.features(history.positions, knowledge.num_bytes(history.positions))
        accuracy, size = scale.scaled_accuracy(history.accuracy), scale.scaled_size(history.size)
        kept = knowledge.kept_or_all(history.positions)
        noise = history.variance / scale.accuracy_span**2
        model = cls(
            knowledge=knowledge,
            scale=scale,
            accuracy=Forest.fit(features, accuracy, seed, repeats=history.repeats, noise=noise),
            size=None if knowledge.sizes else Forest.fit(features, size, seed),
            front=history.positions[kept][non_dominated(accuracy[kept], size[kept])],
            reached=(accuracy[kept], size[kept]),
        )
        return model._with_pending(history.pending)

    def predict(self, positions: Positions) -> tuple[Floats, Floats, Floats]:
        """Means and standard deviations of accuracies, and sizes, each ``[n]``."""
        num_bytes = self.knowledge.num_bytes(positions)
        features = self.knowledge.features(positions, num_bytes)
        mean, std = self.accuracy.predict(features)
        if num_bytes is not None:
            return mean, std, self.scale.scaled_size(num_bytes)
        assert self.size is not None
        return mean, std, self.size.predict(features)[0]

    def gains(self, positions: Positions) -> Floats:
        """Expected hypervolume gain ``[n]`` of measuring each allocation."""
        if not len(positions):
            return np.zeros(0)
        return expected_gain(*self.predict(positions), *self.reached)

    def _with_pending(self, pending: Positions) -> "Model":
        """The same belief, had the pending allocations reached what is predicted for them."""
        if not len(pending):
            return self
        mean, _, size = self.predict(pending)
        accuracies, sizes = self.reached
        return replace(self, reached=(np.append(accuracies, mean), np.append(sizes, size)))
