"""Workers as jobs of Slurm, by submitit."""

import time
import uuid

import submitit

from sgq_auto.errors import InputError
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.searching.workers.worker import work

_POLL_SECONDS = 1.0
# What submitit raises for clusters and parameters that it does not have.
_REFUSED = (RuntimeError, ValueError, NameError, TypeError, AssertionError)


class SubmititLauncher:
    """Workers as jobs of a Slurm cluster.

    Jobs and the command share a file system, as submitit itself needs; what jobs print lies in the
    study's folder, under ``jobs``.

    Raises:
        InputError: If the cluster is not there, or has no such parameters.
    """

    def __init__(self, settings: SearchSettings, folder: StudyFolder) -> None:
        self._settings = settings
        self._folder = folder
        self._jobs: dict[str, submitit.Job[None]] = {}
        self._members: set[str] = set()
        engine = settings.engine
        parameters = {"name": folder.name, **engine.parameters}
        try:
            self._executor = submitit.AutoExecutor(folder.path / "jobs", cluster=engine.cluster)
            self._executor.update_parameters(**parameters)
        except _REFUSED as error:
            reason = " ".join(str(error).split())
            raise InputError(f"engine.cluster={engine.cluster}: {reason}") from error

    @property
    def members(self) -> frozenset[str]:
        """The names of the workers of all jobs that were submitted."""
        return frozenset(self._members)

    def fill(self, workers: int) -> None:
        """Submit a job for each worker that is missing; Slurm decides when it begins."""
        while len(self._jobs) < workers:
            name = uuid.uuid4().hex[:8]
            self._jobs[name] = self._executor.submit(work, self._settings, self._folder, name)
            self._members.add(name)

    def wait(self, seconds: float) -> dict[str, str]:
        """Ask the jobs for their state until one is done, and read why it failed."""
        deadline = time.monotonic() + seconds
        while not (done := [name for name, job in self._jobs.items() if job.done()]):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(left, _POLL_SECONDS))
        errors = {name: self._jobs.pop(name).exception() for name in done}
        return {n: f"job: {str(e).splitlines()[0]}" for n, e in errors.items() if e is not None}

    def dismiss(self, seconds: float) -> None:
        """Wait for the jobs, then cancel those that are left."""
        deadline = time.monotonic() + seconds
        while self._jobs and time.monotonic() < deadline:
            self.wait(deadline - time.monotonic())
        for job in self._jobs.values():
            job.cancel()
        self._jobs.clear()
