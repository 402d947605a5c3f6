"""Tracking stores: where they are, how they are opened, and which experiments hold studies."""

import logging
import os
import shlex
import warnings
from pathlib import Path

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Experiment, LifecycleStage
from mlflow.exceptions import MlflowException
from requests.exceptions import RequestException
from sqlalchemy.exc import SQLAlchemyError

from sgq_auto.errors import InputError
from sgq_auto.task import Metric
from sgq_auto.text.passwords import mask, reveal
from sgq_auto.tracking.tracking_settings import URI, TrackingSettings
from sgq_auto.tracking.views import studies_view

# What stores raise; anything else is a fault of who calls them.
STORE_ERRORS = (MlflowException, SQLAlchemyError, RequestException, OSError)
# The tag of a study's run that names the study.
STUDY_TAG = "sgq_auto.study"
_SQLITE = "sqlite:///"
# Schemes of stores whose artifacts this machine keeps.
_OWN_ARTIFACTS = ("sqlite", "postgresql", "mysql", "mssql", "file", "")
_HTTP = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


def open_store(settings: TrackingSettings) -> tuple[MlflowClient, str]:
    """A client and the experiment, both made under a lock: a fresh store is set up by one alone.

    Raises:
        InputError: If the experiment was deleted, or is not the one that was meant.
        MlflowException: If the store fails.
    """
    _quiet_mlflow()
    settings.artifacts.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.artifacts.parent / "mlflow.lock"):
        if settings.uri.startswith(_SQLITE):
            _make_database(Path(settings.uri.removeprefix(_SQLITE)))
        client = MlflowClient(reveal(settings.uri))
        found = _experiment(client, settings)
        if found is not None:
            return client, found.experiment_id
        # A server keeps artifacts itself, where everybody can see them.
        local = settings.uri.partition("://")[0].partition("+")[0] in _OWN_ARTIFACTS
        location = settings.artifacts.resolve().as_uri() if local else None
        return client, client.create_experiment(settings.experiment, location)


def _experiment(client: MlflowClient, settings: TrackingSettings) -> Experiment | None:
    """The experiment, if there is one.

    Raises:
        InputError: See :func:`open_store`.
    """
    if settings.experiment_id is None:
        found = client.get_experiment_by_name(settings.experiment)
    else:
        found = client.get_experiment(settings.experiment_id)
        if settings.experiment not in (found.name, ""):
            raise InputError(
                f"experiment {settings.experiment_id} is called {found.name}, not "
                f"{settings.experiment}; give its name or its ID alone"
            )
    if found is not None and found.lifecycle_stage == LifecycleStage.DELETED:
        store = shlex.join([f"{URI}={settings.uri}", "mlflow", "experiments", "restore", "-x"])
        raise InputError(
            f"the experiment {found.name} was deleted; restore it by `{mask(store)} "
            f"{found.experiment_id}`, or take another one by tracking.experiment=NAME"
        )
    return found


def holds_nothing(uri: str) -> bool:
    """Whether a store is a file that is not there; opening it would make it."""
    return uri.startswith(_SQLITE) and not Path(uri.removeprefix(_SQLITE)).exists()


def studied_experiments(uri: str) -> list[tuple[Experiment, Metric]]:
    """The experiments of a store that have studies to compare, with each metric of the studies.

    Raises:
        MlflowException: If the store cannot be read.
    """
    _quiet_mlflow()
    tags = {metric: studies_view(STUDY_TAG, metric).tag for metric in Metric}
    return [
        (experiment, metric)
        for experiment in MlflowClient(reveal(uri)).search_experiments()
        for metric, tag in tags.items()
        if tag in experiment.tags
    ]


def _quiet_mlflow() -> None:
    # A server that is away is tried again from here, not for minutes inside every call.
    for name, value in _HTTP.items():
        os.environ.setdefault(name, value)
    # Else a server's client prints two lines a trial.
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
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
