"""A small study to report."""

from pathlib import Path

import pytest

from made_studies import made_progress
from sgq_auto.graphs import PreparedData
from sgq_auto.searching import StudyProgress


@pytest.fixture
def progress(synthetic: PreparedData, tmp_path: Path) -> StudyProgress:
    return made_progress(synthetic, tmp_path)
