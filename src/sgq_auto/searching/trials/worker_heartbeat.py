"""Which workers live, wherever they run: they sign their trials, beat, and are missed.

Optuna has heartbeats in one of its storages and for its own loop only. These are user attributes
of the running trial, so every storage has them. No clock is compared with another machine's: a
worker is dead when its beat has not changed for a while on the clock of the one who looks.
"""

import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import optuna
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial

from sgq_auto.searching.optuna_internals import storage_of
from sgq_auto.searching.study_attributes import WORKER

_PID_NAMESPACE = Path("/proc/self/ns/pid")


@cache
def _host() -> str:
    namespace = _PID_NAMESPACE.stat().st_ino if _PID_NAMESPACE.exists() else 0
    return f"{platform.node()}:{namespace}"


@dataclass(frozen=True)
class WorkerIdentity:
    """Who runs a trial.

    Attributes:
        host: The machine, and on Linux the process namespace on it, so that equal numbers of two
            containers are not taken for one process.
        pid: Its process.
        worker: A name of its own.
    """

    host: str = field(default_factory=_host)
    pid: int = field(default_factory=os.getpid)
    worker: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    @classmethod
    def of(cls, trial: FrozenTrial) -> "WorkerIdentity | None":
        """The worker that signed a trial; ``None`` where nobody has begun it."""
        attr = trial.user_attrs.get(WORKER)
        return attr and cls(attr["host"], attr["pid"], attr["worker"])

    @property
    def name(self) -> str:
        """The machine's name without its process namespace, for messages."""
        return self.host.rpartition(":")[0]

    @property
    def here(self) -> bool:
        """Whether it runs on this machine, so that its process can be looked up."""
        return self.host == _host()

    @property
    def ended(self) -> bool:
        """Whether it is of this machine, and its process is gone."""
        if not self.here:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


class Heartbeat:
    """Signs the trials of this process and keeps their signatures fresh.

    Args:
        study: The study.
        identity: This process.
        seconds: Time between two beats.
    """

    def __init__(self, study: optuna.Study, identity: WorkerIdentity, seconds: float) -> None:
        self.identity = identity
        self._storage = storage_of(study)
        self._seconds = seconds

    def sign(self, trial_id: int, beat: int = 0) -> None:
        """Say that this process runs the trial with this identifier of its storage."""
        self._storage.set_trial_user_attr(trial_id, WORKER, {**asdict(self.identity), "beat": beat})

    @contextmanager
    def beating(self, trial_id: int) -> Iterator[None]:
        """Beat as long as the block runs."""
        done = threading.Event()
        beats = threading.Thread(target=self._beat, args=(trial_id, done), daemon=True)
        beats.start()
        try:
            yield
        finally:
            done.set()
            beats.join()

    def _beat(self, trial_id: int, done: threading.Event) -> None:
        beat = 0
        while not done.wait(self._seconds):
            beat += 1
            try:
                self.sign(trial_id, beat)
            except (UpdateFinishedTrialError, StorageInternalError):
                return  # Taken for dead, or cut off: the worker itself will find out.


class Watch:
    """Finds running trials whose worker is gone.

    Args:
        grace_seconds: How long a beat may fail to come.
    """

    def __init__(self, grace_seconds: float) -> None:
        self._grace = grace_seconds
        self._seen: dict[int, tuple[object, float]] = {}

    def lost(self, running: list[FrozenTrial], ended: Mapping[str, str]) -> dict[int, str]:
        """Why each lost trial is lost, by number.

        Args:
            running: Every running trial of a study.
            ended: How workers ended that are known to have, by their names.
        """
        now = time.monotonic()
        seen, self._seen = self._seen, {}
        reasons: dict[int, str] = {}
        for trial in running:
            sign = trial.user_attrs.get(WORKER)
            before, since = seen.get(trial.number, (None, now))
            since = since if before == sign else now
            self._seen[trial.number] = sign, since
            worker = WorkerIdentity.of(trial)
            if worker is not None and worker.worker in ended:
                reasons[trial.number] = f"the worker died ({ended[worker.worker]})"
            elif worker is not None and worker.ended:
                reasons[trial.number] = "the worker died"
            elif now - since > self._grace:
                name = "a worker" if worker is None else f"the worker on {worker.host}"
                reasons[trial.number] = f"{name} gave no sign of life for {self._grace:g} s"
        return reasons
