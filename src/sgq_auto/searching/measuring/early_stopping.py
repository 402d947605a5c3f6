"""Early stopping for two objectives: trials that a smaller one has all but beaten already."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sgq_auto.searching.trials.trial_records import TrialRecord

Floats = NDArray[np.float64]

# Shares of the epochs after which a trial may stop.
_RUNGS = (0.1, 0.2, 0.3, 0.5)
# Standard deviations that a forecast must lie below a rival's result.
_CONFIDENCE = 1.0
# Finished trials before a forecast is trusted.
_SMALLEST_SAMPLE = 8


def rungs(epochs: int) -> tuple[int, ...]:
    """Epochs after which a trial of ``epochs`` may stop."""
    ends = (round(share * epochs) for share in _RUNGS)
    return tuple(dict.fromkeys(end for end in ends if 0 < end < epochs))


@dataclass(frozen=True)
class Forecast:
    """A trial's final validation accuracy as a rung foresees it.

    Attributes:
        mean: Expected accuracy.
        std: Its standard deviation.
    """

    mean: float
    std: float


class DominationStopper:
    """Stops a trial that a finished one, no larger, dominates beyond the noise.

    At a rung the finished trials show how an accuracy there carries over to the last epoch: a
    line of slope 0 to 1 and what scatters around it. A trial stops if a rival was no worse at the
    rung and ended more than a standard deviation above the trial's forecast.

    Args:
        epochs: Epochs of a whole trial.
        num_bytes: The trial's size under the objective.
        finished: Trials of the same study; those that are not complete are ignored.
        noise_variance: Variance of an accuracy over fine-tuning seeds, as far as it is known.
    """

    def __init__(
        self,
        epochs: int,
        num_bytes: int,
        finished: Sequence[TrialRecord],
        noise_variance: float = 0.0,
    ) -> None:
        self.rungs = rungs(epochs)
        self._noise_variance = noise_variance
        self._finished = [
            (dict(record.measurement.curve), record.val_accuracy, record.num_bytes <= num_bytes)
            for record in finished
            if record.complete and record.measurement and not record.duplicate
        ]
        self.forecast: Forecast | None = None

    def stops(self, epoch: int, accuracy: float) -> bool:
        """Whether the trial, at ``accuracy`` after ``epoch``, ends there; keeps its forecast."""
        seen = [
            (curve[epoch], final, no_larger)
            for curve, final, no_larger in self._finished
            if epoch in curve
        ]
        rivals = [final for at, final, no_larger in seen if no_larger and at >= accuracy]
        if len(seen) < _SMALLEST_SAMPLE or not rivals:
            return False
        at_rung, finals = (np.array([row[k] for row in seen]) for k in range(2))
        self.forecast = self._line(at_rung, finals, accuracy)
        return self.forecast.mean + _CONFIDENCE * self.forecast.std < max(rivals)

    def _line(self, at_rung: Floats, finals: Floats, accuracy: float) -> Forecast:
        centred = at_rung - at_rung.mean()
        variance = float(np.mean(centred**2))
        slope = float(np.mean(centred * finals)) / variance if variance else 0.0
        slope = min(1.0, max(0.0, slope))
        residuals = finals - finals.mean() - slope * centred
        mean = float(finals.mean() + slope * (accuracy - at_rung.mean()))
        std = np.sqrt(max(float(np.mean(residuals**2)), self._noise_variance))
        return Forecast(mean, float(std))
