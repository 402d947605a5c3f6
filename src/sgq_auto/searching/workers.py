"""Worker processes: N of them run the trials of one study, one torch thread each."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import optuna
import torch

from sgq_auto.graphs.store import load_graph
from sgq_auto.processes import process_context
from sgq_auto.searching.runner import TrialRunner
from sgq_auto.searching.settings import SearchSettings
from sgq_auto.searching.start import SearchStart
from sgq_auto.searching.study import counted_trials, fail_orphans, finished_trials
from sgq_auto.searching.workbench import Workbench

_POLL_SECONDS = 0.2
_GRACE_SECONDS = 20.0


class WorkerError(RuntimeError):
    """The workers died without finishing a trial."""


@dataclass(frozen=True)
class StudyFolder:
    """Where a study keeps its files.

    Attributes:
        path: The folder.
        name: The study's name.
    """

    path: Path
    name: str

    @property
    def graph(self) -> Path:
        """The prepared graph, without test labels."""
        return self.path / "graph.safetensors"

    @property
    def held_out(self) -> Path:
        """The test labels; only the confirm stage opens it."""
        return self.path / "held_out.safetensors"

    @property
    def config(self) -> Path:
        """The configuration of the search."""
        return self.path / "config.json"

    @property
    def sensitivities(self) -> Path:
        """What each group loses at each bit-width."""
        return self.path / "sensitivities.json"

    @property
    def confirmed(self) -> Path:
        """Rows of the confirm stage, one JSON object a line."""
        return self.path / "confirm.jsonl"


def run_workers(
    settings: SearchSettings,
    folder: StudyFolder,
    study: optuna.Study,
    on_progress: Callable[[], None],
) -> None:
    """Run trials until the study has ``n_trials``; ``on_progress`` is called a few times a second.

    A trial whose worker died is recorded as failed, and a new worker takes its place.

    Raises:
        WorkerError: If workers keep dying before they finish anything.
        KeyboardInterrupt: After running trials were given a moment to finish.
    """
    fruitless = 0
    while True:
        done = len(finished_trials(study))
        remaining = settings.n_trials - len(counted_trials(study))
        if remaining <= 0:
            return
        exit_codes = _run_round(settings, folder, remaining, on_progress)
        bad = [code for code in exit_codes if code]
        fail_orphans(study, f"the worker died (exit status {bad[0] if bad else 'unknown'})")
        on_progress()
        fruitless = fruitless + 1 if len(finished_trials(study)) == done else 0
        if fruitless == 2:
            raise WorkerError(f"workers ended (exit status {bad}) before they finished a trial")


def quiet_process() -> None:
    """Set a worker process up: it uses one torch thread and lives as long as the command.

    Ctrl-C is the command's to handle. A worker of a command that was killed must not go on beside
    the one that continues it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _run_round(
    settings: SearchSettings, folder: StudyFolder, remaining: int, on_progress: Callable[[], None]
) -> list[int | None]:
    context = process_context()
    claims, asking, stop = context.Semaphore(remaining), context.Lock(), context.Event()
    workers = [
        context.Process(target=_work, args=(settings, folder, claims, asking, stop), daemon=True)
        for _ in range(min(settings.workers, remaining))
    ]
    for worker in workers:
        worker.start()
    try:
        while any(worker.is_alive() for worker in workers):
            _join(workers, _POLL_SECONDS)
            on_progress()
    except KeyboardInterrupt:
        stop.set()
        _join(workers, _GRACE_SECONDS)
        for worker in workers:
            worker.terminate()
        _join(workers, _GRACE_SECONDS)
        raise
    return [worker.exitcode for worker in workers]


def _join(workers: list[BaseProcess], seconds: float) -> None:
    """Wait until every worker has ended, at most ``seconds``."""
    sentinels = [worker.sentinel for worker in workers if worker.is_alive()]
    while sentinels and seconds > 0:
        step = min(seconds, _POLL_SECONDS)
        ended = multiprocessing.connection.wait(sentinels, timeout=step)
        sentinels = [s for s in sentinels if s not in ended]
        seconds -= step


def _work(
    settings: SearchSettings, folder: StudyFolder, claims: Any, asking: Any, stop: Any
) -> None:
    quiet_process()
    graph = load_graph(folder.graph)
    study = optuna.load_study(storage=settings.storage.open(folder.path), study_name=folder.name)
    bench = Workbench.build(settings, graph)
    runner = TrialRunner(bench, study, SearchStart.prepare(bench, folder.sensitivities))
    # A claim taken is a trial that will count, so that N workers never run one too many.
    while not stop.is_set() and claims.acquire(block=False):
        with asking:
            trial = runner.ask()
        runner.run(trial)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
