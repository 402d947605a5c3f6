"""Saved views of MLflow's UI: the columns and charts that studies and trials are compared by.

The UI of MLflow 3.17 lists them in its menu "Views". A view is a tag of the experiment that holds
the UI's own state as JSON; a UI that does not know it shows its default instead.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TAG = "mlflow.sharedViewState."
_STUDIES = "sgq_auto-studies"
_STUDY_PARAMS = ("dataset", "model", "granularity", "seed")
_STUDY_METRICS = (
    "recommended_resident_ratio",
    "recommended_test_accuracy",
    "recommended_test_accuracy_drop",
    "recommended_average_bits",
    "full_precision_test_accuracy",
    "final_hypervolume",
    "wall_seconds",
)
# The UI's own width would cut these names after "recommended".
_PIXELS_A_LETTER = 7
_CELL_PIXELS = 36
_NARROWEST = 90
# Runs that a chart draws, where the UI's own choice would be the ten newest.
_MOST_RUNS = 1000


@dataclass(frozen=True)
class SavedView:
    """A saved view.

    Attributes:
        key: What links name it by.
        name: Its name in the menu.
        state: The state of the UI.
    """

    key: str
    name: str
    state: Mapping[str, Any]

    @property
    def tag(self) -> str:
        """The experiment's tag that holds it."""
        return _TAG + self.key

    def value(self, now_ms: int) -> str:
        """The value of that tag, made at ``now_ms``."""
        state = json.dumps(self.state)
        return json.dumps(
            {"name": self.name, "createdAt": now_ms, "updatedAt": now_ms, "state": state}
        )


def view_url(server: str, experiment_id: str, key: str = _STUDIES) -> str:
    """The address of a saved view, in the part of the UI that is about training models."""
    return (
        f"{server}/#/experiments/{experiment_id}/runs"
        f"?workflowType=machine_learning&viewStateShareKey={key}"
    )


def charts_url(server: str, experiment_id: str, key: str) -> str:
    """The address of a saved view with its charts beside its runs."""
    return f"{view_url(server, experiment_id, key)}&compareRunsMode=CHART"


def studies_view(study_tag: str) -> SavedView:
    """All studies of an experiment; ``study_tag`` is the tag that their runs have."""
    charts = [
        _scatter("recommended_resident_ratio", "recommended_test_accuracy_drop"),
        {
            "type": "LINE",
            "metricKey": "hypervolume",
            "selectedMetricKeys": ["hypervolume"],
            "lineSmoothness": 0,
            "useGlobalLineSmoothing": False,
        },
        *({"type": "BAR", "metricKey": metric} for metric in _STUDY_METRICS[:3]),
    ]
    columns = [*_names("params", _STUDY_PARAMS), *_names("metrics", _STUDY_METRICS)]
    state = _state(f"tags.`{study_tag}` LIKE '%'", columns, charts)
    return SavedView(_STUDIES, "Studies", state)


def trials_view(
    parent_tag: str, run_id: str, name: str, bits: Sequence[str], objective: str
) -> SavedView:
    """The trials of one study: accuracy against bytes, and parallel coordinates over bits.

    Args:
        parent_tag: The tag by which a trial's run names the study's.
        run_id: The study's run.
        name: What the study is called.
        bits: The parameters that hold the bits of each searched group.
        objective: The metric that the study minimises.
    """
    ratio = objective.replace("_bytes", "_ratio")
    parallel = {
        "type": "PARALLEL",
        "selectedParams": list(bits),
        "selectedMetrics": [objective, "val_accuracy"],
        "showAllRuns": True,
    }
    columns = _names("metrics", ("val_accuracy", objective, ratio, "average_bits", "is_pareto"))
    columns += _names("params", bits)
    state = _state(
        f"tags.`{parent_tag}` = '{run_id}'",
        columns,
        [_scatter(objective, "val_accuracy"), parallel],
        # Sorted by a metric, the UI lists trials without their study above them.
        orderByKey=_names("metrics", [objective])[0],
        orderByAsc=True,
    )
    return SavedView(run_id, f"Trials of {name}", state)


def _state(
    search: str, columns: Sequence[str], charts: Sequence[Mapping[str, Any]], **more: Any
) -> dict[str, Any]:
    section = {"name": "Comparison", "display": True, "isReordered": True}
    rest = {"name": "Model metrics", "display": False, "isReordered": True}
    same = {"deleted": False, "isGenerated": False}
    return {
        "searchFilter": search,
        "selectedColumns": list(columns),
        "columnOrder": list(columns),
        "columnWidths": {column: _width(column) for column in columns},
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": [
            {"uuid": f"chart{k}", "metricSectionId": "comparison"}
            | {"runsCountToCompare": _MOST_RUNS, **same, **chart}
            for k, chart in enumerate(charts)
        ],
        "compareRunSections": [
            {"uuid": "comparison", **section, **same},
            {"uuid": "metrics", **rest, **same},
        ],
        "isAccordionReordered": True,
        **more,
    }


def _scatter(x: str, y: str) -> dict[str, Any]:
    axes = {axis: {"key": key, "type": "METRIC"} for axis, key in (("xaxis", x), ("yaxis", y))}
    return {"type": "SCATTER", **axes}


def _names(kind: str, names: Sequence[str]) -> list[str]:
    """Names as the UI's columns have them."""
    return [f"{kind}.`{name}`" for name in names]


def _width(column: str) -> int:
    name = column.split("`")[1]
    return max(_NARROWEST, _CELL_PIXELS + _PIXELS_A_LETTER * len(name))
