"""MLflow: one parent a study, one child a trial, through kills and broken stores."""

import json
import logging
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from made_studies import PACKED, confirmed_summary, record, summary
from sgq_auto.errors import InputError
from sgq_auto.reporting import write_results
from sgq_auto.searching import StudyProgress
from sgq_auto.searching.search_progress import Summary
from sgq_auto.searching.trials.trial_records import TrialRecord
from sgq_auto.tracking import Delivery, MlflowTracker, TrackingSettings
from sgq_auto.tracking.stores import studied_experiments

pytestmark = pytest.mark.system


def runs(tracking: TrackingSettings) -> tuple[list[Run], dict[int, Run]]:
    """Parents, and children by trial number; a trial tracked twice fails the test."""
    client = MlflowClient(tracking.uri)
    experiment = client.get_experiment_by_name("sgq_auto")
    assert experiment is not None
    every = client.search_runs([experiment.experiment_id])
    parents = [run for run in every if "sgq_auto.study" in run.data.tags]
    children = [run for run in every if "sgq_auto.trial" in run.data.tags]
    by_number = {int(run.data.tags["sgq_auto.trial"]): run for run in children}
    assert len(by_number) == len(children)
    return parents, by_number


def with_model(progress: StudyProgress, artifact: Path) -> Summary:
    """A summary with a packed model of trial 2."""
    shutil.copy(PACKED, artifact)
    found = confirmed_summary(progress)
    return {**found, "recommended": {**found["recommended"], "artifact_path": str(artifact)}}


def follow(
    tracker: MlflowTracker, progress: StudyProgress, *, finish: bool = True
) -> MlflowTracker:
    tracker.open(progress)
    tracker.sync(progress)
    if finish:
        write_results(progress, summary(progress), tracker.output_dir)
        tracker.close(progress, summary(progress))
    return tracker


def test_a_study_has_one_parent_and_a_child_a_trial(
    progress: StudyProgress, tracking: TrackingSettings, tmp_path: Path
) -> None:
    follow(MlflowTracker(tracking, tmp_path), progress)
    (parent,), children = runs(tracking)
    assert sorted(children) == [0, 1, 2]
    child = children[1]
    expected = {
        "val_accuracy",
        "resident_bytes",
        "resident_ratio",
        "stored_bytes",
        "sgquant_ratio",
        "average_bits",
        "is_pareto",
    }
    assert expected <= set(child.data.metrics)
    assert child.data.metrics["val_accuracy"] == pytest.approx(0.6)
    sites = {str(site) for site in progress.bench.footprints.sites()}
    long = {f"bits.{site}" for site in sites}
    short = {"conv1.emb", "conv1.weight", "conv2.emb", "conv2.weight"}
    assert long | short == set(child.data.params)
    assert child.data.params["conv1.emb"] == child.data.params["bits.conv1.embedding.0"]
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    client = MlflowClient(tracking.uri)
    curve = client.get_metric_history(child.info.run_id, "epoch_val_accuracy")
    assert [(m.step, m.value) for m in curve] == [(1, 0.1), (2, pytest.approx(0.6))]
    steps = client.get_metric_history(parent.info.run_id, "hypervolume")
    assert [m.value for m in steps] == pytest.approx(progress.hypervolumes)
    files = {file.path for file in client.list_artifacts(parent.info.run_id)}
    sensitivities = {"sensitivities.png", "sensitivities.json"}
    assert files == {"front.png", "report.html", "summary.json"} | sensitivities
    assert (tracking.artifacts).is_dir()


def test_a_continued_study_keeps_its_parent_and_children(
    progress: StudyProgress, tracking: TrackingSettings, tmp_path: Path
) -> None:
    follow(MlflowTracker(tracking, tmp_path), progress, finish=False)
    progress.add([record(progress, 3, 4, 0.9)])
    follow(MlflowTracker(tracking, tmp_path), progress)
    follow(MlflowTracker(tracking, tmp_path), progress)
    parents, children = runs(tracking)
    assert len(parents) == 1
    assert sorted(children) == [0, 1, 2, 3]


def test_a_child_that_a_kill_left_half_written_is_written_again(
    progress: StudyProgress, tracking: TrackingSettings, tmp_path: Path
) -> None:
    follow(MlflowTracker(tracking, tmp_path), progress, finish=False)
    (parent,), _ = runs(tracking)
    client = MlflowClient(tracking.uri)
    tags = {"mlflow.parentRunId": parent.info.run_id, "sgq_auto.trial": "3"}
    client.create_run(parent.info.experiment_id, tags=tags)
    progress.add([record(progress, 3, 4, 0.9)])
    follow(MlflowTracker(tracking, tmp_path), progress)
    _, children = runs(tracking)
    assert children[3].info.status == "FINISHED"
    assert children[3].data.metrics["val_accuracy"] == pytest.approx(0.9)


