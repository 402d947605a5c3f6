"""Worker processes: N of them run the trials of one study, one torch thread each."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import optuna
import torch
from filelock import FileLock
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState

from sgq_auto.graphs.store import load_graph
from sgq_auto.processes import process_context
from sgq_auto.searching.claims import requeue, retire, retry_lost
from sgq_auto.searching.liveness import Watch, WorkerIdentity
from sgq_auto.searching.runner import TrialRunner
from sgq_auto.searching.settings import SearchSettings
from sgq_auto.searching.space import SearchSpace
from sgq_auto.searching.start import SearchStart
from sgq_auto.searching.study import finished_trials
from sgq_auto.searching.workbench import Workbench

_POLL_SECONDS = 0.2
_ASKING_POLL_SECONDS = 0.005
_GRACE_SECONDS = 20.0
# Workers that may die one after another, for each there is to be, before a search gives up.
_FRUITLESS_DEATHS = 3
_STORAGE_LOST = 1


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
    def summary(self) -> Path:
        """What its last search found."""
        return self.path / "summary.json"

    @property
    def confirmed(self) -> Path:
        """Rows of the confirm stage, one JSON object a line."""
        return self.path / "confirm.jsonl"


def run_workers(
    settings: SearchSettings,
    folder: StudyFolder,
    study: optuna.Study,
    space: SearchSpace,
    on_progress: Callable[[], None],
) -> None:
    """Run trials until the study has ``n_trials``; ``on_progress`` is called a few times a second.

    Workers that died are replaced, and their trials are run again once. Where other commands run
    the study too, theirs are watched as well.

    Raises:
        WorkerError: If workers keep dying before they finish anything.
        KeyboardInterrupt: After running trials were given a moment to finish.
    """
    watch = Watch(settings.storage.grace_seconds)
    crew = _Crew(settings, folder)
    fruitless, done = 0, len(finished_trials(study))
    try:
        while done < settings.n_trials:
            crew.fill(settings.n_trials - done)
            ended = crew.wait(_POLL_SECONDS)
            running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            lost = watch.lost(running, ended)
            for trial in running:
                if trial.number in lost:
                    retire(study, trial, space, lost[trial.number])
            retry_lost(study)
            before, done = done, len(finished_trials(study))
            fruitless = 0 if done > before else fruitless + len(ended)
            if fruitless > _FRUITLESS_DEATHS * settings.workers:
                reasons = ", ".join(sorted(set(ended.values())))
                raise WorkerError(f"workers ended ({reasons}) before they finished a trial")
            on_progress()
        crew.join()
    except KeyboardInterrupt:
        for trial in crew.abandon(study):
            requeue(study, trial, space)
        raise
    finally:
        crew.end()


def quiet_process() -> None:
    """Set a worker process up: it uses one torch thread and lives as long as the command.

    Ctrl-C is the command's to handle. A worker of a command that was killed must not go on beside
    the one that continues it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


class _Crew:
    """The worker processes of this command."""

    def __init__(self, settings: SearchSettings, folder: StudyFolder) -> None:
        self._settings = settings
        self._folder = folder
        self._context = process_context()
        self._stop = self._context.Event()
        self._workers: list[BaseProcess] = []
        self._pids: set[int] = set()

    def fill(self, trials: int) -> None:
        """Start as many workers as are missing for this many trials."""
        while len(self._workers) < min(self._settings.workers, trials):
            arguments = (self._settings, self._folder, self._stop)
            worker = self._context.Process(target=_work, args=arguments, daemon=True)
            worker.start()
            self._workers.append(worker)
            self._pids.add(worker.pid)

    def wait(self, seconds: float) -> dict[int, str]:
        """How workers ended that died within ``seconds``, by process id."""
        sentinels = [worker.sentinel for worker in self._workers]
        multiprocessing.connection.wait(sentinels, timeout=seconds)
        ended = [worker for worker in self._workers if not worker.is_alive()]
        self._workers = [worker for worker in self._workers if worker not in ended]
        return {w.pid: f"exit status {w.exitcode}" for w in ended if w.exitcode and w.pid}

    def join(self) -> None:
        """Wait for workers that have nothing left to do."""
        _join(self._workers, _GRACE_SECONDS)

    def abandon(self, study: optuna.Study) -> list[FrozenTrial]:
        """Let running trials finish for a moment; those that did not."""
        self._stop.set()
        self.join()
        self.end()
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        signed = ((trial, WorkerIdentity.of(trial)) for trial in running)
        return [t for t, w in signed if w is not None and w.here and w.pid in self._pids]

    def end(self) -> None:
        """End the workers that are left."""
        for worker in self._workers:
            worker.terminate()
        _join(self._workers, _GRACE_SECONDS)


def _join(workers: list[BaseProcess], seconds: float) -> None:
    """Wait until every worker has ended, at most ``seconds``."""
    sentinels = [worker.sentinel for worker in workers if worker.is_alive()]
    while sentinels and seconds > 0:
        step = min(seconds, _POLL_SECONDS)
        ended = multiprocessing.connection.wait(sentinels, timeout=step)
        sentinels = [s for s in sentinels if s not in ended]
        seconds -= step


def _work(settings: SearchSettings, folder: StudyFolder, stop: Any) -> None:
    quiet_process()
    try:
        _run_trials(settings, folder, stop)
    except StorageInternalError:
        sys.exit(_STORAGE_LOST)  # The command itself finds that out, and says so.


def _run_trials(settings: SearchSettings, folder: StudyFolder, stop: Any) -> None:
    graph = load_graph(folder.graph)
    storage = settings.storage.open(folder.path, patient=True)
    study = optuna.load_study(storage=storage, study_name=folder.name)
    bench = Workbench.build(settings, graph)
    runner = TrialRunner(bench, study, SearchStart.prepare(bench, folder.sensitivities))
    # One at a time, so that each sees what the others of this machine are trying. A worker that is
    # killed meanwhile lets go of a file's lock.
    asking = FileLock(folder.path / "asking.lock", poll_interval=_ASKING_POLL_SECONDS)
    while not stop.is_set():
        with asking:
            trial = runner.ask()
        if trial is not None:
            runner.run(trial)
        elif len(finished_trials(study)) >= settings.n_trials:
            return
        else:
            stop.wait(_POLL_SECONDS)  # A trial that runs elsewhere may yet be lost.


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
