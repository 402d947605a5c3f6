"""Benchmarks are run by hand; what they are made of must still be there."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

_FOLDER = Path(__file__).parents[1] / "benchmarks"


def test_every_benchmark_can_be_loaded() -> None:
    names = sorted(path.stem for path in _FOLDER.glob("*.py"))
    assert len(names) > 10
    done = subprocess.run(
        [sys.executable, "-c", f"import {', '.join(names)}"],
        cwd=_FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
