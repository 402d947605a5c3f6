"""Saved views of MLflow's UI: the columns and charts that studies and trials are compared by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sgq_auto.task import Metric
from sgq_auto.tracking.front_metrics import (
    CONFIRMED_ACCURACY,
    CONFIRMED_VAL_ACCURACY,
    FRONT_ACCURACY,
)
from sgq_auto.tracking.metric_names import metric_name
from sgq_auto.tracking.mlflow_internals import (
    Section,
    bar_chart,
    column_names,
    line_chart,
    parallel_chart,
    scatter_chart,
    view_state,
    view_tag,
    view_url,
    view_value,
)

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
# Heights of charts in pixels. The tall ones are so high that the buttons, which a screen without a
# mouse always shows in the upper right corner, do not reach down to the highest point: the UI has
# no other way to leave room above it.
_TALL, _USUAL = 600, 360


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
        return view_value(self.name, self.state, now_ms)


def kib_metric(objective: str) -> str:
    """The metric of a trial that holds its bytes under an objective in KiB."""
    return objective.replace("_bytes", "_kib")


def studies_url(server: str, experiment_id: str, metric: Metric) -> str:
    """The address of the view of an experiment's studies whose models are judged by ``metric``."""
    return view_url(server, experiment_id, _studies_key(metric))


def _studies_key(metric: Metric) -> str:
    return _STUDIES if metric is Metric.ACCURACY else f"{_STUDIES}-{metric.value}"


def studies_view(study_tag: str, metric: Metric) -> SavedView:
    """All studies of an experiment, with charts of one metric.

    Args:
        study_tag: The tag that their runs have.
        metric: What models are judged by.
    """
    front, confirmed, confirmed_val, drop = (
        metric_name(name, metric)
        for name in (
            *(FRONT_ACCURACY, CONFIRMED_ACCURACY, CONFIRMED_VAL_ACCURACY),
            "recommended_test_accuracy_drop",
        )
    )
    shown = [metric_name(name, metric) for name in _STUDY_METRICS]
    fronts = [
        line_chart([front], log_steps=True),
        line_chart([confirmed, confirmed_val], log_steps=True),
    ]
    recommended = [
        scatter_chart("recommended_resident_ratio", drop),
        line_chart(["hypervolume"]),
        *(bar_chart(name) for name in shown[:3]),
    ]
    columns = [*column_names("params", _STUDY_PARAMS), *column_names("metrics", shown)]
    sections = [
        Section("Fronts", fronts, 1, _TALL),
        Section("Comparison", recommended, 2, _USUAL),
    ]
    state = view_state(f"tags.`{study_tag}` LIKE '%'", columns, sections)
    name = "Studies" if metric is Metric.ACCURACY else f"Studies by {metric.words}"
    return SavedView(_studies_key(metric), name, state, renews=True)


def trials_view(
    parent_tag: str, run_id: str, name: str, bits: Sequence[str], objective: str, metric: Metric
) -> SavedView:
    """The complete trials of a study: the metric against size, and parallel coordinates of bits.

    Trials that failed or were stopped early are not in it: their accuracies, where they have any,
    are no results, and would stretch the axes.

    Args:
        parent_tag: The tag by which a trial's run names the study's.
        run_id: The study's run.
        name: What the study is called.
        bits: The parameters that hold the bits of the groups that have an axis.
        objective: The figure of memory that the study minimises.
        metric: What models are judged by.
    """
    judged = metric_name("val_accuracy", metric)
    size, ratio = kib_metric(objective), objective.replace("_bytes", "_ratio")
    charts = [
        scatter_chart(size, judged),
        parallel_chart(bits, [size, judged]),
    ]
    columns = column_names("metrics", (judged, size, ratio, "average_bits", "is_pareto"))
    columns += column_names("params", bits)
    state = view_state(
        # The group of what tuning tried has no objective, and is not a trial.
        f"tags.`{parent_tag}` = '{run_id}' and attributes.status = 'FINISHED' "
        f"and metrics.{size} > 0",
        columns,
        [Section("Comparison", charts, 1, _TALL)],
        # Sorted by a metric, the UI lists trials without their study above them.
        orderByKey=column_names("metrics", [size])[0],
        orderByAsc=True,
    )
    return SavedView(run_id, f"Trials of {name}", state)
