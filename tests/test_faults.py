"""Real searches whose workers, databases and tracking stores die; nothing may be lost."""

import random
import shutil
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState

from command_runs import QUICK, SYNTHETIC, call, run, summaries, tracked
from running import (
    N_TRIALS,
    RunningSearch,
    kill_workers,
    running_workers,
    tracked_numbers,
    wait_until,
)
from servers import MlflowServer, PostgresServer
from sgq_auto.searching.study.study import finished_trials
from sgq_auto.searching.trials.standing_trials import standing_trials
from sgq_auto.searching.trials.worker_heartbeat import WorkerIdentity
from sgq_auto.settings.storage_settings import StorageKind, StorageSettings

pytestmark = pytest.mark.system


def assert_whole(search: RunningSearch) -> dict[str, Any]:
    """Exactly n_trials are finished and tracked, each once; the summary."""
    (summary,) = summaries(search.folder)
    assert sum(summary["trials"].values()) == N_TRIALS
    study = search.study()
    assert study is not None
    standing = standing_trials(study)
    finished = [t for t in standing if t.state.is_finished()]
    assert len(finished) == N_TRIALS
    assert not study.get_trials(states=(TrialState.RUNNING,))
    assert tracked(search.folder) == (1, N_TRIALS)
    numbers = tracked_numbers(search.folder)
    assert sorted(numbers) == sorted(t.number for t in finished)
    return summary


def storage_of(kind: str, request: pytest.FixtureRequest) -> StorageSettings:
    if kind == "journal":
        return StorageSettings()
    server: PostgresServer = request.getfixturevalue("postgres")
    return StorageSettings(StorageKind.POSTGRESQL, server.new_database())


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["journal", "postgresql"])
def test_killed_workers_cost_nothing(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    search = RunningSearch.start(tmp_path, storage_of(kind, request))
    assert kill_workers(search, random.Random(0), kills=3) == 3
    status, _, errors = search.end()
    assert status == 0, errors
    assert_whole(search)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["journal", "postgresql"])
