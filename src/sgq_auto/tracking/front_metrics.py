"""A study's front and its confirmed points as metrics whose step is the size in KiB.

So MLflow draws a front as a line over the size, and the fronts of several studies over each other.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeGuard

from mlflow import MlflowClient
from mlflow.entities import Metric, Run

from sgq_auto.reporting.written_units import metric_of
from sgq_auto.searching.search_progress import Summary
from sgq_auto.tracking.metric_names import metric_name, names_of

# The accuracy that the search measured, of each point of the front.
FRONT_ACCURACY = "front_val_accuracy"
# Means over fresh seeds, of each confirmed point: on test nodes, and on validation nodes.
CONFIRMED_ACCURACY = "confirmed_accuracy"
CONFIRMED_VAL_ACCURACY = "confirmed_val_accuracy"
# All three, whatever models are judged by.
FRONT_METRICS = tuple(
    name
    for figure in (FRONT_ACCURACY, CONFIRMED_ACCURACY, CONFIRMED_VAL_ACCURACY)
    for name in names_of(figure)
)
_KIB = 1024


def size_step(num_bytes: float) -> int:
    """A size in whole KiB, at least 1: 0 has no place on a log axis."""
    return max(1, round(num_bytes / _KIB))


def front_metrics(summary: Summary, time_ms: int) -> list[Metric]:
    """The points of a summary, smallest first; the time rises with the size too.

    Of two points of the same size in KiB the one with the better validation accuracy stays: no
    test label chooses what is drawn.

    Args:
        summary: What the search found.
        time_ms: When, milliseconds since the epoch.
    """
    objective = summary["objective"]
    front = _best_by_size(summary["front"], objective, lambda point: point["val_accuracy"])
    confirmed = _best_by_size(
        [point for point in summary["confirmed"] if point["confirmed"]],
        objective,
        lambda point: point["confirmed"]["val_accuracy"],
    )
    values = {
        FRONT_ACCURACY: {step: point["val_accuracy"] for step, point in front.items()},
        CONFIRMED_ACCURACY: _confirmed(confirmed, "test_accuracy"),
        CONFIRMED_VAL_ACCURACY: _confirmed(confirmed, "val_accuracy"),
    }
    judged = metric_of(summary)
    return [
        Metric(metric_name(name, judged), value, time_ms + place, step)
        for name, by_step in values.items()
        for place, (step, value) in enumerate(by_step.items())
        if _is_number(value)
    ]


def _best_by_size(
    points: Iterable[Mapping[str, Any]],
    objective: str,
    accuracy: Callable[[Mapping[str, Any]], float | None],
) -> dict[int, Mapping[str, Any]]:
    """Points by their size in KiB, smallest first; those without an accuracy are left out."""
    measured = [point for point in points if _is_number(accuracy(point))]
    # Of one size the better one comes later, and takes the other one's place.
    measured.sort(key=lambda point: (accuracy(point), -point[objective]))
    by_size = {size_step(point[objective]): point for point in measured}
    return dict(sorted(by_size.items()))


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _confirmed(points: Mapping[int, Mapping[str, Any]], name: str) -> dict[int, float | None]:
    return {step: point["confirmed"][name] for step, point in points.items()}


def point_of(metric: Metric) -> tuple[str, int, float]:
    """What a point is: metric, size in KiB, accuracy."""
    return metric.key, metric.step, metric.value


def logged_points(client: MlflowClient, run: Run) -> set[tuple[str, int, float]]:
    """The points that a run's histories hold already.

    Raises:
        MlflowException: If the store fails.
    """
    return {
        point_of(metric)
        for name in FRONT_METRICS
        if name in run.data.metrics
        for metric in client.get_metric_history(run.info.run_id, name)
    }
