"""A journal on a disk that fills up, whose writers pause or die, or whose lines are forged."""

import json
import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from io import FileIO
from multiprocessing.process import BaseProcess
from pathlib import Path

import optuna
import pytest

from sgq_auto.errors import InputError
from sgq_auto.searching.study import atomic_journal
from sgq_auto.searching.study.atomic_journal import WholeJournal
from sgq_auto.searching.study.study import new_study
from sgq_auto.searching.study.study_storage import open_storage
from sgq_auto.settings.storage_settings import StorageSettings


def open_study(folder: Path) -> optuna.Study:
    return new_study(open_storage(StorageSettings(), folder), "s")


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
    again.tell(again.ask(), [0.5, 1.0])
    assert open_study(small_disk).get_trials()[-1].values == [0.5, 1.0]


def _line(name: str) -> dict[str, object]:
    # An operation that Optuna reads and skips.
    return {"op_code": 10, "worker_id": name}


def _writers(path: Path) -> list[str]:
    return [json.loads(line)["worker_id"] for line in path.read_text().splitlines()]


def _write_and_pause(path: Path) -> None:
    """Append a line; before the journal is cut off, wait for a file ``go``."""

    class Pausing(FileIO):
        def truncate(self, size: int | None = None) -> int:
            path.with_name("paused").touch()
            while not path.with_name("go").exists():
                time.sleep(0.01)
            return super().truncate(size)

    atomic_journal.FileIO = Pausing  # type: ignore[misc]
    WholeJournal(str(path)).append_logs([_line("A")])


@pytest.fixture
def pausing(tmp_path: Path) -> Iterator[Callable[[], BaseProcess]]:
    """Starts a writer in a process of its own, and returns once it pauses or has ended."""
    started: list[BaseProcess] = []

    def start() -> BaseProcess:
        fork = multiprocessing.get_context("fork")
        writer = fork.Process(target=_write_and_pause, args=(tmp_path / "journal.log",))
        started.append(writer)
        writer.start()
        while writer.is_alive() and not (tmp_path / "paused").exists():
            time.sleep(0.01)
        return writer

    yield start
    for process in started:
        process.kill()
        process.join()


def test_a_writer_that_pauses_loses_no_line_of_others(
    tmp_path: Path, pausing: Callable[[], BaseProcess]
) -> None:
    path = tmp_path / "journal.log"
    WholeJournal(str(path)).append_logs([_line("before")])
    writer = pausing()
    # As a process does whose lock was no good, or that took the writer's away.
    with path.open("ab") as file:
        for _ in range(5):
            file.write(json.dumps(_line("B")).encode() + b"\n")
    (tmp_path / "go").touch()
    writer.join(30)
    assert writer.exitcode == 0
    assert sorted(_writers(path)) == ["A", *["B"] * 5, "before"]


def test_a_lock_is_kept_through_a_pause_and_goes_with_its_process(
    tmp_path: Path, pausing: Callable[[], BaseProcess]
) -> None:
    path = tmp_path / "journal.log"
    WholeJournal(str(path)).append_logs([_line("before")])
    with path.open("ab") as file:
        file.write(b'{"op_code":')  # What a kill left: it has to be cut off.
    writer = pausing()
    assert writer.is_alive()
    other = threading.Thread(target=WholeJournal(str(path)).append_logs, args=([_line("B")],))
    other.start()
    other.join(0.5)
    assert other.is_alive()
    assert path.read_bytes().endswith(b'{"op_code":')
    writer.kill()
    other.join(5)
    assert not other.is_alive()
    assert _writers(path) == ["before", "B"]


@pytest.mark.slow
def test_a_pause_of_half_a_minute_loses_nothing(
    tmp_path: Path, pausing: Callable[[], BaseProcess]
) -> None:
    path = tmp_path / "journal.log"
    path.write_bytes(b'{"op_code":')
    writer = pausing()
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGSTOP)
    lines = [[_line("B")] for _ in range(5)]
    other = threading.Thread(target=lambda: [*map(WholeJournal(str(path)).append_logs, lines)])
    other.start()
    other.join(40)
    assert other.is_alive()
    (tmp_path / "go").touch()
    os.kill(writer.pid, signal.SIGCONT)
    writer.join(30)
    assert writer.exitcode == 0
    other.join(5)
    assert _writers(path) == ["A", *["B"] * 5]


