"""Charts as MLflow's UI keeps them in a saved view."""

from collections.abc import Sequence
from typing import Any

Chart = dict[str, Any]


def line_chart(metrics: Sequence[str], *, log_steps: bool = False) -> Chart:
    """Histories of metrics over their steps, one line a run and metric, as they were logged.

    Args:
        metrics: The metrics; each has another style of line.
        log_steps: Whether the axis of the steps is logarithmic.
    """
    return {
        "type": "LINE",
        "metricKey": metrics[0],
        "selectedMetricKeys": list(metrics),
        # Its own axis: the UI's setting for all charts may be time.
        "xAxisKey": "step",
        "useGlobalXaxisKey": False,
        "xAxisScaleType": "log" if log_steps else "linear",
        "range": {},
        "lineSmoothness": 0,
        "useGlobalLineSmoothing": False,
        **({"displayPoints": True} if log_steps else {}),
    }


def scatter_chart(x: str, y: str) -> Chart:
    """One metric against another, one point a run."""
    axes = {axis: {"key": key, "type": "METRIC"} for axis, key in (("xaxis", x), ("yaxis", y))}
    return {"type": "SCATTER", **axes}


def parallel_chart(params: Sequence[str], metrics: Sequence[str]) -> Chart:
    """One line a run over axes of parameters and metrics; the last one colours it."""
    return {
        "type": "PARALLEL",
        "selectedParams": list(params),
        "selectedMetrics": list(metrics),
        "showAllRuns": True,
    }


def bar_chart(metric: str) -> Chart:
    """One bar a run."""
    return {"type": "BAR", "metricKey": metric}
