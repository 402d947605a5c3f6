"""A pool of worker processes that ends with the work it was made for."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

from sgq_auto.processes.fork_server import process_context
from sgq_auto.searching.workers.worker import quiet_process


@contextmanager
def process_pool(count: int) -> Iterator[ProcessPoolExecutor]:
    """``count`` processes of one thread each.

    They end with the block; where it fails or is interrupted, at once.
    """
    executor = ProcessPoolExecutor(count, mp_context=process_context(), initializer=quiet_process)
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    executor.shutdown()
