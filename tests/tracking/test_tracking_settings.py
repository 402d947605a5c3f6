"""Where runs are tracked: settings, MLflow's variables, and this folder's own store."""

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from sgq_auto.errors import InputError
from sgq_auto.text.passwords import reveal
from sgq_auto.tracking import MlflowTracker, TrackingSettings
from sgq_auto.tracking.tracking_settings import EXPERIMENT, EXPERIMENT_ID, URI, default_store


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_anything_it_is_this_folders_store(folder: Path) -> None:
    found = TrackingSettings.of({"uri": None, "experiment": None, "patience_seconds": 5.0})
    assert found.uri == f"sqlite:///{folder}/mlruns/mlflow.db" == default_store()
    assert (found.experiment, found.experiment_id) == ("sgq_auto", None)
    assert found.artifacts == folder / "mlruns" / "artifacts"
    assert (found.patience_seconds, found.variables) == (5.0, ())
    assert MlflowTracker(found, folder).notes == []


def test_mlflows_variables_fill_what_was_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URI, "http://team:5000")
    monkeypatch.setenv(EXPERIMENT, "gnn_team")
    found = TrackingSettings.of({"uri": None, "experiment": None})
    assert (found.uri, found.experiment) == ("http://team:5000", "gnn_team")
    assert found.variables == (URI, EXPERIMENT)
    (note,) = MlflowTracker(found, Path()).notes
    assert note == (
        "Tracked in MLflow at http://team:5000, experiment gnn_team "
        "(MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME)"
    )
    own = TrackingSettings.of({"uri": "http://mine", "experiment": None})
    assert (own.uri, own.experiment, own.variables) == ("http://mine", "gnn_team", (EXPERIMENT,))
    own = TrackingSettings.of({"uri": None, "experiment": "mine"})
    assert (own.uri, own.experiment, own.variables) == ("http://team:5000", "mine", (URI,))
    # A comparison's own experiment is no setting that somebody gave.
    assert TrackingSettings.of({}, "comparisons").experiment == "gnn_team"


def test_an_experiment_may_be_known_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EXPERIMENT_ID, "7")
    found = TrackingSettings.of({"experiment": None})
    assert (found.experiment, found.experiment_id, found.variables) == ("", "7", (EXPERIMENT_ID,))
    assert "experiment with ID 7 (MLFLOW_EXPERIMENT_ID)" in MlflowTracker(found, Path()).notes[0]
    given = TrackingSettings.of({"experiment": "mine"})
    assert (given.experiment, given.experiment_id) == ("mine", None)


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    for name in (URI, EXPERIMENT, EXPERIMENT_ID):
        monkeypatch.setenv(name, "")
    found = TrackingSettings.of({})
    assert found == TrackingSettings.of({"uri": f"sqlite:///{folder}/mlruns/mlflow.db"})


def test_what_a_study_keeps_means_the_same_in_every_folder(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setenv(URI, "sqlite:///team/mlflow.db")
    found = TrackingSettings.of({})
    kept = found.as_config()
    monkeypatch.delenv(URI)
    (folder / "other").mkdir()
    monkeypatch.chdir(folder / "other")
    again = TrackingSettings.of(kept)
    assert again.uri == found.uri == f"sqlite:///{folder}/team/mlflow.db"
    assert again.artifacts == found.artifacts


def test_a_password_in_a_variable_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URI, "http://me:secret@team:5000")
    found = TrackingSettings.of({})
    assert reveal(found.uri) == "http://me:secret@team:5000"
    tracker = MlflowTracker(found, Path())
    assert "secret" not in tracker.notes[0] + tracker.address + repr(found)


@pytest.mark.parametrize("name", ["mlflow.user", "sgq_auto.study", ""])
def test_tags_that_are_not_the_users_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=rf"tracking\.tags: '{name}'"):
        TrackingSettings.of({"tags": {name: "x"}})


def test_a_tag_whose_name_has_dots_comes_nested_from_the_command_line() -> None:
    found = TrackingSettings.of({"tags": {"team": {"name": "graphs", "size": 3}, "year": 2}})
    assert found.named_tags == {"team.name": "graphs", "team.size": "3", "year": "2"}
    with pytest.raises(InputError, match=r"'mlflow\.user'"):
        TrackingSettings.of({"tags": {"mlflow": {"user": "x"}}})


def test_tags_of_a_study_are_kept_as_plain_values() -> None:
    found = TrackingSettings.of(OmegaConf.create({"tags": {"team": "graphs"}}))
    assert json.dumps(found.as_config()["tags"]) == '{"team": "graphs"}'
