"""What tuning tried, as a group of runs in MLflow."""

from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from sgq_auto.searching import StudyProgress
from sgq_auto.searching.tuning import Tuning
from sgq_auto.searching.tuning.successive_halving import TunedRun
from sgq_auto.searching.tuning.training_recipe import Recipe
from sgq_auto.tracking import MlflowTracker, TrackingSettings
from sgq_auto.tracking.runs.study_run import child_runs
from sgq_auto.tracking.runs.tuning_runs import TUNING_TAG

pytestmark = pytest.mark.system

_RATE = "pretrain.learning_rate"


def found() -> Tuning:
    given, best = Recipe({_RATE: 0.01}), Recipe({_RATE: 0.003})
    runs = tuple(
        TunedRun(recipe.values, stage, seed, (0.7, 0.8)[seed], 40)
        for recipe in (given, best)
        for stage, seed in (("first", 0), ("final", 1))
    )
    return Tuning(best, given, 0.8, 0.75, runs, 3.0)


def groups(client: MlflowClient, study: str) -> list[Run]:
    experiment = client.get_experiment_by_name("sgq_auto")
    assert experiment is not None
    (parent,) = client.search_runs([experiment.experiment_id], f"tags.`sgq_auto.study` = '{study}'")
    return [run for run in child_runs(client, parent) if TUNING_TAG in run.data.tags]


def test_tuning_is_one_group_below_the_study(
    progress: StudyProgress, tracking: TrackingSettings, tmp_path: Path
) -> None:
    progress.tuning = found()
    client = MlflowClient(tracking.uri)
    tracker = MlflowTracker(tracking, tmp_path)
    tracker.open(progress)
    tracker.sync(progress)
    (group,) = groups(client, progress.study_name)
    assert group.data.params == {_RATE: "0.003"}
    assert group.data.metrics["default_val_accuracy"] == 0.75
    runs = child_runs(client, group)
    assert [run.data.tags[TUNING_TAG] for run in runs].count("final") == 2
    assert {(run.data.params[_RATE], run.data.metrics["val_accuracy"]) for run in runs} == {
        (rate, accuracy) for rate in ("0.01", "0.003") for accuracy in (0.7, 0.8)
    }

    # It is logged once; what a kill left half-made is made again.
    MlflowTracker(tracking, tmp_path).open(progress)
    (again,) = groups(client, progress.study_name)
    assert again.info.run_id == group.info.run_id
    client.update_run(group.info.run_id, status="RUNNING")
    MlflowTracker(tracking, tmp_path).open(progress)
    (again,) = groups(client, progress.study_name)
    assert again.info.run_id != group.info.run_id
    assert len(child_runs(client, again)) == 4
