"""What a command does now: a moving line on a terminal, a line now and then in a file."""

import threading
import time
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from sgq_auto.searching.command_stages import Stage

_WIDE = 100
_POLL_SECONDS = 0.2


class StageView(Protocol):
    """Shows what a command does now, so that nobody waits in front of a silent terminal."""

    def show(self, stage: Stage, state: str = "") -> None:
        """A stage begins, or goes on.

        Args:
            stage: The stage, and how much of it is done.
            state: What is known so far, like the best size.
        """

    def close(self) -> None:
        """Nothing is under way any more; called before the command prints its results."""


def stage_view(console: Console) -> StageView:
    """The view that suits a console: a moving line on a terminal, else lines for a file."""
    return MovingLine(console) if console.is_terminal else LogLines(console)


class MovingLine:
    """One line of a terminal, which moves: a bar where parts are counted, and the time."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._stage = Stage("")

    def show(self, stage: Stage, state: str = "") -> None:
        """Draw or change the line; a stage of another name begins a new bar and its time."""
        if self._progress is None:
            self._progress = self._started()
        task = self._progress.task_ids[0] if self._progress.task_ids else None
        if task is None or stage.text != self._stage.text:
            # A new task, so that its time begins anew.
            if task is not None:
                self._progress.remove_task(task)
            task = self._progress.add_task(stage.text, total=stage.total, state="")
        note = ", ".join(filter(None, (stage.note, state)))
        self._progress.update(task, completed=stage.done, total=stage.total, state=note)
        self._stage = stage

    def close(self) -> None:
        """Remove the line from the terminal."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _started(self) -> Progress:
        wide = self._console.width >= _WIDE
        progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30 if wide else 10),
            _CountColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            console=self._console,
            transient=True,
        )
        progress.start()
        return progress


class _CountColumn(ProgressColumn):
    """``3/12`` where parts are counted."""

    def render(self, task: Task) -> Text:
        """The count of a task."""
        return Text("" if task.total is None else f"{task.completed:.0f}/{task.total:.0f}")


class LogLines:
    """Lines of a file: one as a stage begins, and more of it at growing intervals.

    A stage that is over within ``first_seconds`` has no line.

    Args:
        console: Where they go.
        first_seconds: When a stage has its first line.
        pause_seconds: The shortest pause between two lines of a stage.
        growth: The pause as a share of the time that the stage has taken, once that is more.
    """

    def __init__(
        self,
        console: Console,
        first_seconds: float = 1.0,
        pause_seconds: float = 5.0,
        growth: float = 0.25,
    ) -> None:
        self._console = console
        self._first, self._pause, self._growth = first_seconds, pause_seconds, growth
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._stage: Stage | None = None
        self._state = ""
        self._noted = False
        self._began = self._due = 0.0
        self._said = time.monotonic()

    def show(self, stage: Stage, state: str = "") -> None:
        """Note the stage; a thread writes its lines when they are due."""
        with self._lock:
            now = time.monotonic()
            if self._stage is None or stage.text != self._stage.text:
                # However short stages are, a line comes every few seconds.
                self._began, self._due = now, min(now + self._first, self._said + self._pause)
            if stage.note and not self._noted:
                self._noted, self._due = True, min(self._due, now + self._first)
            self._stage, self._state = stage, state
        if self._thread is None:
            self._ended.clear()
            self._thread = threading.Thread(target=self._tick, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Write no more lines, and wait for the thread that writes them."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = self._stage = None

    def _tick(self) -> None:
        while not self._ended.wait(min(_POLL_SECONDS, self._first)):
            with self._lock:
                now = time.monotonic()
                if self._stage is None or now < self._due:
                    continue
                seconds = now - self._began
                self._said = now
                self._due = now + max(self._pause, self._growth * seconds)
                line = _line(self._stage, self._state, seconds, self._pause)
            self._console.print(line)


def _line(stage: Stage, state: str, seconds: float, pause: float) -> str:
    count = "" if stage.total is None else f": {stage.done} of {stage.total}"
    # The first line of a stage needs no time.
    spent = f", {seconds:.0f} s" if seconds >= pause else ""
    more = ", ".join(filter(None, (stage.note, state)))
    return f"{stage.text}{count}{spent}{f' ({more})' if more else ''}"
