"""The parts of MLflow that are not public and that this project uses: all of them are here.

Most are of its UI: tags that it reads, its saved views, the addresses of its pages. A saved view is
a tag of the experiment that holds the UI's own state as JSON; a UI that does not know it shows its
default instead. They were seen to work with :data:`SEEN_TO_WORK`. Another version may change them
without notice; ``tests/tracking/test_mlflow_internals.py`` says which one it changed.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SEEN_TO_WORK = "3.17.2"
# The tag of a run that names the one above it in the UI.
PARENT_TAG = "mlflow.parentRunId"
RUN_NAME_TAG = "mlflow.runName"
# What the UI shows as a description, in Markdown.
NOTE_TAG = "mlflow.note.content"
# What the UI shows as the source of a run.
SOURCE_TAGS = {"mlflow.source.name": "sgq_auto.search", "mlflow.source.type": "LOCAL"}
_VIEW_TAG = "mlflow.sharedViewState."
# How the UI marks a state that it has packed.
_PACKED = "deflate;"
# The UI's own width would cut these names after "recommended".
_PIXELS_A_LETTER = 7
_CELL_PIXELS = 36
_NARROWEST = 90
# Runs that a chart draws, where the UI's own choice would be the ten newest.
_MOST_RUNS = 1000

Chart = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """Charts below one heading.

    Attributes:
        name: The heading.
        charts: The charts.
        columns: How many are beside each other.
        height: Their height in pixels.
    """

    name: str
    charts: Sequence[Chart]
    columns: int
    height: int


def view_tag(key: str) -> str:
    """The tag of an experiment that holds the view ``key``."""
    return _VIEW_TAG + key


def view_value(name: str, state: Mapping[str, Any], now_ms: int) -> str:
    """The value of the tag of a saved view.

    Args:
        name: Its name in the menu "Views".
        state: See :func:`view_state`.
        now_ms: When it is made, in milliseconds since 1970.
    """
    kept = json.dumps(state)
    return json.dumps({"name": name, "createdAt": now_ms, "updatedAt": now_ms, "state": kept})


def moved_view(kept: str, old_run: str, new_run: str) -> str | None:
    """A saved view of one run as the view of another; ``None`` where it cannot be read."""
    try:
        envelope = json.loads(kept)
        state = envelope["state"]
        if state.startswith(_PACKED):
            packed = base64.b64decode(state.removeprefix(_PACKED), validate=True)
            text = zlib.decompress(packed).decode().replace(old_run, new_run)
            state = _PACKED + base64.b64encode(zlib.compress(text.encode())).decode()
        return json.dumps({**envelope, "state": state.replace(old_run, new_run)})
    except (ValueError, TypeError, KeyError, AttributeError, zlib.error):
        return None


def is_untouched_but_not(kept: str, state: Mapping[str, Any]) -> bool:
    """Whether nobody has changed a saved view since it was made, and it has another state."""
    try:
        envelope = json.loads(kept)
        # The UI sets the second of these when somebody saves a view over it.
        untouched = envelope["createdAt"] == envelope["updatedAt"]
        return bool(untouched and json.loads(envelope["state"]) != state)
    except (ValueError, TypeError, KeyError):
        return False  # The UI packs what people save.


def view_url(server: str, experiment_id: str, key: str) -> str:
    """The address of a saved view, in the part of the UI that is about training models."""
    return (
        f"{server}/#/experiments/{experiment_id}/runs"
        f"?workflowType=machine_learning&viewStateShareKey={key}"
    )


def charts_url(server: str, experiment_id: str, key: str) -> str:
    """The address of a saved view with its charts beside its runs."""
    return f"{view_url(server, experiment_id, key)}&compareRunsMode=CHART"


def view_state(
    search: str, columns: Sequence[str], sections: Sequence[Section], **more: Any
) -> dict[str, Any]:
    """The state of the UI that a saved view holds.

    Args:
        search: Which runs are listed.
        columns: Which columns they have, see :func:`column_names`.
        sections: The charts.
        more: Other parts of the state.
    """
    same = {"deleted": False, "isGenerated": False}
    charts = [
        {"uuid": f"chart{place}", "metricSectionId": section.name.lower()}
        | {"runsCountToCompare": _MOST_RUNS, **same, **chart}
        for place, (section, chart) in enumerate(
            (section, chart) for section in sections for chart in section.charts
        )
    ]
    own = [
        {"uuid": section.name.lower(), "name": section.name, "display": True, "isReordered": True}
        | {"columns": section.columns, "cardHeight": section.height, **same}
        for section in sections
    ]
    rest = {"uuid": "metrics", "name": "Model metrics", "display": False, "isReordered": True}
    return {
        "searchFilter": search,
        "selectedColumns": list(columns),
        "columnOrder": list(columns),
        "columnWidths": {column: _width(column) for column in columns},
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": charts,
        "compareRunSections": [*own, {**rest, **same}],
        "isAccordionReordered": True,
        **more,
    }


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


def column_names(kind: str, names: Sequence[str]) -> list[str]:
    """Names as the UI's columns have them."""
    return [f"{kind}.`{name}`" for name in names]


def _width(column: str) -> int:
    name = column.split("`")[1]
    return max(_NARROWEST, _CELL_PIXELS + _PIXELS_A_LETTER * len(name))
