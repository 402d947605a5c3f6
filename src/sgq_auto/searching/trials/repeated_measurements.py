"""Measuring an allocation again: how noisy accuracies are, and which lucky draws they hide.

A repeat fine-tunes the same bits from the same weights with another seed.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sgq_auto.searching.space.pareto_front import pareto_front
from sgq_auto.searching.trials.standing_trials import pooled_variance
from sgq_auto.searching.trials.trial_records import TrialRecord
from sgq_auto.task import Metric

# Repeats of good allocations early on, which tell the noise from the start.
_EARLY_REPEATS = 3
_TRIALS_PER_EARLY_REPEAT = 30
# Percentage points beyond the allowed drop within which a front member may still be confirmed as
# good: about two standard errors of an accuracy on 500 nodes, less what is paired away.
NEAR = 1.0


@dataclass(frozen=True)
class Estimate:
    """What all measurements of one allocation together say.

    Attributes:
        record: Its first trial.
        val_accuracy: Mean validation accuracy over its measurements.
        measurements: How many they are.
    """

    record: TrialRecord
    val_accuracy: float
    measurements: int

    @property
    def number(self) -> int:
        """Number of the trial that measured it first: it names the allocation in all output."""
        return self.record.number

    @property
    def params(self) -> dict[str, int]:
        """Ladder positions by group."""
        return self.record.params

    @property
    def num_bytes(self) -> int:
        """Bytes under the objective; the same in every measurement of the allocation."""
        return self.record.num_bytes


def estimates(records: Iterable[TrialRecord]) -> list[Estimate]:
    """One estimate for each allocation that was measured in full, in order of first trials."""
    return [
        Estimate(group[0], statistics.fmean(r.val_accuracy for r in group), len(group))
        for group in _by_allocation(records)
    ]


@dataclass(frozen=True)
class Noise:
    """Spread of validation accuracies between measurements of the same allocation.

    Attributes:
        variance: Pooled variance, 0 if nothing was repeated.
        degrees_of_freedom: Repeats beyond the first measurements.
    """

    variance: float
    degrees_of_freedom: int

    @property
    def std(self) -> float | None:
        """Standard deviation of one measurement; ``None`` if nothing was repeated."""
        return math.sqrt(self.variance) if self.degrees_of_freedom else None

    @classmethod
    def of(cls, records: Iterable[TrialRecord]) -> "Noise":
        """Pool the spread of all allocations that were measured more than once.

        Few are repeated, each a few times: one variance for all is far steadier than one for each.
        """
        groups = [np.array([r.val_accuracy for r in group]) for group in _by_allocation(records)]
        return cls(pooled_variance(groups), sum(len(group) - 1 for group in groups))


def _by_allocation(records: Iterable[TrialRecord]) -> list[list[TrialRecord]]:
    """Measurements in full of each allocation, those of one together."""
    groups: dict[tuple[int, ...], list[TrialRecord]] = {}
    for record in records:
        if record.complete and not record.duplicate:
            groups.setdefault(tuple(record.params.values()), []).append(record)
    return list(groups.values())


def repeat_is_due(place: int, n_trials: int, first: int, share: float) -> bool:
    """Whether the trial at ``place`` (from 0) measures an allocation again.

    The last ``share`` of the trials does, and a few right after the ``first`` ones do.
    """
    if not share:
        return False
    early = min(_EARLY_REPEATS, n_trials // _TRIALS_PER_EARLY_REPEAT)
    return place >= n_trials - round(share * n_trials) or first <= place < first + early


def worth_repeating(
    records: Sequence[TrialRecord],
    running: Sequence[dict[str, int]],
    lowest_accuracy: float,
    metric: Metric = Metric.ACCURACY,
) -> Estimate | None:
    """The front member whose accuracy is least certain, those that may be recommended first.

    Args:
        records: Finished trials.
        running: Parameters of trials that run now: they count as measured.
        lowest_accuracy: Validation accuracy that is asked for, 0..1.
        metric: What takes the place of accuracy.
    """
    front = pareto_front(estimates(records))

    def doubt(member: Estimate) -> tuple[float, float]:
        measured = member.measurements + sum(params == member.params for params in running)
        near = member.val_accuracy >= metric.below(lowest_accuracy, NEAR)
        # A chance excess shrinks with the number of measurements.
        return (2.0 if near else 1.0) / measured, member.val_accuracy

    return max(front, key=doubt, default=None)
