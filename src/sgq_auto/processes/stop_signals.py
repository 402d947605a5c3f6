"""SIGTERM and SIGHUP end a command as Ctrl-C does. Standard library only."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Where the system has them; a command that was started by nohup ignores SIGHUP, and goes on to.
_NAMES = ("SIGTERM", "SIGHUP")
_SIGNALS = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
# A signal again within this time says nothing new: supervisors send it to a process and its group.
_SAME_SECONDS = 10.0


class Stopped(KeyboardInterrupt):
    """A signal that asks a command to end."""


class _Received:
    """The last signal, and when it came."""

    number: int = signal.SIGINT
    at: float = float("-inf")


@contextmanager
def stopping_signals() -> Iterator[None]:
    """Within it these signals raise :class:`Stopped` in the main thread, as Ctrl-C would."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    ours = [number for number, handler in before.items() if handler is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])


def leave_signals_to_command(*, ends_by_sigterm: bool) -> None:
    """Let a worker leave Ctrl-C and SIGHUP, which a group of processes gets, to its command.

    Args:
        ends_by_sigterm: Whether SIGTERM ends the worker: pools of Python end theirs so.
    """
    for number in (signal.SIGINT, *_SIGNALS):
        signal.signal(number, signal.SIG_IGN)
    if ends_by_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


@contextmanager
def held_signals() -> Iterator[None]:
    """Processes started within it do not see these signals; this one sees them afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def interrupted_status() -> int:
    """The exit status of a command that a signal ended: 130 for Ctrl-C, 143 for SIGTERM."""
    return 128 + _Received.number


def _stop(number: int, _frame: FrameType | None) -> None:
    again = time.monotonic() - _Received.at < _SAME_SECONDS
    if not again:
        _Received.number, _Received.at = number, time.monotonic()
        raise Stopped(signal.Signals(number).name)
