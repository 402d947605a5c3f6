"""Fronts in MLflow: final at a study's end, and without stale points once it went on."""

import base64
import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric, Run

from made_studies import PACKED, confirmed_summary, record
from sgq_auto.searching import StudyProgress
from sgq_auto.searching.search_progress import Summary
from sgq_auto.tracking import MlflowTracker, TrackingSettings
from sgq_auto.tracking.runs import study_run

pytestmark = pytest.mark.system

_VIEW = "mlflow.sharedViewState."
_FRONT = ("front_val_accuracy", "confirmed_accuracy", "confirmed_val_accuracy")
End = Callable[[], Summary]


@pytest.fixture
def end(progress: StudyProgress, tracking: TrackingSettings, tmp_path: Path) -> End:
    """Tracks the study as a command does at its end, with a packed model."""

    def to_the_end() -> Summary:
        artifact = tmp_path / "trial.safetensors"
        shutil.copy(PACKED, artifact)
        found = confirmed_summary(progress)
        found["recommended"] = {**found["recommended"], "artifact_path": str(artifact)}
        tracker = MlflowTracker(tracking, tmp_path)
        tracker.open(progress)
        tracker.sync(progress)
        tracker.close(progress, found)
        return found

    return to_the_end


@pytest.fixture
def client(tracking: TrackingSettings) -> MlflowClient:
    return MlflowClient(tracking.uri)


def the_study(client: MlflowClient) -> Run:
    """The one run of the one study."""
    number = client.get_experiment_by_name("sgq_auto").experiment_id
    (run,) = client.search_runs([number], "tags.`sgq_auto.study` LIKE '%'")
    return run


def trials(client: MlflowClient, run: Run) -> list[int]:
    below = f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    found = client.search_runs([run.info.experiment_id], below)
    return sorted(int(each.data.tags["sgq_auto.trial"]) for each in found)


def points(client: MlflowClient, run: Run, name: str = "front_val_accuracy") -> list[list[float]]:
    """A history in the order in which the UI draws it."""
    history = client.get_metric_history(run.info.run_id, name)
    return [[m.step, m.value] for m in sorted(history, key=lambda m: (m.step, m.timestamp))]


def expected(found: Summary) -> list[list[float]]:
    """The front of a summary; its points are of different sizes in KiB."""
    return [[round(p["resident_bytes"] / 1024), p["val_accuracy"]] for p in found["front"]]


def go_on(progress: StudyProgress) -> None:
    """Two more trials, one of which beats a point of the front."""
    number = len(progress.records)
    progress.add([record(progress, number, 5, 0.95), record(progress, number + 1, 1, 0.72)])


def test_the_end_logs_the_front_and_what_was_confirmed(
    progress: StudyProgress, client: MlflowClient, end: End
) -> None:
    go_on(progress)
    found = end()
    run = the_study(client)
    assert points(client, run) == expected(found)
    steps = [step for step, _ in expected(found)]
    assert points(client, run, "confirmed_accuracy") == [[step, 0.71] for step in steps]
    assert points(client, run, "confirmed_val_accuracy") == [[step, 0.7] for step in steps]
    for name in _FRONT:
        times = [m.timestamp for m in client.get_metric_history(run.info.run_id, name)]
        assert times == sorted(set(times))
    end()
    assert points(client, the_study(client)) == expected(found)
    assert the_study(client).info.run_id == run.info.run_id


def test_a_study_that_was_interrupted_has_no_front_yet(client: MlflowClient, end: End) -> None:
    end()
    assert not set(_FRONT) & set(the_study(client).data.metrics)


