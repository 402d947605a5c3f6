"""Search commands that tests run, watch and disturb."""

import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from command_runs import QUICK, SYNTHETIC, command
from sgq_auto.searching.study.study_storage import open_storage
from sgq_auto.searching.trials.worker_heartbeat import WorkerIdentity
from sgq_auto.settings.storage_settings import StorageSettings

N_TRIALS = 30
_SEARCH = (*SYNTHETIC, *QUICK, f"n_trials={N_TRIALS}", "finetune.epochs=30", "workers=3")
_LIMIT_SECONDS = 600  # Only a search that hangs takes as long.


@dataclass
class RunningSearch:
    """A search command that runs, and the study it writes."""

    folder: Path
    process: subprocess.Popen[str]
    storage: StorageSettings

    @classmethod
    def start(
        cls, folder: Path, storage: StorageSettings, *overrides: str, host: Sequence[str] = ()
    ) -> "RunningSearch":
        """Start a search in ``folder``, by a command that enters another host's network."""
        kind = [f"storage={storage.kind}"]
        kind += [f"storage.url={storage.url}"] if storage.url else []
        process = subprocess.Popen(
            [*host, *command(*_SEARCH, *kind, *overrides)],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return cls(folder, process, storage)

    @property
    def alive(self) -> bool:
        """Whether the command still runs."""
        return self.process.poll() is None

    def study(self) -> optuna.Study | None:
        """The study, once it is there."""
        folders = list((self.folder / "outputs" / "studies").glob("*"))
        if not folders:
            return None
        try:
            return optuna.load_study(
                storage=open_storage(self.storage, folders[0]), study_name=folders[0].name
            )
        except (KeyError, optuna.exceptions.OptunaError):
            return None

    def end(self) -> tuple[int, str, str]:
        """Its exit status, output and errors."""
        out, errors = self.process.communicate(timeout=_LIMIT_SECONDS)
        return self.process.returncode, out, errors


def running_workers(study: optuna.Study) -> list[int]:
    """Processes that run a trial now."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return [w.pid for w in map(WorkerIdentity.of, trials) if w is not None and not w.ended]


def kill_workers(search: RunningSearch, rng: random.Random, kills: int) -> int:
    """Kill workers at random moments until the search ends; how many were killed."""
    killed = 0
    study = None
    while search.alive and killed < kills:
        time.sleep(rng.uniform(0.1, 0.6))
        study = study or search.study()
        pids = running_workers(study) if study else []
        if pids:
            os.kill(rng.choice(pids), signal.SIGKILL)
            killed += 1
    return killed


def tracked_numbers(folder: Path) -> list[int]:
    """Numbers of the trials in the tracking store."""
    with sqlite3.connect(folder / "mlruns" / "mlflow.db") as store:
        query = (
            "select t.value from runs r join tags t on r.run_uuid = t.run_uuid "
            "where r.lifecycle_stage = 'active' and t.key = 'sgq_auto.trial'"
        )
        return [int(number) for (number,) in store.execute(query)]


def wait_until(condition: Callable[[], bool], *searches: RunningSearch) -> None:
    """Wait for a condition while searches run; one that ends before fails the test."""
    deadline = time.monotonic() + _LIMIT_SECONDS
    while time.monotonic() < deadline:
        if condition():
            return
        for search in searches:
            if not search.alive:
                pytest.fail(f"a search ended too early: {search.end()}")
        time.sleep(0.1)
    pytest.fail("the search did not get going")
