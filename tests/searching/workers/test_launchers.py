"""Workers that an existing engine runs: jobs of submitit, tasks of a Ray cluster."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from optuna.trial import TrialState

from command_runs import summaries, tracked
from running import N_TRIALS, RunningSearch, wait_until
from servers import free_port
from sgq_auto.searching.trials.standing_trials import standing_trials
from sgq_auto.searching.trials.worker_heartbeat import WorkerIdentity
from sgq_auto.settings.storage_settings import StorageSettings

pytestmark = pytest.mark.system


def assert_whole(search: RunningSearch) -> None:
    status, _, errors = search.end()
    assert status == 0, errors
    (summary,) = summaries(search.folder)
    assert sum(summary["trials"].values()) == N_TRIALS
    assert tracked(search.folder) == (1, N_TRIALS)


def pids(search: RunningSearch, *states: TrialState) -> set[int]:
    """Processes that run, or ran, trials."""
    study = search.study()
    trials = standing_trials(study, states or None) if study is not None else []
    return {worker.pid for trial in trials if (worker := WorkerIdentity.of(trial)) is not None}


@pytest.mark.slow
def test_submitit_runs_workers_as_jobs(tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="the extra 'submitit' is not installed")
    engine = ("engine=submitit", "engine.cluster=local", "workers=2")
    search = RunningSearch.start(tmp_path, StorageSettings(), *engine, "finetune.epochs=500")
    # Long enough for both to have begun before the trials are done.
    wait_until(lambda: len(pids(search, TrialState.COMPLETE)) >= 2, search)
    (victim, *_) = [pid for pid in pids(search) if Path(f"/proc/{pid}").exists()]
    os.kill(victim, signal.SIGKILL)
    assert_whole(search)
    assert len(pids(search)) >= 2
    assert list(tmp_path.glob("outputs/studies/*/jobs/*_submitted.pkl"))


@dataclass
class RayCluster:
    """Two nodes of Ray on this machine."""

    address: str
    nodes: list["subprocess.Popen[bytes]"]

    def kill(self, node: int) -> None:
        """Kill a node and all that it runs."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.nodes[node].pid, signal.SIGKILL)
        self.nodes[node].wait()


@pytest.fixture
def ray_cluster() -> Iterator[RayCluster]:
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    address = f"127.0.0.1:{free_port()}"
    ray = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--num-cpus=2"]
    starts = [
        [*ray, "--head", f"--port={address.rpartition(':')[2]}", "--include-dashboard=false"],
        [*ray, f"--address={address}"],
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    cluster = RayCluster(address, [])
    try:
        for start in starts:
            cluster.nodes.append(
                subprocess.Popen(start, start_new_session=True, **quiet)  # type: ignore[call-overload]
            )
            wait_until(lambda: _answers(address, len(cluster.nodes)))
        yield cluster
    finally:
        for node in reversed(range(len(cluster.nodes))):
            cluster.kill(node)


def _answers(address: str, nodes: int) -> bool:
    """Whether as many nodes are up."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ray")), "status", f"--address={address}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode == 0 and done.stdout.count("node_") >= nodes


@pytest.mark.slow
def test_a_ray_cluster_that_loses_a_node_finishes_the_study(
    tmp_path: Path, ray_cluster: RayCluster
) -> None:
    engine = ("engine=ray", f"engine.address={ray_cluster.address}", "workers=4")
    search = RunningSearch.start(tmp_path, StorageSettings(), *engine, "finetune.epochs=200")
    wait_until(lambda: len(pids(search, TrialState.COMPLETE)) >= 3, search)
    ray_cluster.kill(1)
    assert_whole(search)


@pytest.mark.parametrize(
    ("engine", "wrong"),
    [
        pytest.param(
            ("engine=ray", "engine.address=127.0.0.1:1"),
            "engine.address=127.0.0.1:1",
            marks=pytest.mark.slow,
        ),
        (("engine.kind=magic",), "engine.kind=magic"),
    ],
)
def test_an_engine_that_cannot_be_had_is_one_line(
    engine: tuple[str, ...], wrong: str, tmp_path: Path
) -> None:
    search = RunningSearch.start(tmp_path, StorageSettings(), *engine)
    status, _, errors = search.end()
    assert status == 2, errors
    (line,) = [text for text in errors.splitlines() if text.startswith("sgq-auto:")]
    assert wrong in line
    assert "Traceback" not in errors
