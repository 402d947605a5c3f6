"""Saved views of MLflow's UI: the columns and charts that studies and trials are compared by.

The UI of MLflow 3.17 lists them in its menu "Views". A view is a tag of the experiment that holds
the UI's own state as JSON; a UI that does not know it shows its default instead.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sgq_auto.tracking.front_metrics import (
    CONFIRMED_ACCURACY,
    CONFIRMED_VAL_ACCURACY,
    FRONT_ACCURACY,
)
from sgq_auto.tracking.views.charts import (
    Chart,
    bar_chart,
    line_chart,
    parallel_chart,
    scatter_chart,
)

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
# Heights of charts in pixels. The tall ones are so high that the buttons, which a screen without a
# mouse always shows in the upper right corner, do not reach down to the highest point: the UI has
# no other way to leave room above it.
_TALL, _USUAL = 600, 360
# Runs that a chart draws, where the UI's own choice would be the ten newest.
_MOST_RUNS = 1000


@dataclass(frozen=True)
class SavedView:
    """A saved view.

    Attributes:
        key: What links name it by.
        name: Its name in the menu.
        state: The state of the UI.
        renews: Whether one that an earlier version saved, and nobody has changed, gets this state.
    """

    key: str
    name: str
    state: Mapping[str, Any]
    renews: bool = False

    @property
    def tag(self) -> str:
        """The experiment's tag that holds it."""
        return view_tag(self.key)

    def value(self, now_ms: int) -> str:
        """The value of that tag, made at ``now_ms``."""
        state = json.dumps(self.state)
        return json.dumps(
            {"name": self.name, "createdAt": now_ms, "updatedAt": now_ms, "state": state}
        )


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
    return _TAG + key


def kib_metric(objective: str) -> str:
    """The metric of a trial that holds its bytes under an objective in KiB."""
    return objective.replace("_bytes", "_kib")


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
    fronts = [
        line_chart([FRONT_ACCURACY], log_steps=True),
        line_chart([CONFIRMED_ACCURACY, CONFIRMED_VAL_ACCURACY], log_steps=True),
    ]
    recommended = [
        scatter_chart("recommended_resident_ratio", "recommended_test_accuracy_drop"),
        line_chart(["hypervolume"]),
        *(bar_chart(metric) for metric in _STUDY_METRICS[:3]),
    ]
    columns = [*_names("params", _STUDY_PARAMS), *_names("metrics", _STUDY_METRICS)]
    sections = [
        Section("Fronts", fronts, 1, _TALL),
        Section("Comparison", recommended, 2, _USUAL),
    ]
    state = _state(f"tags.`{study_tag}` LIKE '%'", columns, sections)
    return SavedView(_STUDIES, "Studies", state, renews=True)


def trials_view(
    parent_tag: str, run_id: str, name: str, bits: Sequence[str], objective: str
) -> SavedView:
    """The complete trials of one study: accuracy against size, and parallel coordinates over bits.

    Trials that failed or were stopped early are not in it: their accuracies, where they have any,
    are no results, and would stretch the axes.

    Args:
        parent_tag: The tag by which a trial's run names the study's.
        run_id: The study's run.
        name: What the study is called.
        bits: The parameters that hold the bits of the groups that have an axis.
        objective: The metric that the study minimises.
    """
    size, ratio = kib_metric(objective), objective.replace("_bytes", "_ratio")
    charts = [
        scatter_chart(size, "val_accuracy"),
        parallel_chart(bits, [size, "val_accuracy"]),
    ]
    columns = _names("metrics", ("val_accuracy", size, ratio, "average_bits", "is_pareto"))
    columns += _names("params", bits)
    state = _state(
        # The group of what tuning tried has no objective, and is not a trial.
        f"tags.`{parent_tag}` = '{run_id}' and attributes.status = 'FINISHED' "
        f"and metrics.{size} > 0",
        columns,
        [Section("Comparison", charts, 1, _TALL)],
        # Sorted by a metric, the UI lists trials without their study above them.
        orderByKey=_names("metrics", [size])[0],
        orderByAsc=True,
    )
    return SavedView(run_id, f"Trials of {name}", state)


def _state(
    search: str, columns: Sequence[str], sections: Sequence[Section], **more: Any
) -> dict[str, Any]:
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


def _names(kind: str, names: Sequence[str]) -> list[str]:
    """Names as the UI's columns have them."""
    return [f"{kind}.`{name}`" for name in names]


def _width(column: str) -> int:
    name = column.split("`")[1]
    return max(_NARROWEST, _CELL_PIXELS + _PIXELS_A_LETTER * len(name))
