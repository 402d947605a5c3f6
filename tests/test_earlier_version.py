"""Files that version 0.1.0 wrote, with the commands of this one: they work as they did.

``tests/earlier/0.1.0`` holds a study of a GAT on a small synthetic graph as ``export`` wrote it,
its trial 3 packed, and the classes that ``infer`` predicted with that.
"""

import csv
from pathlib import Path

import pytest

from command_runs import call

pytestmark = pytest.mark.system

_EARLIER = Path(__file__).parent / "earlier" / "0.1.0"
_STUDY = "synthetic-gat-lwq_cwq_taq-abs-seed0-01493363"


def _classes(path: Path) -> list[list[str]]:
    with path.open() as file:
        return list(csv.reader(file))


def test_an_artifact_predicts_what_it_did(tmp_path: Path) -> None:
    done = call(tmp_path, "infer", f"artifact={_EARLIER / 'gat.safetensors'}", "out=classes.csv")
    assert done.returncode == 0, done.stderr
    assert _classes(tmp_path / "classes.csv") == _classes(_EARLIER / "classes.csv")


def test_a_study_is_restored_goes_on_and_is_packed(tmp_path: Path) -> None:
    done = call(tmp_path, "restore", f"file={_EARLIER / 'study.zip'}")
    assert done.returncode == 0, done.stderr
    done = call(tmp_path, "status", f"study={_STUDY}")
    assert "6 of 6" in done.stdout, done.stdout + done.stderr
    done = call(tmp_path, "export", f"study={_STUDY}", "trial=3", "out=packed.safetensors")
    assert done.returncode == 0, done.stderr
    done = call(tmp_path, "infer", "artifact=packed.safetensors", "out=classes.csv")
    assert done.returncode == 0, done.stderr
    assert _classes(tmp_path / "classes.csv") == _classes(_EARLIER / "classes.csv")
