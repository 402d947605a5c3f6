"""The report's table of confirmed points."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sgq_auto.reporting.intervals import half_width_95
from sgq_auto.reporting.verdict import drop_points
from sgq_auto.reporting.written_units import kib
from sgq_auto.searching.search_progress import Summary


@dataclass(frozen=True)
class ConfirmedRow:
    """A confirmed point, in words; drops are percentage points.

    Attributes:
        trial: The trial.
        size: Its bytes under the objective.
        ratio: Full precision divided by it.
        flash: Tables of the model in C; empty where it cannot be written.
        ram: Its arena; empty too.
        estimate: Estimated drop, with its interval.
        at_most: What is not exceeded with the study's confidence; empty in older summaries.
        test_drop: Drop of the one model on test nodes; empty in older summaries.
        mean_drop: Mean drop on test nodes over seeds, and half of its 95 % interval.
        bits_cost: Mean drop from distilled full precision; empty where there is none.
        is_best: Whether it is the recommended one.
    """

    trial: int
    size: str
    ratio: str
    flash: str
    ram: str
    estimate: str
    at_most: str
    test_drop: str
    mean_drop: str
    bits_cost: str
    is_best: bool


def confirmed_rows(summary: Summary) -> tuple[ConfirmedRow, ...]:
    """The confirmed points, smallest first: the one model of each, and means over seeds."""
    kind = str(summary["objective"]).removesuffix("_bytes")
    rows = []
    for entry, point in zip(summary["confirmed"], drop_points(summary), strict=True):
        interval = point.interval
        between = "" if interval is None else f" ({interval[0]:+.2f} to {interval[1]:+.2f})"
        rows.append(
            ConfirmedRow(
                trial=point.trial,
                size=kib(point.num_bytes),
                ratio=f"{entry[f'{kind}_ratio']:.1f}x",
                flash=_kib(entry.get("flash_bytes")),
                ram=_kib(entry.get("ram_bytes")),
                estimate=f"{point.estimate:+.2f}{between}",
                at_most=_signed(point.at_most),
                test_drop="" if point.at_most is None else _signed(point.test_drop),
                mean_drop=_mean_drop(entry["confirmed"]),
                bits_cost=_signed(point.bits_cost),
                is_best=point.is_best,
            )
        )
    return tuple(rows)


def _mean_drop(found: Mapping[str, Any]) -> str:
    half = half_width_95(found["test_accuracy_drop_std"], found["seeds"])
    return _signed(found["test_accuracy_drop"]) + ("" if half is None else f" ± {half:.2f}")


def _kib(num_bytes: float | None) -> str:
    return "" if num_bytes is None else kib(num_bytes)


def _signed(drop: float | None) -> str:
    return "" if drop is None else f"{drop:+.2f}"
