"""The parameters of a study's run: whatever its configuration holds."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from sgq_auto.searching import StudyProgress
from sgq_auto.tracking import MlflowTracker, TrackingSettings
from sgq_auto.tracking.runs.study_params import study_params
from sgq_auto.tracking.stores import STUDY_TAG

pytestmark = pytest.mark.system


def _configured(progress: StudyProgress, config: dict[str, Any]) -> dict[str, str]:
    bench = progress.bench
    settings = replace(bench.settings, config={"config": config})
    progress.bench = replace(bench, settings=settings)
    return {param.key: param.value for param in study_params(progress)}


def _study_run(tracking: TrackingSettings) -> Run:
    client = MlflowClient(tracking.uri)
    experiment = client.get_experiment_by_name("sgq_auto")
    (run,) = client.search_runs([experiment.experiment_id], f"tags.`{STUDY_TAG}` = 'study-a'")
    return run


def test_every_setting_is_there_by_its_whole_name(progress: StudyProgress) -> None:
    config = {
        "seed": 0,
        "finetune": {"epochs": 2, "dropout": None},
        "model": {"_target_": "net.Net", "sizes": [4, 8], "of": {"depth": 3, "none": {}}},
        "tracking": {"uri": "http://somewhere"},
    }
    found = _configured(progress, config)
    assert found["finetune.epochs"] == "2"
    assert found["finetune.dropout"] == "None"
    assert found["model.sizes"] == "[4, 8]"
    assert (found["model.of.depth"], found["model.of.none"]) == ("3", "{}")
    assert not [name for name in found if name.startswith("tracking")]


def test_names_of_earlier_versions_stay(progress: StudyProgress) -> None:
    found = _configured(progress, {})
    earlier = {
        "dataset": "synthetic",
        "model": "gcn",
        "granularity": "lwq_cwq",
        "sampler": "tpe",
        "seed": "0",
        "max_kib": "None",
        "max_drop": "None",
        "seeding": "8",
        "early_stopping": "True",
        "remeasuring": "0.1",
        "objective": "resident_bytes",
        "ladder": "[1, 2, 3, 4, 6, 8]",
        "ranges": "learned",
        "split_points": "[4, 8, 16]",
        "finetune_epochs": "2",
        "pretrain_epochs": "2",
    }
    assert earlier.items() <= found.items()


def test_passwords_and_what_mlflow_refuses_are_left_out(progress: StudyProgress) -> None:
    config = {
        "dataset": {
            "source": {"address": "postgresql://me:secret@host/db", "long": "x" * 9000},
            "a name/with: more": 1,
        }
    }
    found = _configured(progress, config)
    assert found["dataset.source.address"] == "postgresql://me:***@host/db"
    assert len(found["dataset.source.long"]) <= 500
    assert all("more" not in name for name in found)


def test_the_users_own_tags_are_on_the_studys_run(
    progress: StudyProgress, tracking: TrackingSettings, tmp_path: Path
) -> None:
    MlflowTracker(replace(tracking, tags={"team": "graphs", "year": 1}), tmp_path).open(progress)
    # A study that goes on may be given others.
    MlflowTracker(replace(tracking, tags={"year": 2}), tmp_path).open(progress)
    tags = _study_run(tracking).data.tags
    assert (tags["team"], tags["year"]) == ("graphs", "2")


def test_more_parameters_than_a_batch_takes_are_logged(
    progress: StudyProgress, tracking: TrackingSettings, tmp_path: Path
) -> None:
    expected = _configured(progress, {"model": {f"argument{k}": k for k in range(150)}})
    MlflowTracker(tracking, tmp_path).open(progress)
    assert _study_run(tracking).data.params == expected
