"""Search commands that are killed, or stopped by Ctrl-C or SIGTERM."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from command_runs import QUICK, SYNTHETIC, command, run, summaries, tracked

pytestmark = pytest.mark.system

# Seconds; only what hangs takes as long.
_PATIENCE = 300


@pytest.mark.slow
def test_a_killed_search_continues_to_the_same_total(tmp_path: Path) -> None:
    slow = [*SYNTHETIC, *QUICK, "finetune.epochs=60", "n_trials=12"]
    process = subprocess.Popen(
        command(*slow),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for_trials(tmp_path, 3)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_until_gone(process.pid)
    assert run(tmp_path, *slow).returncode == 0
    (summary,) = summaries(tmp_path)
    assert sum(summary["trials"].values()) == 12
    assert summary["trials"]["failed"] == 0
    assert tracked(tmp_path) == (1, 12)


@pytest.mark.parametrize(
    ("number", "whole_group", "status"),
    [
        pytest.param(signal.SIGINT, True, 130, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, False, 143, marks=pytest.mark.slow),
    ],
)
def test_a_search_that_is_stopped_leaves_a_valid_summary(
    number: int, whole_group: bool, status: int, tmp_path: Path
) -> None:
    with _started(tmp_path, "n_trials=500", "workers=2") as process:
        wait_for_trials(tmp_path, 3)
        (os.killpg if whole_group else os.kill)(process.pid, number)
        _, errors = process.communicate(timeout=_PATIENCE)
        assert process.returncode == status
        assert "Traceback" not in errors
        wait_until_gone(process.pid)
    (summary,) = summaries(tmp_path)
    assert summary["recommended"] is None
    assert "interrupted" in summary["recommended_reason"]
    assert 3 <= summary["trials"]["complete"] < 500
    assert tracked(tmp_path) == (1, sum(summary["trials"].values()))


@pytest.mark.slow
def test_a_search_that_is_stopped_before_its_trials_is_one_line(tmp_path: Path) -> None:
    with _started(tmp_path, "pretrain.epochs=100000") as process:
        deadline = time.monotonic() + _PATIENCE
        while not list(tmp_path.glob("outputs/studies/*/config.json")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        # As a container or a job is ended: all its processes.
        os.killpg(process.pid, signal.SIGTERM)
        _, errors = process.communicate(timeout=_PATIENCE)
        assert process.returncode == 143
        assert errors == "sgq-auto: stopped\n"
        wait_until_gone(process.pid)


@contextmanager
def _started(folder: Path, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """A search that runs; whatever becomes of the test, nothing of it is left."""
    process = subprocess.Popen(
        command(*SYNTHETIC, *QUICK, *arguments),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A suite that runs in the background hands down signals that are ignored.
        preexec_fn=_default_signals,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _default_signals() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def wait_until_gone(group: int) -> None:
    """Wait until a killed command has left no worker behind."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a worker outlived its command")


def wait_for_trials(folder: Path, count: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        journals = list(folder.glob("outputs/studies/*/journal.log"))
        if journals and journals[0].read_text().count('"state":1,') >= count:
            return
        time.sleep(0.05)
    pytest.fail("the search did not get going")
