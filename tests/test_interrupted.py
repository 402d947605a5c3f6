"""Search commands that are killed or stopped by Ctrl-C."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from commands import QUICK, SYNTHETIC, command, run, summaries, tracked


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


def test_ctrl_c_leaves_a_valid_summary(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(*SYNTHETIC, *QUICK, "n_trials=500"),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A suite that runs in the background hands down a SIGINT that is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_for_trials(tmp_path, 3)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    (summary,) = summaries(tmp_path)
    assert summary["recommended"] is None
    assert "interrupted" in summary["recommended_reason"]
    assert 3 <= summary["trials"]["complete"] < 500
    assert tracked(tmp_path) == (1, sum(summary["trials"].values()))


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
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        journals = list(folder.glob("outputs/studies/*/journal.log"))
        if journals and journals[0].read_text().count('"state":1,') >= count:
            return
        time.sleep(0.05)
    pytest.fail("the search did not get going")
