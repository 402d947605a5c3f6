"""The run of a study in MLflow: found, and put in the place of another.

Histories of metrics only grow. Where points of one no longer hold, a new run takes the place of the
study's: with all it had, its trials too, but without those histories.
"""

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run

from sgq_auto.tracking.front_metrics import FRONT_METRICS
from sgq_auto.tracking.mlflow_internals import PARENT_TAG, RUN_NAME_TAG
from sgq_auto.tracking.stores import STUDY_TAG
from sgq_auto.tracking.views.saved_views import move_view

HYPERVOLUME = "hypervolume"
# Metrics that a batch may hold at most.
BATCH = 1000
# And parameters.
_PARAMS = 100
# The tag of a run that is made, or was made, in the place of another; its value is that one's ID.
_REPLACES = "sgq_auto.replaces"


def find_study_run(client: MlflowClient, experiment_id: str, study: str) -> Run | None:
    """The run of a study, if there is one.

    Of several, which a kill between two steps of :func:`replace_study_run` leaves, the last one
    made takes the place of the others.

    Raises:
        MlflowException: If the store fails.
    """
    found = client.search_runs(
        [experiment_id],
        f"tags.`{STUDY_TAG}` = '{study}'",
        order_by=["attributes.start_time DESC"],
    )
    if not found:
        return None
    for earlier in found[1:]:
        if found[0].data.tags.get(_REPLACES) == earlier.info.run_id:
            _give_place(client, earlier, found[0])
    return found[0]


def replace_study_run(client: MlflowClient, old: Run) -> Run:
    """A new run in the place of a study's, which is deleted.

    It is deleted as the UI does that: it can be restored, and keeps files that people added. A kill
    at any moment leaves the study with the one run or the other.

    Raises:
        MlflowException: If the store fails.
    """
    experiment_id, old_id = old.info.experiment_id, old.info.run_id
    for half_made in client.search_runs([experiment_id], f"tags.`{_REPLACES}` = '{old_id}'"):
        client.delete_run(half_made.info.run_id)
    kept = {k: v for k, v in old.data.tags.items() if k not in (STUDY_TAG, RUN_NAME_TAG)}
    new = client.create_run(
        experiment_id,
        # The last one that was made is found by its start.
        start_time=old.info.start_time + 1,
        tags={**kept, _REPLACES: old_id},
        run_name=old.info.run_name,
    )
    _copy(client, old, new)
    # From here on it is the study's.
    client.set_tag(new.info.run_id, STUDY_TAG, old.data.tags[STUDY_TAG])
    _give_place(client, old, new)
    return client.get_run(new.info.run_id)


def child_runs(client: MlflowClient, run: Run) -> list[Run]:
    """The runs below a run in the UI.

    Raises:
        MlflowException: If the store fails.
    """
    runs: list[Run] = []
    token = None
    while True:
        page = client.search_runs(
            [run.info.experiment_id],
            f"tags.`{PARENT_TAG}` = '{run.info.run_id}'",
            page_token=token,
        )
        runs += page
        token = page.token
        if not token:
            return runs


def log_metrics(client: MlflowClient, run: Run, metrics: list[Metric]) -> None:
    """Log any number of metrics.

    Raises:
        MlflowException: If the store fails.
    """
    for start in range(0, len(metrics), BATCH):
        client.log_batch(run.info.run_id, metrics=metrics[start : start + BATCH])


def log_params(client: MlflowClient, run: Run, params: list[Param]) -> None:
    """Log any number of parameters.

    Raises:
        MlflowException: If the store fails.
    """
    for start in range(0, len(params), _PARAMS):
        client.log_batch(run.info.run_id, params=params[start : start + _PARAMS])


def _copy(client: MlflowClient, old: Run, new: Run) -> None:
    """Parameters, metrics but those of the front, and the models that the old run has logged."""
    log_params(client, new, [Param(name, value) for name, value in old.data.params.items()])
    left_out = {*FRONT_METRICS, HYPERVOLUME}
    latest = {name: value for name, value in old.data.metrics.items() if name not in left_out}
    metrics = [Metric(name, value, old.info.start_time, 0) for name, value in latest.items()]
    if HYPERVOLUME in old.data.metrics:
        history = client.get_metric_history(old.info.run_id, HYPERVOLUME)
        metrics += [Metric(each.key, each.value, each.timestamp, each.step) for each in history]
    log_metrics(client, new, metrics)
    if old.outputs and old.outputs.model_outputs:
        client.log_outputs(new.info.run_id, old.outputs.model_outputs)


def _give_place(client: MlflowClient, old: Run, new: Run) -> None:
    """Put the trials and their view below the new run, and delete the old one."""
    for child in child_runs(client, old):
        client.set_tag(child.info.run_id, PARENT_TAG, new.info.run_id)
    move_view(client, old.info.experiment_id, old.info.run_id, new.info.run_id)
    client.delete_run(old.info.run_id)
