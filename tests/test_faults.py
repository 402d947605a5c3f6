"""Real searches whose workers, databases and tracking stores die; nothing may be lost."""

import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from servers import PostgresServer
from sgq_auto.searching.liveness import WorkerIdentity
from sgq_auto.searching.samplers.history import standing_trials
from sgq_auto.searching.storage import StorageKind, StorageSettings
from test_commands import QUICK, SYNTHETIC, command, summaries, tracked

_TRIALS = 30
_SEARCH = (*SYNTHETIC, *QUICK, f"n_trials={_TRIALS}", "finetune.epochs=30", "workers=3")
_LIMIT_SECONDS = 180


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
                storage=self.storage.open(folders[0]), study_name=folders[0].name
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


def assert_whole(search: RunningSearch) -> dict[str, Any]:
    """Exactly n_trials are finished and tracked, each once; the summary."""
    (summary,) = summaries(search.folder)
    assert sum(summary["trials"].values()) == _TRIALS
    study = search.study()
    assert study is not None
    standing = standing_trials(study)
    finished = [t for t in standing if t.state.is_finished()]
    assert len(finished) == _TRIALS
    assert not study.get_trials(states=(TrialState.RUNNING,))
    assert tracked(search.folder) == (1, _TRIALS)
    numbers = tracked_numbers(search.folder)
    assert sorted(numbers) == sorted(t.number for t in finished)
    return summary


def tracked_numbers(folder: Path) -> list[int]:
    """Numbers of the trials in the tracking store."""
    with sqlite3.connect(folder / "mlruns" / "mlflow.db") as store:
        query = (
            "select t.value from runs r join tags t on r.run_uuid = t.run_uuid "
            "where r.lifecycle_stage = 'active' and t.key = 'sgq_auto.trial'"
        )
        return [int(number) for (number,) in store.execute(query)]


def storage_of(kind: str, request: pytest.FixtureRequest) -> StorageSettings:
    if kind == "journal":
        return StorageSettings()
    server: PostgresServer = request.getfixturevalue("postgres")
    return StorageSettings(StorageKind.POSTGRESQL, server.new_database())


@pytest.mark.parametrize("kind", ["journal", "postgresql"])
def test_killed_workers_cost_nothing(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    search = RunningSearch.start(tmp_path, storage_of(kind, request))
    assert kill_workers(search, random.Random(0), kills=3) == 3
    status, _, errors = search.end()
    assert status == 0, errors
    assert_whole(search)


def test_a_database_that_is_away_for_a_while_costs_nothing(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    storage = StorageSettings(StorageKind.POSTGRESQL, postgres.new_database())
    search = RunningSearch.start(tmp_path, storage)
    wait_until(lambda: (study := search.study()) is not None and bool(running_workers(study)))
    postgres.stop()
    time.sleep(3)
    assert search.alive
    postgres.start()
    status, _, errors = search.end()
    assert status == 0, errors
    assert "the study's database cannot be reached" in errors
    assert "Traceback" not in errors
    assert_whole(search)


def test_a_database_that_stays_away_is_one_line(tmp_path: Path, postgres: PostgresServer) -> None:
    storage = StorageSettings(StorageKind.POSTGRESQL, postgres.new_database())
    search = RunningSearch.start(tmp_path, storage, "storage.patience_seconds=1")
    wait_until(lambda: (study := search.study()) is not None and bool(running_workers(study)))
    postgres.stop()
    try:
        status, _, errors = search.end()
    finally:
        postgres.start()
    assert status == 1
    assert "Traceback" not in errors
    assert "stayed away" in errors.splitlines()[-1]
    again = RunningSearch.start(tmp_path, storage, "storage.grace_seconds=11")
    status, _, errors = again.end()
    assert status == 0, errors
    assert_whole(again)


def test_commands_that_start_one_study_at_once_share_it(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    storage = StorageSettings(StorageKind.POSTGRESQL, postgres.new_database())
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    store = f"tracking.uri=sqlite:///{tmp_path}/mlflow.db"
    slow = ("workers=1", "finetune.epochs=200")
    both = [RunningSearch.start(folder, storage, *slow, store) for folder in folders]
    ends = [search.end() for search in both]
    assert [status for status, _, _ in ends] == [0, 0], ends
    led = [bool(summaries(search.folder)) for search in both]
    assert sorted(led) == [False, True]
    leader, helper = both[led.index(True)], ends[led.index(False)]
    assert "another command leads this study" in helper[1]
    (summary,) = summaries(leader.folder)
    assert sum(summary["trials"].values()) == _TRIALS
    study = leader.study()
    assert study is not None
    workers = {WorkerIdentity.of(trial) for trial in standing_trials(study)}
    assert len(workers) == 2


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LIMIT_SECONDS
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.1)
    pytest.fail("the search did not get going")
