"""The drop of every confirmed point, as tables and pictures show it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from sgq_auto.searching.search_progress import Summary

# Points that lose more than the allowed drop and so much on top lie on a picture's upper edge.
_DEEPEST = 3.0


@dataclass(frozen=True)
class DropPoint:
    """A confirmed point; drops are from full precision, in percentage points.

    Summaries of earlier versions know no single model: there the drops are means over seeds, and
    there is no interval.

    Attributes:
        trial: The trial.
        num_bytes: Its bytes under the objective.
        estimate: Drop of its artifact on unseen nodes, estimated without test labels.
        at_most: What the artifact does not lose more than, with the study's confidence.
        interval: The interval that has the artifact's drop with that confidence.
        test_drop: Drop of the artifact on test nodes.
        mean_test_drop: The mean drop on test nodes over seeds.
        bits_cost: The same from full precision that was distilled from the same teachers.
        is_best: Whether it is the recommended point.
    """

    trial: int
    num_bytes: float
    estimate: float
    at_most: float | None
    interval: tuple[float, float] | None
    test_drop: float
    mean_test_drop: float
    bits_cost: float | None
    is_best: bool

    @classmethod
    def of(cls, point: Mapping[str, Any], objective: str, best: int | None) -> Self:
        """From an entry of ``confirmed``.

        Args:
            point: The entry.
            objective: Which of its bytes are minimised.
            best: Number of the recommended trial, if there is one.
        """
        found = point["confirmed"]
        shipped = found.get("shipped") or {}
        has_interval = shipped.get("drop_low") is not None and shipped.get("drop_high") is not None
        return cls(
            trial=point["trial"],
            num_bytes=point[objective],
            estimate=shipped.get("estimated_drop", found["estimated_drop"]),
            at_most=shipped.get("drop_at_most"),
            interval=(shipped["drop_low"], shipped["drop_high"]) if has_interval else None,
            test_drop=shipped.get("test_accuracy_drop", found["test_accuracy_drop"]),
            mean_test_drop=found["test_accuracy_drop"],
            bits_cost=found.get("distilled_test_accuracy_drop"),
            is_best=point["trial"] == best,
        )

    @property
    def kib(self) -> float:
        """Its size in KiB, the unit of every axis and table."""
        return self.num_bytes / 1024

    @property
    def drops(self) -> tuple[float, ...]:
        """All drops that a picture shows of it, so that its axis has room for them."""
        bound = () if self.at_most is None else (self.at_most,)
        return (self.estimate, self.test_drop, *(self.interval or ()), *bound)


def drop_points(summary: Summary) -> list[DropPoint]:
    """The confirmed points of a study, smallest first: the order in which one is chosen."""
    best = (summary["recommended"] or {}).get("trial")
    return [DropPoint.of(p, summary["objective"], best) for p in summary["confirmed"]]


def allowed_drop(summary: Summary) -> float | None:
    """What a recommended artifact may lose, percentage points: ``max_drop``, else the tolerance.

    ``None`` in a summary that does not say.
    """
    found = summary.get("max_drop")
    allowed: float | None = summary.get("tolerance") if found is None else found
    return allowed


def confidence_text(summary: Summary) -> str | None:
    """The confidence in words, like ``90 %``; ``None`` in a summary of an earlier version."""
    found = summary.get("confidence")
    return None if found is None else f"{100 * found:g} %"


def highest_drop(points: Sequence[DropPoint], allowed: float) -> float:
    """The highest drop that a picture needs room for.

    A point that loses very much would leave little room for those that a choice is between.
    """
    best = [drop for point in points if point.is_best for drop in point.drops]
    limit = max([allowed + _DEEPEST, *best])
    return min(limit, max([allowed, *(drop for point in points for drop in point.drops)]))