def test_a_study_that_goes_on_leaves_no_stale_point_and_keeps_all_else(
    progress: StudyProgress, client: MlflowClient, end: End
) -> None:
    progress.add([record(progress, 3, 4, 0.9)])
    end()
    before = the_study(client)
    client.set_tag(before.info.run_id, "approved", "by us")
    client.log_batch(before.info.run_id, metrics=[Metric("theirs", 4.0, 1, 0)])
    go_on(progress)
    found = end()
    after = the_study(client)
    for name, value in {"front_val_accuracy": None, "confirmed_accuracy": 0.71}.items():
        wanted = [[step, value or accuracy] for step, accuracy in expected(found)]
        assert points(client, after, name) == wanted
    assert trials(client, after) == [0, 1, 2, 3, 4, 5]
    assert [v for _, v in points(client, after, "hypervolume")] == progress.hypervolumes
    assert after.data.params == before.data.params
    assert (after.data.tags["approved"], after.data.metrics["theirs"]) == ("by us", 4.0)
    assert after.data.metrics["final_hypervolume"] == progress.hypervolume
    assert (after.info.run_name, after.info.status) == (before.info.run_name, "FINISHED")
    (model,) = client.search_logged_models([after.info.experiment_id])
    assert [m.model_id for m in after.outputs.model_outputs] == [model.model_id]
    tags = client.get_experiment(after.info.experiment_id).tags
    assert _VIEW + before.info.run_id not in tags
    state = json.loads(json.loads(tags[_VIEW + after.info.run_id])["state"])
    assert len(client.search_runs([after.info.experiment_id], state["searchFilter"])) == 6
    assert after.info.run_id in after.data.tags["mlflow.note.content"]


def test_a_view_that_people_saved_moves_with_the_study(
    progress: StudyProgress, client: MlflowClient, end: End
) -> None:
    progress.add([record(progress, 3, 4, 0.9)])
    end()
    before = the_study(client)
    number, run_id = before.info.experiment_id, before.info.run_id
    own = json.dumps({"searchFilter": f"tags.`mlflow.parentRunId` = '{run_id}'"})
    packed = base64.b64encode(zlib.compress(own.encode())).decode()
    envelope = {"name": "mine", "createdAt": 1, "updatedAt": 2, "state": f"deflate;{packed}"}
    client.set_experiment_tag(number, _VIEW + run_id, json.dumps(envelope))
    go_on(progress)
    end()
    after = the_study(client)
    moved = json.loads(client.get_experiment(number).tags[_VIEW + after.info.run_id])
    assert moved["name"] == "mine"
    state = zlib.decompress(base64.b64decode(moved["state"].removeprefix("deflate;"))).decode()
    assert state == own.replace(run_id, after.info.run_id)


@pytest.mark.parametrize("step", ["_copy", "_give_place"])
def test_a_kill_while_a_run_takes_anothers_place_loses_nothing(
    progress: StudyProgress,
    client: MlflowClient,
    end: End,
    step: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    progress.add([record(progress, 3, 4, 0.9)])
    end()
    go_on(progress)
    with monkeypatch.context() as broken:
        broken.setattr(study_run, step, _killed)
        with pytest.raises(OSError, match="killed"):
            end()
    found = end()
    after = the_study(client)
    assert points(client, after) == expected(found)
    assert trials(client, after) == [0, 1, 2, 3, 4, 5]
    assert [v for _, v in points(client, after, "hypervolume")] == progress.hypervolumes
    every = client.search_runs([after.info.experiment_id])
    assert len(every) == 7


def _killed(*_: object) -> None:
    raise OSError("killed")


def test_the_view_of_studies_of_an_earlier_version_is_renewed(
    client: MlflowClient, end: End
) -> None:
    end()
    number = the_study(client).info.experiment_id
    tag = f"{_VIEW}sgq_auto-studies"
    state = client.get_experiment(number).tags[tag]
    earlier = {"name": "Studies", "createdAt": 1, "updatedAt": 1, "state": '{"searchFilter": ""}'}
    client.set_experiment_tag(number, tag, json.dumps(earlier))
    end()
    renewed = client.get_experiment(number).tags[tag]
    assert json.loads(renewed)["state"] == json.loads(state)["state"]
    theirs = json.dumps({**earlier, "updatedAt": 2})
    client.set_experiment_tag(number, tag, theirs)
    end()
    assert client.get_experiment(number).tags[tag] == theirs
