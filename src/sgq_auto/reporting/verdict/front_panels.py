"""What both pictures of a front share: axes, places, and legends of their two panels."""

from dataclasses import dataclass
from typing import Self

from sgq_auto.reporting.pages import Axis, Slots
from sgq_auto.reporting.verdict.drop_points import (
    DropPoint,
    allowed_drop,
    confidence_text,
    drop_points,
    highest_drop,
)
from sgq_auto.reporting.written_units import (
    amount,
    axis_label,
    kib,
    memory_words,
    metric_of,
    plotted,
)
from sgq_auto.searching.search_progress import StudyProgress, Summary
from sgq_auto.task import Metric

# Trials that lose more accuracy to the best lie on the lower edge, so that a front keeps its shape.
_DEEPEST = 0.15
# The drop on test nodes stands beside what decides, by this part of a point's slot, and by at most
# so many percent of the axis.
_BESIDE, _MOST_BESIDE = 0.27, 3.0


@dataclass(frozen=True)
class Panels:
    """The panel that decides, of drops, and the panel of the search, of validation accuracies.

    Confirmed points may be of nearly one size, so the panel that decides has a slot for each.

    Attributes:
        slots: The lower axis of the panel that decides: sizes of the points, smallest first.
        size: That of the search: KiB on a log scale.
        drop: The axis of drops, percentage points.
        accuracy: The axis of validation accuracy in percent.
        points: The confirmed points, smallest first, one a slot.
        allowed: What a recommended artifact may lose; ``None`` in a summary that does not say.
        levels: Names of full-precision references, and their validation accuracies in percent.
        metric: What takes the place of accuracy.
    """

    slots: Slots
    size: Axis
    drop: Axis
    accuracy: Axis
    points: tuple[DropPoint, ...]
    allowed: float | None
    levels: tuple[tuple[str, float], ...]
    metric: Metric = Metric.ACCURACY

    @classmethod
    def of(cls, progress: StudyProgress, summary: Summary) -> Self:
        """The panels of a search that ended, with axes that have room for everything shown.

        Args:
            progress: The study, for its trials.
            summary: What the search found, for the confirmed points.
        """
        objective = str(summary["objective"]).removesuffix("_bytes")
        trials = [record for record in progress.records if record.complete]
        confirmed, allowed = drop_points(summary), allowed_drop(summary)
        sizes = [p.num_bytes / 1024 for p in trials] + [point.kib for point in confirmed]
        size = Axis.around(f"{memory_words(objective)} (KiB, log scale)", sizes, is_log=True)
        drops = [min(0.0, *p.drops) for p in confirmed] + [highest_drop(confirmed, allowed or 0.0)]
        levels = _levels(summary)
        metric = metric_of(summary)
        accuracies = [plotted(metric, record.val_accuracy) for record in trials]
        best = max(accuracies, default=0.0)
        floor = best - _DEEPEST * (100 if metric.is_share else abs(best))
        seen = [max(a, floor) for a in accuracies] + [accuracy for _, accuracy in levels]
        names = tuple(f"{point.kib:,.1f}" for point in confirmed)
        return cls(
            slots=Slots(
                f"confirmed points, smallest first: {memory_words(objective)} (KiB)", names
            ),
            size=size,
            drop=Axis.around(f"drop from full precision, {metric.unit}", drops),
            accuracy=Axis.around(axis_label(metric), seen),
            points=tuple(confirmed),
            allowed=allowed,
            levels=levels,
            metric=metric,
        )

    @property
    def places(self) -> tuple[float, ...]:
        """Where the points lie, percent of the axis of slots."""
        return tuple(self.slots.place(slot) for slot in range(len(self.points)))

    @property
    def test_places(self) -> tuple[float, ...]:
        """Where the points' drops on test nodes lie, percent of the axis of slots."""
        beside = min(100 * _BESIDE / max(1, len(self.points)), _MOST_BESIDE)
        return tuple(round(place + beside, 2) for place in self.places)

    @property
    def edge_note(self) -> str:
        """What points on the upper edge are, where there are any."""
        is_beyond = any(drop > self.drop.high for point in self.points for drop in point.drops)
        edge = f"on the upper edge: above {self.drop.high:.1f} {self.metric.unit}"
        return edge if is_beyond else ""

    @property
    def best(self) -> int | None:
        """Index of the recommended point in ``points``; ``None`` where nothing is recommended."""
        return next((k for k, point in enumerate(self.points) if point.is_best), None)

    @property
    def label(self) -> str:
        """What is written above the recommended point; empty where there is none."""
        point = None if self.best is None else self.points[self.best]
        return "" if point is None else f"recommended: trial {point.trial}, {kib(point.num_bytes)}"

    def names(self, summary: Summary) -> "Names":
        """The legend's names of what the panel that decides shows."""
        sure = confidence_text(summary)
        limit = "the tolerance" if summary.get("max_drop") is None else "max_drop"
        band = f"within {limit} ({amount(self.metric, self.allowed or 0.0)})"
        if sure is None or not any(point.interval for point in self.points):
            mean = "estimated drop, mean of seeds"
            return Names(band, mean, "", "drop on test nodes, mean of seeds")
        return Names(
            band,
            f"estimated drop of the artifact, {sure} interval",
            f"at most, with {sure} confidence: decides",
            "its drop on test nodes: decides nothing",
        )


@dataclass(frozen=True)
class Names:
    """Names in the legend of the panel that decides.

    Attributes:
        band: The drops that are allowed.
        estimate: The estimated drop and its interval.
        bound: What is not exceeded with the study's confidence.
        test: The drop on test nodes.
    """

    band: str
    estimate: str
    bound: str
    test: str


def _levels(summary: Summary) -> tuple[tuple[str, float], ...]:
    references = (
        ("full precision", summary["full_precision"]),
        ("distilled full precision", summary.get("distilled") or {}),
    )
    return tuple(
        (name, plotted(metric_of(summary), found["val_accuracy"]))
        for name, found in references
        if found.get("val_accuracy") is not None
    )
