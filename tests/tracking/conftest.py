"""A small study, and a store for it."""

import shutil
from pathlib import Path

import pytest

from made_studies import made_progress
from sgq_auto.graphs import PreparedData
from sgq_auto.searching import StudyProgress
from sgq_auto.tracking import TrackingSettings
from sgq_auto.tracking.stores import open_store


@pytest.fixture
def progress(synthetic: PreparedData, tmp_path: Path) -> StudyProgress:
    return made_progress(synthetic, tmp_path)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without a run: MLflow takes seconds to make one."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    holder = TrackingSettings(f"sqlite:///{path}", path.parent / "artifacts", "unused")
    open_store(holder)
    return path


@pytest.fixture
def tracking(tmp_path: Path, empty_store: Path) -> TrackingSettings:
    folder = tmp_path / "mlruns"
    folder.mkdir()
    shutil.copy(empty_store, folder / "mlflow.db")
    return TrackingSettings(f"sqlite:///{folder / 'mlflow.db'}", folder / "artifacts", "sgq_auto")
