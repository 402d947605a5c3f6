"""Workers as tasks of a Ray cluster."""

import logging
import socket
import time
import uuid
from typing import Any

import ray

from sgq_auto.errors import InputError
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.searching.workers.worker import work
from sgq_auto.text.passwords import remember, remembered

_CONNECT_SECONDS = 10.0


class RayLauncher:
    """Workers as tasks of a Ray cluster.

    A worker takes one CPU of the cluster. Ray does not repeat tasks here: trials are, by the study.
    A node that does not share the command's file system gets the study's graph with its task, and
    makes a folder of its own; only a study in a database reaches there.

    Raises:
        InputError: If the cluster cannot be reached.
    """

    def __init__(self, settings: SearchSettings, folder: StudyFolder) -> None:
        self._settings = settings
        self._folder = folder
        self._tasks: dict[Any, str] = {}
        self._members: set[str] = set()
        connect(settings.engine.address)
        self._graph = ray.put(folder.graph.read_bytes())
        self._run = ray.remote(num_cpus=1, max_retries=0, max_calls=1)(_work)

    @property
    def members(self) -> frozenset[str]:
        """The names of the workers of all tasks that were started."""
        return frozenset(self._members)

    def fill(self, workers: int) -> None:
        """Start a task for each worker that is missing; it begins when a CPU is free."""
        while len(self._tasks) < workers:
            name = uuid.uuid4().hex[:8]
            given = (self._settings, self._folder, name, remembered(), self._graph)
            task = self._run.remote(*given)
            self._tasks[task] = name
            self._members.add(name)

    def wait(self, seconds: float) -> dict[str, str]:
        """Wait for the end of a task; whatever Ray raises for it is the reason."""
        tasks = list(self._tasks)
        done, _ = ray.wait(tasks, num_returns=len(tasks), timeout=seconds) if tasks else ([], [])
        reasons = {}
        for task in done:
            name = self._tasks.pop(task)
            try:
                ray.get(task)
            except Exception as error:  # Whatever ended the task, the worker is gone.
                reasons[name] = f"Ray: {type(error).__name__}"
        return reasons

    def dismiss(self, seconds: float) -> None:
        """Wait for the tasks, then cancel those that are left."""
        deadline = time.monotonic() + seconds
        while self._tasks and time.monotonic() < deadline:
            self.wait(deadline - time.monotonic())
        for task in self._tasks:
            ray.cancel(task, force=True)
        self._tasks.clear()


def connect(address: str | None) -> None:
    """Connect to a Ray cluster, or start one on this machine; a second call changes nothing.

    Raises:
        InputError: If no cluster is at the address.
    """
    try:
        _reach(address)
        ray.init(
            address=address,
            ignore_reinit_error=True,
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"engine.address={address}: no Ray cluster is there ({reason})") from error


def _reach(address: str | None) -> None:
    """Find out at once what Ray would find out in minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()


def _work(
    settings: SearchSettings,
    folder: StudyFolder,
    name: str,
    addresses: dict[str, dict[str, str]],
    graph: bytes,
) -> None:
    remember(addresses)
    if not folder.graph.exists():
        folder.path.mkdir(parents=True, exist_ok=True)
        scratch = folder.graph.with_name(f"{folder.graph.name}.{name}")
        scratch.write_bytes(graph)
        scratch.replace(folder.graph)
    work(settings, folder, name)
