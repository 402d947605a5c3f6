"""Pareto fronts of (accuracy, bytes), and their hypervolume in a fixed frame."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from sgq_auto.settings.budget_settings import Budget
from sgq_auto.task import Metric


class Point(Protocol):
    """A measured allocation."""

    @property
    def val_accuracy(self) -> float:
        """Validation accuracy, 0..1."""

    @property
    def num_bytes(self) -> int:
        """Bytes under the objective."""


_P = TypeVar("_P", bound=Point)


def pareto_front(points: Iterable[_P]) -> list[_P]:
    """The points that no other one beats, by increasing bytes; the first of equal ones stays."""
    front: list[_P] = []
    for point in sorted(points, key=lambda p: (p.num_bytes, -p.val_accuracy)):
        if not front or point.val_accuracy > front[-1].val_accuracy:
            front.append(point)
    return front


def non_dominated(accuracy: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows ``[k]`` of ``[n]`` finite accuracies and sizes that no other beats, smallest first."""
    order = np.lexsort((-accuracy, size))
    best_before = np.concatenate([[-np.inf], np.maximum.accumulate(accuracy[order])[:-1]])
    rows: NDArray[np.int64] = order[accuracy[order] > best_before]
    return rows


@dataclass(frozen=True)
class Frame:
    """The fixed frame of a hypervolume, so that samplers and runs compare.

    Attributes:
        smallest_bytes: The smallest allocation of the ladder: 0 on a log scale.
        full_bytes: Full precision in PyG: 1 on that scale.
        majority_accuracy: Share of the largest class among the validation nodes, or what else one
            answer for all of them reaches: 0.
        full_accuracy: Full precision's validation accuracy: 1.
        metric: What takes the place of accuracy.
    """

    smallest_bytes: int
    full_bytes: int
    majority_accuracy: float
    full_accuracy: float
    metric: Metric = Metric.ACCURACY

    def hypervolume(self, points: Sequence[Point]) -> float:
        """Share of the frame that the points dominate, 0..1."""
        area, reached = 0.0, 0.0
        scaled = sorted((self._size(p.num_bytes), self._accuracy(p.val_accuracy)) for p in points)
        for size, accuracy in scaled:
            area += (1.0 - size) * max(0.0, accuracy - reached)
            reached = max(reached, accuracy)
        return area

    def within(self, budget: Budget) -> "Frame":
        """The part of the frame in which a budget's bounds hold, where a search's gains count."""
        lowest = self.majority_accuracy
        if budget.max_drop is not None:
            # A sliver of accuracy must be left to gain.
            drop = max(budget.max_drop, 0.1)
            lowest = max(lowest, self.metric.below(self.full_accuracy, drop))
        largest = self.full_bytes
        if budget.max_kib is not None:
            largest = max(self.smallest_bytes + 1, min(largest, int(budget.max_bytes)))
        return replace(self, majority_accuracy=lowest, full_bytes=largest)

    def _size(self, num_bytes: int) -> float:
        span = math.log(self.full_bytes / self.smallest_bytes)
        return _clip(math.log(num_bytes / self.smallest_bytes) / span)

    def _accuracy(self, accuracy: float) -> float:
        span = self.full_accuracy - self.majority_accuracy
        if span <= 0:
            return float(accuracy >= self.full_accuracy)
        return _clip((accuracy - self.majority_accuracy) / span)


def spread(front: Sequence[_P], count: int) -> list[_P]:
    """At most ``count`` points of a front, evenly spread over the logarithm of bytes, ends kept."""
    if len(front) <= count:
        return list(front)
    if count < 2:
        return list(front[-count:]) if count else []
    low, high = (math.log(front[i].num_bytes) for i in (0, -1))
    targets = [low + (high - low) * k / (count - 1) for k in range(count)]
    left = list(front)
    chosen = []
    for target in targets:
        nearest = min(left, key=lambda p: abs(math.log(p.num_bytes) - target))
        left.remove(nearest)
        chosen.append(nearest)
    return sorted(chosen, key=lambda p: p.num_bytes)


def _clip(x: float) -> float:
    return min(1.0, max(0.0, x))