def test_the_ui_has_views_of_the_studies_and_of_each_ones_trials(
    progress: StudyProgress, tracking: TrackingSettings, tmp_path: Path
) -> None:
    follow(MlflowTracker(tracking, tmp_path), progress)
    (parent,), children = runs(tracking)
    client = MlflowClient(tracking.uri)
    ((experiment, _),) = studied_experiments(tracking.uri)
    assert experiment.name == "sgq_auto"
    prefix = "mlflow.sharedViewState."
    trials = json.loads(json.loads(experiment.tags[prefix + parent.info.run_id])["state"])
    found = client.search_runs([experiment.experiment_id], trials["searchFilter"])
    assert {r.info.run_id for r in found} == {r.info.run_id for r in children.values()}
    scatter, parallel = trials["compareRunCharts"]
    assert {scatter["xaxis"]["key"], scatter["yaxis"]["key"]} <= set(children[0].data.metrics)
    assert set(parallel["selectedParams"]) <= set(children[0].data.params)
    assert len(parallel["selectedParams"]) == len(progress.bench.space.searched)
    studies = json.loads(json.loads(experiment.tags[prefix + "sgq_auto-studies"])["state"])
    found = client.search_runs([experiment.experiment_id], studies["searchFilter"])
    assert [r.info.run_id for r in found] == [parent.info.run_id]
    assert "nothing was confirmed" in parent.data.tags["mlflow.note.content"]


def test_a_view_that_people_changed_stays(
    progress: StudyProgress, tracking: TrackingSettings, tmp_path: Path
) -> None:
    follow(MlflowTracker(tracking, tmp_path), progress, finish=False)
    ((experiment, _),) = studied_experiments(tracking.uri)
    tag = "mlflow.sharedViewState.sgq_auto-studies"
    MlflowClient(tracking.uri).set_experiment_tag(experiment.experiment_id, tag, "mine")
    follow(MlflowTracker(tracking, tmp_path), progress, finish=False)
    ((experiment, _),) = studied_experiments(tracking.uri)
    assert experiment.tags[tag] == "mine"


def test_is_pareto_is_final_once_the_search_ends(
    progress: StudyProgress, tracking: TrackingSettings, tmp_path: Path
) -> None:
    tracker = follow(MlflowTracker(tracking, tmp_path), progress, finish=False)
    new = [record(progress, 3, 0, 0.95)]  # Smaller and better than everything before it.
    progress.add(new)
    tracker.sync(progress)
    tracker.close(progress, summary(progress))
    _, children = runs(tracking)
    assert {n: run.data.metrics["is_pareto"] for n, run in children.items()} == {
        0: 0.0,
        1: 0.0,
        2: 0.0,
        3: 1.0,
    }


def test_a_failed_trial_is_a_failed_run_with_its_reason(
    progress: StudyProgress, tracking: TrackingSettings, tmp_path: Path
) -> None:
    params = progress.records[0].params
    failed = TrialRecord(3, params, 0, None, 0.1, "DivergedError: nan", 1000, 2000)
    progress.add([failed])
    follow(MlflowTracker(tracking, tmp_path), progress)
    _, children = runs(tracking)
    assert children[3].info.status == "FAILED"
    assert children[3].data.tags["failure"] == "DivergedError: nan"


