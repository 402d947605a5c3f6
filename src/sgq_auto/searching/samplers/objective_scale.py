"""The unit square in which a sampler counts gains."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sgq_auto.searching.samplers.measured_history import History
from sgq_auto.searching.space.pareto_front import Frame

Floats = NDArray[np.float64]

# Accuracy above full precision's that still counts as a gain: a point, as far as 500 validation
# nodes may be off.
_LUCK = 0.01


@dataclass(frozen=True)
class Scale:
    """Linear accuracy and, where sizes are positive, logarithmic size.

    Attributes:
        accuracy: Accuracies at 0 and at 1.
        size: Sizes at 0 and at 1, their logarithms if ``log``.
        log: Whether sizes are counted on a log scale.
    """

    accuracy: tuple[float, float]
    size: tuple[float, float]
    log: bool

    @classmethod
    def of(cls, history: History, frame: Frame | None) -> "Scale":
        """The scale of a frame and a little more accuracy; without one, of what was seen.

        What seems better than full precision still counts a little: full precision's accuracy on a
        few hundred nodes may be bad luck.
        """
        if frame is not None:
            sizes = float(np.log(frame.smallest_bytes)), float(np.log(frame.full_bytes))
            top = frame.full_accuracy + _LUCK * frame.metric.scale(frame.full_accuracy)
            return cls((frame.majority_accuracy, top), sizes, log=True)
        log = bool((history.size > 0).all())
        seen = np.log(history.size) if log else history.size
        low, high = float(history.accuracy.min()), float(history.accuracy.max())
        return cls((low, 2 * high - low), (float(seen.min()), float(seen.max())), log)

    def scaled_accuracy(self, accuracy: Floats) -> Floats:
        """Accuracies on the scale, 0..1 inside the frame; a surrogate learns these."""
        return (accuracy - self.accuracy[0]) / self.accuracy_span

    def scaled_size(self, size: Floats) -> Floats:
        """Sizes on the scale, 0..1 inside the frame; by their logarithms where ``log`` says so."""
        low, high = self.size
        sizes = np.log(size) if self.log else size
        scaled: Floats = (sizes - low) / (high - low or 1.0)
        return scaled

    @property
    def accuracy_span(self) -> float:
        """Accuracy between 0 and 1 of the scale."""
        return self.accuracy[1] - self.accuracy[0] or 1.0
