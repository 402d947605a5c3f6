"""Tracking stores: where they are, how they are opened, and which experiments hold studies."""

import logging
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from requests.exceptions import RequestException
from sqlalchemy.exc import SQLAlchemyError

from sgq_auto.passwords import hide, reveal
from sgq_auto.tracking.views import studies_view

# What stores raise; anything else is a fault of who calls them.
STORE_ERRORS = (MlflowException, SQLAlchemyError, RequestException, OSError)
# The tag of a study's run that names the study.
STUDY_TAG = "sgq_auto.study"
# What the UI shows as a description, in Markdown.
NOTE_TAG = "mlflow.note.content"
_SQLITE = "sqlite:///"
_RUNS = "mlruns"
_HTTP = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


@dataclass(frozen=True)
class TrackingSettings:
    """Where runs are tracked.

    Attributes:
        uri: MLflow tracking URI, which may be masked.
        artifacts: Folder of artifacts of new experiments.
        experiment: Experiment name.
        patience_seconds: How long the end of a search waits for a store that is away.
    """

    uri: str
    artifacts: Path
    experiment: str
    patience_seconds: float = 60.0

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "TrackingSettings":
        """From the group ``tracking`` of a configuration."""
        return cls(**{**config, "uri": hide(config["uri"]), "artifacts": Path(config["artifacts"])})


def open_store(settings: TrackingSettings) -> tuple[MlflowClient, str]:
    """A client and the experiment, both made under a lock: a fresh store is set up by one alone."""
    _quiet_mlflow()
    settings.artifacts.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.artifacts.parent / "mlflow.lock"):
        if settings.uri.startswith(_SQLITE):
            _make_database(Path(settings.uri.removeprefix(_SQLITE)))
        client = MlflowClient(reveal(settings.uri))
        experiment = client.get_experiment_by_name(settings.experiment)
        if experiment is not None:
            return client, experiment.experiment_id
        # A server keeps artifacts itself, where everybody can see them.
        local = not settings.uri.startswith("http")
        location = settings.artifacts.resolve().as_uri() if local else None
        return client, client.create_experiment(settings.experiment, location)


def local_store() -> str:
    """The store that searches started in this folder write to."""
    return f"{_SQLITE}{Path.cwd() / _RUNS / 'mlflow.db'}"


def local_artifacts() -> Path:
    """Where artifacts of that store are."""
    return Path.cwd() / _RUNS / "artifacts"


def holds_nothing(uri: str) -> bool:
    """Whether a store is a file that is not there; opening it would make it."""
    return uri.startswith(_SQLITE) and not Path(uri.removeprefix(_SQLITE)).exists()


def studied_experiments(uri: str) -> list[Experiment]:
    """The experiments of a store that have studies to compare.

    Raises:
        MlflowException: If the store cannot be read.
    """
    _quiet_mlflow()
    tag = studies_view(STUDY_TAG).tag
    return [e for e in MlflowClient(reveal(uri)).search_experiments() if tag in e.tags]


def _quiet_mlflow() -> None:
    # A server that is away is tried again from here, not for minutes inside every call.
    for name, value in _HTTP.items():
        os.environ.setdefault(name, value)
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="mlflow")


def _make_database(path: Path) -> None:
    """Make a database whole or not at all: MLflow cannot open one that a kill left half-made."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.new")
    scratch.unlink(missing_ok=True)
    MlflowClient(f"{_SQLITE}{scratch}").search_experiments(max_results=1)
    scratch.replace(path)
