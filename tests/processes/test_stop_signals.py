"""SIGTERM and SIGHUP as Ctrl-C."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from sgq_auto.processes.stop_signals import Stopped, interrupted_status, stopping_signals

pytestmark = pytest.mark.system

_COMMAND = """
import os, signal, time
from sgq_auto.commands.command_process import command_process

with command_process():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)  # What says nothing new.
        print("cleaned up", flush=True)
"""


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_ends_a_command_in_order(number: int, status: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _COMMAND],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_default_signals,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.kill(process.pid, number)
    out, errors = process.communicate(timeout=30)
    assert errors == "sgq-auto: stopped\n"
    if number != signal.SIGINT:
        assert out == "cleaned up\n"
        assert process.returncode == status
    else:  # The SIGTERM is the first of its kind here.
        assert process.returncode in (130, 143)


def _default_signals() -> None:
    # A suite that runs in the background hands down signals that are ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def test_handlers_are_put_back_and_ignored_signals_stay_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sgq_auto.processes.stop_signals._Received.number", signal.SIGINT)
    monkeypatch.setattr("sgq_auto.processes.stop_signals._Received.at", float("-inf"))
    before: Callable[..., object] | int | None = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping_signals():
            os.kill(os.getpid(), signal.SIGHUP)  # As under nohup.
            with pytest.raises(Stopped):
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        assert interrupted_status() == 143
    finally:
        signal.signal(signal.SIGHUP, before)
