"""A journal on a disk that fills up, or whose last line a power cut tore."""

import shutil
from pathlib import Path

import optuna
import pytest

from sgq_auto.searching.storage import StorageSettings
from sgq_auto.searching.study import new_study


def open_study(folder: Path) -> optuna.Study:
    return new_study(StorageSettings().open(folder), "s")


def test_a_torn_last_line_costs_that_line_alone(tmp_path: Path) -> None:
    study = open_study(tmp_path)
    study.tell(study.ask(), [0.5, 1.0])
    path = tmp_path / "journal.log"
    whole = path.read_bytes()
    for torn in (b"{", b'{"op_code":4,"worker_id":"' + b"x" * 100_000):
        path.write_bytes(whole + torn)
        again = open_study(tmp_path)
        again.tell(again.ask(), [0.25, 2.0])
        assert open_study(tmp_path).get_trials()[0].values == [0.5, 1.0]
        assert open_study(tmp_path).get_trials()[-1].values == [0.25, 2.0]


def test_a_full_disk_loses_nothing_that_was_written(small_disk: Path) -> None:
    study = open_study(small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 50_000))
    told = []

    def fill() -> None:
        while True:
            study.ask().set_user_attr("filler", "x" * 3000)
            told.append("x" * 3000)

    with pytest.raises(OSError, match="No space left"):
        fill()
    assert 5 < len(told) < 30
    filler.unlink()
    again = open_study(small_disk)
    kept = [trial.user_attrs.get("filler") for trial in again.get_trials()]
    assert kept[: len(told)] == told
    again.tell(again.ask(), [0.5, 1.0])
    assert open_study(small_disk).get_trials()[-1].values == [0.5, 1.0]
