"""Workers as processes of this machine."""

import errno
import multiprocessing
import multiprocessing.connection
import os
import sys
import time
import uuid
from multiprocessing.process import BaseProcess
from typing import Any

from optuna.exceptions import StorageInternalError

from sgq_auto.processes.fork_server import process_context
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.searching.workers.worker import quiet_process, work
from sgq_auto.text.passwords import remember, remembered

_STORAGE_LOST = 1
_DISK_FULL = 28
_END_SECONDS = 20.0


class LocalLauncher:
    """Workers as processes of this machine, which end when their command ends."""

    def __init__(self, settings: SearchSettings, folder: StudyFolder) -> None:
        self._settings = settings
        self._folder = folder
        self._context = process_context()
        self._stop = self._context.Event()
        self._workers: dict[str, BaseProcess] = {}
        self._members: set[str] = set()

    @property
    def members(self) -> frozenset[str]:
        """The names of all processes that were started."""
        return frozenset(self._members)

    def fill(self, workers: int) -> None:
        """Fork processes from the server, so that none imports everything again."""
        while len(self._workers) < workers:
            name = uuid.uuid4().hex[:8]
            arguments = (self._settings, self._folder, name, self._stop, remembered())
            worker = self._context.Process(target=_work, args=arguments, daemon=True)
            worker.start()
            self._workers[name] = worker
            self._members.add(name)

    def wait(self, seconds: float) -> dict[str, str]:
        """Wait until a process ends. A full disk ends the command, and no trial is lost by it."""
        sentinels = [worker.sentinel for worker in self._workers.values()]
        multiprocessing.connection.wait(sentinels, timeout=seconds)
        ended = {name: w for name, w in self._workers.items() if not w.is_alive()}
        for name in ended:
            del self._workers[name]
        if any(worker.exitcode == _DISK_FULL for worker in ended.values()):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return {name: f"exit status {w.exitcode}" for name, w in ended.items() if w.exitcode}

    def dismiss(self, seconds: float) -> None:
        """Ask all processes to stop after their trial, and kill those that have not in time."""
        self._stop.set()
        self._join(seconds)
        for worker in self._workers.values():
            worker.kill()  # It leaves gentler signals to the command.
        self._join(_END_SECONDS)

    def _join(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for worker in self._workers.values():
            worker.join(max(0.0, deadline - time.monotonic()))


def _work(
    settings: SearchSettings,
    folder: StudyFolder,
    name: str,
    stop: Any,
    addresses: dict[str, dict[str, str]],
) -> None:
    quiet_process(ends_by_sigterm=False)
    remember(addresses)  # The server that forked this process began before they were known.
    try:
        work(settings, folder, name, stop.is_set)
    except StorageInternalError:
        sys.exit(_STORAGE_LOST)  # The command itself finds that out, and says so.
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.exit(_DISK_FULL)
