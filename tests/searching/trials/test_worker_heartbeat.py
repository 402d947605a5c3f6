"""Signs of life: who runs a trial, and when it is taken from them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import optuna
import pytest
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from sgq_auto.searching.study_attributes import WORKER
from sgq_auto.searching.trials import worker_heartbeat
from sgq_auto.searching.trials.worker_heartbeat import Heartbeat, Watch, WorkerIdentity

pytestmark = pytest.mark.system


@pytest.fixture
def study() -> optuna.Study:
    return optuna.create_study(storage=InMemoryStorage())


def running(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(states=(TrialState.RUNNING,))


def sign_as(study: optuna.Study, worker: WorkerIdentity, beat: int = 0) -> None:
    (trial,) = running(study)
    attr = {"host": worker.host, "pid": worker.pid, "worker": worker.worker, "beat": beat}
    study._storage.set_trial_user_attr(trial._trial_id, WORKER, attr)


def test_a_trial_says_who_runs_it(study: optuna.Study) -> None:
    heartbeat = Heartbeat(study, WorkerIdentity(), 10)
    heartbeat.sign(study.ask()._trial_id)
    (trial,) = running(study)
    assert WorkerIdentity.of(trial) == heartbeat.identity
    assert heartbeat.identity.pid == os.getpid()
    assert heartbeat.identity.here
    assert not heartbeat.identity.ended


def test_a_beating_worker_is_never_missed(study: optuna.Study) -> None:
    heartbeat, watch = Heartbeat(study, WorkerIdentity(), 0.02), Watch(grace_seconds=0.3)
    with heartbeat.beating(study.ask()._trial_id):
        for _ in range(20):
            time.sleep(0.05)
            assert watch.lost(running(study), {}) == {}


def test_a_silent_worker_is_missed_after_the_grace_period(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(worker_heartbeat.time, "monotonic", lambda: clock[0])
    study.ask()
    far = WorkerIdentity(host="elsewhere:1", pid=1)
    sign_as(study, far)
    watch = Watch(grace_seconds=60)
    assert watch.lost(running(study), {}) == {}
    clock[0] += 59
    assert watch.lost(running(study), {}) == {}
    sign_as(study, far, beat=1)
    clock[0] += 59
    assert watch.lost(running(study), {}) == {}
    clock[0] += 61
    reason = "the worker on elsewhere:1 gave no sign of life for 60 s"
    assert watch.lost(running(study), {}) == {0: reason}


def test_a_trial_that_nobody_signed_is_missed_too(
    study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(worker_heartbeat.time, "monotonic", lambda: clock[0])
    study.ask()
    watch = Watch(grace_seconds=5)
    assert watch.lost(running(study), {}) == {}
    clock[0] = 6.0
    assert watch.lost(running(study), {}) == {0: "a worker gave no sign of life for 5 s"}


def test_a_process_of_this_machine_that_ended_is_missed_at_once(study: optuna.Study) -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    here = replace(WorkerIdentity(), pid=process.pid)
    assert here.ended
    study.ask()
    sign_as(study, here)
    assert Watch(60).lost(running(study), {}) == {0: "the worker died"}
    # A child that was not waited for yet still has its number.
    sign_as(study, replace(here, pid=os.getpid()))
    reasons = Watch(60).lost(running(study), {here.worker: "exit status -9"})
    assert reasons == {0: "the worker died (exit status -9)"}


def test_an_equal_process_number_of_another_machine_means_nothing(study: optuna.Study) -> None:
    study.ask()
    sign_as(study, WorkerIdentity(host="elsewhere:1", pid=2**22 + 1))
    assert Watch(60).lost(running(study), {"another": "exit status 1"}) == {}


@pytest.mark.parametrize("error", [UpdateFinishedTrialError, StorageInternalError])
def test_beats_end_when_the_trial_is_taken_away_or_the_storage_is(
    error: type[Exception], study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat = Heartbeat(study, WorkerIdentity(), 0.01)
    trial = study.ask()
    beats: list[Exception | None] = []
    write = study._storage.set_trial_user_attr

    def noted(*arguments: Any) -> None:
        try:
            if error is StorageInternalError and beats:
                raise StorageInternalError("the database stayed away")
            write(*arguments)
        except error as caught:
            beats.append(caught)
            raise
        beats.append(None)

    monkeypatch.setattr(study._storage, "set_trial_user_attr", noted)
    with heartbeat.beating(trial._trial_id):
        wait_for(lambda: len(beats) > 0)
        if error is UpdateFinishedTrialError:
            study.tell(trial, state=TrialState.FAIL)
        wait_for(lambda: isinstance(beats[-1], error))
        refused = len(beats)
        time.sleep(0.1)
        # It was told once, and asked no more.
        assert len(beats) == refused
    assert sum(beat is not None for beat in beats) == 1


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
