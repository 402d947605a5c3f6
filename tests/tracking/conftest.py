"""A small study, and a store for it."""

import shutil
from pathlib import Path

import pytest

from empty_store import empty_store
from made_studies import made_progress
from sgq_auto.graphs import PreparedData
from sgq_auto.searching import StudyProgress
from sgq_auto.tracking import TrackingSettings


@pytest.fixture
def progress(synthetic: PreparedData, tmp_path: Path) -> StudyProgress:
    return made_progress(synthetic, tmp_path)


@pytest.fixture
def tracking(tmp_path: Path) -> TrackingSettings:
    folder = tmp_path / "mlruns"
    folder.mkdir()
    shutil.copy(empty_store(), folder / "mlflow.db")
    return TrackingSettings(f"sqlite:///{folder / 'mlflow.db'}", folder / "artifacts", "sgq_auto")
