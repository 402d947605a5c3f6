"""What tuning of full precision tried, as a group of runs below the study's."""

from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunStatus

from sgq_auto.searching.tuning import Tuning
from sgq_auto.task import Metric as JudgedBy
from sgq_auto.tracking.metric_names import metric_name
from sgq_auto.tracking.mlflow_internals import PARENT_TAG
from sgq_auto.tracking.runs.study_run import child_runs

# The tag of the group's run, and of each run in it.
TUNING_TAG = "sgq_auto.tuning"


def log_tuning(client: MlflowClient, parent: Run, found: Tuning, metric: JudgedBy) -> None:
    """Log what tuning found, and every training run of it, unless that is there already.

    Args:
        client: Of the store.
        parent: The run of the study.
        found: What tuning found.
        metric: What models are judged by.

    Raises:
        MlflowException: If the store fails.
    """
    for group in child_runs(client, parent):
        if TUNING_TAG not in group.data.tags:
            continue
        if group.info.status == RunStatus.to_string(RunStatus.FINISHED):
            return
        for half_made in (*child_runs(client, group), group):  # A kill left it.
            client.delete_run(half_made.info.run_id)
    validation = metric_name("val_accuracy", metric)
    experiment_id, began = parent.info.experiment_id, parent.info.start_time
    tags = {PARENT_TAG: parent.info.run_id, TUNING_TAG: "group"}
    group = client.create_run(
        experiment_id, start_time=began, tags=tags, run_name="tuning of full precision"
    )
    for number, run in enumerate(found.runs):
        tags = {PARENT_TAG: group.info.run_id, TUNING_TAG: run.stage}
        child = client.create_run(
            experiment_id, start_time=began, tags=tags, run_name=f"{run.stage} {number}"
        )
        metrics = {validation: run.val_accuracy, "kept_epoch": run.kept_epoch}
        values = {**run.values, "seed": run.seed}
        _log(client, child, values, metrics, began)
    metrics = {
        validation: found.val_accuracy,
        f"default_{validation}": found.default_val_accuracy,
        "seconds": found.seconds,
    }
    _log(client, group, found.recipe.values, metrics, began)


def _log(
    client: MlflowClient,
    run: Run,
    values: Mapping[str, Any],
    metrics: Mapping[str, float],
    time_ms: int,
) -> None:
    params = [Param(name, str(value)) for name, value in values.items()]
    logged = [Metric(name, float(value), time_ms, 0) for name, value in metrics.items()]
    client.log_batch(run.info.run_id, metrics=logged, params=params)
    client.set_terminated(run.info.run_id, "FINISHED")