def test_a_broken_store_costs_one_warning_and_nothing_else(
    progress: StudyProgress, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    broken = TrackingSettings(f"sqlite:///{blocked}/mlflow.db", blocked / "artifacts", "sgq_auto")
    with caplog.at_level(logging.WARNING):
        delivery = Delivery(MlflowTracker(broken, tmp_path), patience_seconds=0)
        delivery.started(progress)
        delivery.trials_finished(progress, progress.records)
        delivery.finished(progress, summary(progress))
    assert not delivery.delivered
    warnings = [r.getMessage() for r in caplog.records if r.name.startswith("sgq_auto")]
    assert warnings
    assert all("the search goes on" in w and "\n" not in w for w in warnings)


def test_a_stopped_trial_keeps_its_curve_and_says_so(
    progress: StudyProgress, tracking: TrackingSettings, tmp_path: Path
) -> None:
    whole = record(progress, 3, 4, 0.6)
    assert whole.measurement is not None
    stopped = replace(whole, measurement=replace(whole.measurement, forecast=0.65))
    progress.add([stopped])
    follow(MlflowTracker(tracking, tmp_path), progress)
    _, children = runs(tracking)
    assert children[3].info.status == "KILLED"
    assert children[3].data.tags["stopped_early"] == "true"
    assert children[3].data.metrics["forecast_val_accuracy"] == 0.65
    assert children[3].data.metrics["epoch_val_accuracy"] == pytest.approx(0.6)
    assert children[3].data.metrics["is_pareto"] == 0


def test_sensitivities_are_logged_as_numbers_and_as_a_picture(
    progress: StudyProgress, tracking: TrackingSettings, tmp_path: Path
) -> None:
    follow(MlflowTracker(tracking, tmp_path), progress)
    (parent,), _ = runs(tracking)
    client = MlflowClient(tracking.uri)
    names = {artifact.path for artifact in client.list_artifacts(parent.info.run_id)}
    assert {"sensitivities.png", "sensitivities.json", "front.png", "report.html"} <= names
    logged = json.loads((tmp_path / "sensitivities.json").read_text())
    assert tuple(logged["groups"]) == progress.bench.space.searched


def test_the_recommended_model_is_logged_once_however_often_a_study_is_continued(
    progress: StudyProgress, tracking: TrackingSettings, tmp_path: Path
) -> None:
    found = with_model(progress, tmp_path / "trial-2.safetensors")
    uris = set()
    for _ in range(2):
        tracker = follow(MlflowTracker(tracking, tmp_path), progress, finish=False)
        tracker.close(progress, found)
        uris.add(tracker.model_uri)
    (parent,), _ = runs(tracking)
    (model,) = MlflowClient(tracking.uri).search_logged_models([parent.info.experiment_id])
    assert uris == {model.model_uri}
    assert model.source_run_id == parent.info.run_id
    assert model.tags["sgq_auto.trial"] == "2"
    sites = {str(site) for site in progress.bench.footprints.sites()}
    assert {f"bits.{site}" for site in sites} == set(model.params)
    metrics = {metric.key: metric.value for metric in model.metrics}
    assert metrics["recommended_val_accuracy"] == pytest.approx(0.7)
    assert metrics.items() <= parent.data.metrics.items()


def test_a_model_that_cannot_be_logged_leaves_the_run_finished(
    progress: StudyProgress,
    tracking: TrackingSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = with_model(progress, tmp_path / "trial-2.safetensors")
    monkeypatch.setattr(MlflowClient, "log_model_artifacts", _broken)
    tracker = follow(MlflowTracker(tracking, tmp_path), progress, finish=False)
    with pytest.raises(OSError, match="no space left"):
        tracker.close(progress, found)
    (parent,), _ = runs(tracking)
    assert tracker.model_uri is None
    assert "recommended_val_accuracy" in parent.data.metrics
    assert parent.info.end_time is not None


def _broken(*_: object) -> None:
    raise OSError("no space left")


def test_a_deleted_experiment_is_named_with_what_restores_it(
    progress: StudyProgress, tracking: TrackingSettings, tmp_path: Path
) -> None:
    follow(MlflowTracker(tracking, tmp_path), progress)
    client = MlflowClient(tracking.uri)
    number = client.get_experiment_by_name("sgq_auto").experiment_id
    client.delete_experiment(number)
    began = time.monotonic()
    with pytest.raises(InputError, match="was deleted; restore it by") as caught:
        follow(MlflowTracker(tracking, tmp_path), progress)
    assert time.monotonic() - began < 10
    assert f"mlflow experiments restore -x {number}" in str(caught.value)
    assert tracking.uri in str(caught.value)
    assert "\n" not in str(caught.value)
    client.restore_experiment(number)
    follow(MlflowTracker(tracking, tmp_path), progress)


def test_an_experiment_is_found_by_its_id(
    progress: StudyProgress, tracking: TrackingSettings, tmp_path: Path
) -> None:
    follow(MlflowTracker(tracking, tmp_path), progress)
    client = MlflowClient(tracking.uri)
    number = client.create_experiment("team", (tmp_path / "team").as_uri())
    by_id = replace(tracking, experiment="", experiment_id=number)
    follow(MlflowTracker(by_id, tmp_path), progress)
    tag = "tags.`sgq_auto.study` = 'study-a'"
    assert len(client.search_runs([number], tag)) == 1
    with pytest.raises(InputError, match="is called team, not sgq_auto"):
        follow(MlflowTracker(replace(by_id, experiment="sgq_auto"), tmp_path), progress)


def test_a_study_without_a_trial_is_tracked(
    progress: StudyProgress, tracking: TrackingSettings, tmp_path: Path
) -> None:
    progress.records.clear()
    progress.hypervolumes.clear()
    progress._front.clear()
    follow(MlflowTracker(tracking, tmp_path), progress)
    (parent,), children = runs(tracking)
    assert (parent.info.status, children) == ("KILLED", {})
