"""One study on two machines, as far as the network can tell; one of them is cut off."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.trial import TrialState

from command_runs import summaries
from running import RunningSearch, wait_until
from servers import PostgresServer
from sgq_auto.searching.trials.standing_trials import standing_trials
from sgq_auto.searching.trials.worker_heartbeat import WorkerIdentity
from sgq_auto.settings.storage_settings import StorageKind, StorageSettings

pytestmark = pytest.mark.system

_BRIDGE, _SERVER_ADDRESS = "sgqbr", "10.77.0.1"
_HOSTS = {"sgqa": "10.77.0.2", "sgqb": "10.77.0.3"}
_TRIALS = 100
_LIVENESS = ("storage.heartbeat_seconds=1", "storage.grace_seconds=5")


def ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def network() -> Iterator[None]:
    """Two network namespaces, joined to this machine by a bridge."""
    try:
        ip("link", "add", _BRIDGE, "type", "bridge")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("network namespaces need privileges on Linux")
    try:
        ip("addr", "add", f"{_SERVER_ADDRESS}/24", "dev", _BRIDGE)
        ip("link", "set", _BRIDGE, "up")
        for host, address in _HOSTS.items():
            ip("netns", "add", host)
            ip("link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", host)
            ip("link", "set", host, "master", _BRIDGE, "up")
            ip("-n", host, "addr", "add", f"{address}/24", "dev", "eth0")
            ip("-n", host, "link", "set", "eth0", "up")
            ip("-n", host, "link", "set", "lo", "up")
        yield
    finally:
        for host in _HOSTS:
            with contextlib.suppress(subprocess.CalledProcessError):
                # A search that a failed test left behind would keep the namespace.
                for pid in ip("netns", "pids", host).split():
                    os.kill(int(pid), signal.SIGKILL)
                ip("netns", "del", host)
        ip("link", "del", _BRIDGE)


@pytest.mark.slow
@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("cut_off", ["leader", "helper"])
def test_a_host_that_is_cut_off_costs_no_trial(
    cut_off: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    url = postgres.new_database(_SERVER_ADDRESS)
    storage = StorageSettings(StorageKind.POSTGRESQL, url)
    store = f"tracking.uri=sqlite:///{tmp_path}/mlflow.db"
    searches = {}
    for host in _HOSTS:
        folder = tmp_path / host
        folder.mkdir()
        searches[host] = RunningSearch.start(
            folder,
            storage,
            *("workers=2", "finetune.epochs=400", f"n_trials={_TRIALS}", store, *_LIVENESS),
            host=("ip", "netns", "exec", host),
        )
        # The first one leads.
        wait_until(lambda search=searches[host]: search.study() is not None, searches[host])
    wait_until(lambda: all(took_part(search) for search in searches.values()), *searches.values())
    leader, helper = searches
    away, stays = (leader, helper) if cut_off == "leader" else (helper, leader)
    ip("link", "set", away, "down")
    status, _, errors = searches[stays].end()
    assert status == 0, errors
    ip("link", "set", away, "up")
    status, _, errors = searches[away].end()
    assert status == 0, errors
    assert "Traceback" not in errors

    found = [summaries(search.folder) for search in searches.values()]
    (summary,) = [one for several in found for one in several]
    assert sum(summary["trials"].values()) == _TRIALS
    study = searches[stays].study()
    assert study is not None
    finished = [t for t in standing_trials(study) if t.state.is_finished()]
    assert len(finished) == _TRIALS
    assert len({WorkerIdentity.of(trial) for trial in finished}) >= 3


def took_part(search: RunningSearch) -> bool:
    """Whether workers of this search have finished a trial."""
    study = search.study()
    if study is None:
        return False
    children = subprocess.run(
        ["pgrep", "-g", str(search.process.pid)], capture_output=True, text=True, check=False
    )
    own = {int(pid) for pid in children.stdout.split()}
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return any((w := WorkerIdentity.of(trial)) is not None and w.pid in own for trial in finished)
