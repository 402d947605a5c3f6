"""Worker processes come from a server that has imported everything once.

Standard library only: the server is started before this process imports torch itself, so that
both import at the same time.
"""

import multiprocessing
import multiprocessing.forkserver
from typing import Any

from sgq_auto.processes.stop_signals import held_signals

_PRELOADED = "sgq_auto.searching.workers.launchers.local_launcher"


def process_context() -> Any:
    """Makes processes: forks of the server where there can be one, else new interpreters."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_PRELOADED])
    with held_signals():
        multiprocessing.forkserver.ensure_running()
    return context