def test_twenty_rounds_of_killing_cost_nothing(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    rng = random.Random(1)
    undisturbed = [_round(tmp_path / f"calm{k}", kind, request, k) for k in range(3)]
    disturbed = [_round(tmp_path / f"round{k}", kind, request, k, rng) for k in range(20)]
    print(f"{kind}: undisturbed {undisturbed}, disturbed {disturbed}")
    # Fewer than four workers draw other allocations: spread, but no bias.
    noise = max(statistics.stdev(undisturbed), statistics.stdev(disturbed))
    assert statistics.fmean(disturbed) >= statistics.fmean(undisturbed) - 2 * noise


def _round(
    folder: Path,
    kind: str,
    request: pytest.FixtureRequest,
    seed: int,
    rng: random.Random | None = None,
) -> float:
    """The hypervolume of a study whose workers are killed, and whose database is restarted."""
    folder.mkdir()
    search = RunningSearch.start(folder, storage_of(kind, request), f"seed={seed}", "workers=4")
    if rng is not None:
        kill_workers(search, rng, kills=rng.randint(1, 4))
        if kind == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres")
            server.stop()
            time.sleep(rng.uniform(0, 2))
            server.start()
        kill_workers(search, rng, kills=rng.randint(0, 3))
    status, _, errors = search.end()
    assert status == 0, errors
    hypervolume: float = assert_whole(search)["hypervolume"]
    return hypervolume


@pytest.mark.slow
def test_a_database_that_is_away_for_a_while_costs_nothing(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    storage = StorageSettings(StorageKind.POSTGRESQL, postgres.new_database())
    search = RunningSearch.start(tmp_path, storage)
    wait_until(
        lambda: (study := search.study()) is not None and bool(running_workers(study)), search
    )
    postgres.stop()
    time.sleep(3)
    assert search.alive
    postgres.start()
    status, _, errors = search.end()
    assert status == 0, errors
    assert "the study's database cannot be reached" in errors
    assert "Traceback" not in errors
    assert_whole(search)


@pytest.mark.slow
def test_a_database_that_stays_away_is_one_line(tmp_path: Path, postgres: PostgresServer) -> None:
    storage = StorageSettings(StorageKind.POSTGRESQL, postgres.new_database())
    search = RunningSearch.start(tmp_path, storage, "storage.patience_seconds=1")
    wait_until(
        lambda: (study := search.study()) is not None and bool(running_workers(study)), search
    )
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


@pytest.mark.slow
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
    assert sum(summary["trials"].values()) == N_TRIALS
    study = leader.study()
    assert study is not None
    workers = {WorkerIdentity.of(trial) for trial in standing_trials(study)}
    assert len(workers) == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["journal", "postgresql"])
def test_twenty_pairs_of_commands_that_start_at_once_end_with_one_study_each(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    small = ("n_trials=6", "finetune.epochs=2", "workers=1")
    for index in range(20):
        folder = tmp_path / str(index)
        folder.mkdir()
        storage = storage_of(kind, request)  # Without tables, as the tracking store is.
        pair = [RunningSearch.start(folder, storage, *small) for _ in range(2)]
        ends = [search.end() for search in pair]
        errors = "".join(end[2] for end in ends)
        assert "Traceback" not in errors
        if kind == "journal":
            assert sorted(state for state, _, _ in ends) == [0, 2], ends
            assert "another command is running this study" in errors
        else:
            assert [state for state, _, _ in ends] == [0, 0], ends
        (summary,) = summaries(folder)
        assert sum(summary["trials"].values()) == 6
        study = pair[0].study()
        assert study is not None
        assert len(finished_trials(study)) == 6
        assert tracked(folder) == (1, 6)


@pytest.mark.slow
def test_a_tracking_server_that_is_away_misses_nothing(tmp_path: Path) -> None:
    server = MlflowServer(tmp_path)
    server.start()
    try:
        slow = (f"tracking.uri={server.uri}", "finetune.epochs=100")
        search = RunningSearch.start(tmp_path, StorageSettings(), *slow)
        wait_until(lambda: len(trials_at(server.uri)) >= 3, search)
        server.stop()
        finished = len(finished_numbers(search))
        wait_until(lambda: len(finished_numbers(search)) >= min(finished + 3, N_TRIALS))
        server.start()
        status, _, errors = search.end()
        assert status == 0, errors
        assert "Traceback" not in errors
        assert trials_at(server.uri) == finished_numbers(search)
        assert list((tmp_path / "server-artifacts").rglob("front.png"))
    finally:
        server.stop()
    failed = sync(tmp_path)
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"sgq-auto: MLflow at {server.uri} failed (")
    assert len(failed.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_tracking_store_that_is_lost_is_made_again(tmp_path: Path) -> None:
    server = MlflowServer(tmp_path)
    server.start()
    try:
        search = RunningSearch.start(tmp_path, StorageSettings(), f"tracking.uri={server.uri}")
        status, _, errors = search.end()
        assert status == 0, errors
        server.stop()
        (tmp_path / "server.db").unlink()
        server.start()
        for _ in range(2):
            done = sync(tmp_path)
            assert done.returncode == 0, done.stderr
            assert f"{N_TRIALS} trials" in done.stdout
            assert trials_at(server.uri) == finished_numbers(search)
    finally:
        server.stop()


def finished_numbers(search: RunningSearch) -> list[int]:
    study = search.study()
    return [] if study is None else [r.number for r in finished_trials(study)]


def trials_at(uri: str) -> list[int]:
    """Numbers of the trials that a server tracks."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("sgq_auto")
    if experiment is None:
        return []
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    tags = (run.data.tags.get("sgq_auto.trial") for run in runs)
    return sorted(int(tag) for tag in tags if tag is not None)


def sync(folder: Path) -> subprocess.CompletedProcess[str]:
    (study,) = (folder / "outputs" / "studies").glob("*")
    return call(folder, "sync", f"study={study.name}")


@pytest.mark.slow
def test_status_says_who_runs_what_and_what_failed(tmp_path: Path) -> None:
    search = RunningSearch.start(tmp_path, StorageSettings(), "n_trials=1000")
    wait_until(lambda: len(finished_numbers(search)) >= 5, search)
    running = status(tmp_path)
    search.process.kill()
    search.end()
    assert "of 1000 trials, " in running
    assert "a minute" in running
    assert ", process " in running
    assert "Front so far" in running
    wait_until(lambda: "no command runs it" in status(tmp_path))


def status(folder: Path) -> str:
    (study,) = (folder / "outputs" / "studies").glob("*")
    done = call(folder, "status", f"study={study.name}")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_damaged_files_are_made_again(tmp_path: Path) -> None:
    search = (*SYNTHETIC, *QUICK)
    assert run(tmp_path, *search).returncode == 0
    (before,) = summaries(tmp_path)
    (folder,) = (tmp_path / "outputs" / "studies").glob("*")
    (folder / "summary.json").write_text('{"study": "syn')
    assert "not confirmed yet" in status(tmp_path)
    damaged = [*folder.iterdir(), *(tmp_path / "outputs" / "pretrained").iterdir()]
    for path in (p for p in damaged if p.suffix in {".json", ".jsonl", ".safetensors"}):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with (folder / "journal.log").open("ab") as journal:
        journal.write(b'{"op_code":4,"wor')
    done = run(tmp_path, *search)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    after = summaries(tmp_path)[-1]
    for part in ("trials", "front", "recommended", "full_precision"):
        assert after[part] == before[part]
    assert "confirmed" in status(tmp_path)
    assert tracked(tmp_path) == (1, 8)


@pytest.mark.slow
def test_a_disk_that_fills_up_is_one_line_and_the_search_goes_on_later(small_disk: Path) -> None:
    filler = small_disk / "filler"
    search = RunningSearch.start(small_disk, StorageSettings(), "n_trials=300")
    wait_until(lambda: len(finished_numbers(search)) >= 5, search)
    filler.write_bytes(b"x" * shutil.disk_usage(small_disk).free)
    state, _, errors = search.end()
    assert state == 1
    assert "the disk is full" in errors.splitlines()[-1]
    assert "Traceback" not in errors
    filler.unlink()
    finished = len(finished_numbers(search))
    assert finished >= 5
    again = RunningSearch.start(small_disk, StorageSettings(), f"n_trials={finished + 10}")
    state, _, errors = again.end()
    assert state == 0, errors
    study = again.study()
    assert study is not None
    assert len(finished_trials(study)) == finished + 10