_TRIAL = {"op_code": 4, "worker_id": "w", "study_id": 0, "datetime_start": "2026-01-01T00:00:00"}
_ATTR = {"op_code": 8, "worker_id": "w", "trial_id": 0}
_TOLD = {"op_code": 6, "worker_id": "w", "trial_id": 0, "state": 1, "values": [0.5, 1.0]}
FORGED: dict[str, object] = {
    "no object": [1],
    "no operation": {"worker_id": "w"},
    "an operation of text": {**_ATTR, "op_code": "8"},
    "an operation that is none": {**_ATTR, "op_code": 99},
    "nobody's": {"op_code": 4, "study_id": 0},
    "of a study of text": {**_TRIAL, "study_id": ["x"]},
    "at no time": {**_TRIAL, "datetime_start": 5},
    "a state that is none": {**_TOLD, "state": 17},
    "values of text": {**_TOLD, "values": ["0.5", "1"]},
    "one value": {**_TOLD, "values": [0.5]},
    "a value that is no number": {**_TOLD, "values": [float("nan"), 1.0]},
    "a value for all of the disk": {**_TOLD, "values": [0.5, 10**400]},
    "two attributes at once": {**_ATTR, "user_attr": {"a": 1, "b": 2}},
    "an attribute of text": {**_ATTR, "user_attr": "record"},
    "a worker without a process": {**_ATTR, "user_attr": {"sgq_auto:worker": {"host": "h"}}},
    "a worker of huge number": {
        **_ATTR,
        "user_attr": {"sgq_auto:worker": {"host": "h", "pid": 10**30, "worker": "w"}},
    },
    "every process": {
        **_ATTR,
        "user_attr": {"sgq_auto:worker": {"host": "h", "pid": -1, "worker": "w"}},
    },
    "a record of text": {**_ATTR, "user_attr": {"record": "good"}},
    "a record of an accuracy above 1": {**_ATTR, "user_attr": {"record": {"val_accuracy": 2}}},
    "a failure of numbers": {**_ATTR, "user_attr": {"record": {"failure": 3}}},
    "repeats of text": {**_ATTR, "user_attr": {"repeat": "many"}},
    "a list for a number": {**_ATTR, "user_attr": {"sgq_auto:start": [1]}},
    "seconds of text": {
        "op_code": 2, "worker_id": "w", "study_id": 0, "user_attr": {"wall_seconds": "3"},
    },
    "fixed parameters of text": {
        **_ATTR, "op_code": 9, "system_attr": {"fixed_params": {"a": "b"}},
    },
    "a parameter that is none": {
        "op_code": 5, "worker_id": "w", "trial_id": 0, "param_name": "p",
        "param_value_internal": float("inf"), "distribution": "{}",
    },
    "a distribution that is none": {
        "op_code": 5, "worker_id": "w", "trial_id": 0, "param_name": "p",
        "param_value_internal": 1.0, "distribution": '{"name": "os.system", "attributes": {}}',
    },
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_line_is_one_line_that_names_the_file(tmp_path: Path, name: str) -> None:
    study = open_study(tmp_path)
    study.ask()
    with (tmp_path / "journal.log").open("a") as journal:
        journal.write(json.dumps(FORGED[name]) + "\n")
    with pytest.raises(InputError, match=r"journal\.log: line \d+ ") as error:
        open_study(tmp_path).get_trials()
    assert str(error.value).isprintable()


@pytest.mark.parametrize("line", [b"\xff\xfe\n", b"{\n", b"1e5\n", b"[" * 100_000 + b"\n"])
def test_a_line_in_the_middle_that_is_no_json_is_one_line(tmp_path: Path, line: bytes) -> None:
    open_study(tmp_path).ask()
    path = tmp_path / "journal.log"
    whole = path.read_bytes()
    path.write_bytes(line + whole)
    with pytest.raises(InputError, match=r"journal\.log: line \d+ "):
        open_study(tmp_path)
