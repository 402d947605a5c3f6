"""What a worker does, wherever it runs."""

import multiprocessing
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable

import optuna
import torch
from filelock import FileLock

from sgq_auto.graphs.store import load_graph
from sgq_auto.processes.stop_signals import leave_signals_to_command
from sgq_auto.quantize import GenericLayerWarning
from sgq_auto.searching.measuring.search_start import SearchStart
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study.study import finished_trials
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.searching.study.study_storage import open_storage
from sgq_auto.searching.trials.worker_heartbeat import WorkerIdentity
from sgq_auto.searching.workers.trial_runner import TrialRunner
from sgq_auto.text.plain_text import tolerate

_POLL_SECONDS = 0.2
_ASKING_POLL_SECONDS = 0.005


def work(
    settings: SearchSettings,
    folder: StudyFolder,
    member: str,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Run trials of a study until it has ``n_trials``.

    Args:
        settings: The search.
        folder: The study's folder; the graph is in it.
        member: Name that this worker signs with.
        stopped: Whether it is to end after the trial that it runs.

    Raises:
        StorageInternalError: If the study's database stayed away.
    """
    torch.set_num_threads(1)
    graph = load_graph(folder.graph)
    storage = open_storage(settings.storage, folder.path, patient=True)
    study = optuna.load_study(storage=storage, study_name=folder.name)
    bench = Workbench.build(settings, graph)
    start = SearchStart.prepare(bench, folder.sensitivities)
    runner = TrialRunner(bench, study, start, identity=WorkerIdentity(worker=member))
    # One at a time, so that each sees what the others of this machine are trying. A worker that is
    # killed meanwhile lets go of a file's lock.
    asking = FileLock(folder.path / "asking.lock", poll_interval=_ASKING_POLL_SECONDS)
    while not stopped():
        with asking:
            trial = runner.ask()
        if trial is not None:
            runner.run(trial)
        elif len(finished_trials(study)) >= settings.n_trials:
            return
        else:
            time.sleep(_POLL_SECONDS)  # A trial that runs elsewhere may yet be lost.


def quiet_process(*, ends_by_sigterm: bool = True) -> None:
    """Set a process of this machine up: it uses one torch thread and lives as long as its command.

    Ctrl-C and other signals are the command's to handle. A worker of a command that was killed must
    not go on beside the one that continues it.

    Args:
        ends_by_sigterm: Whether SIGTERM ends it all the same: a pool ends its processes so.
    """
    leave_signals_to_command(ends_by_sigterm=ends_by_sigterm)
    for stream in (sys.stdout, sys.stderr):
        tolerate(stream)
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=GenericLayerWarning)  # The command says it.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
