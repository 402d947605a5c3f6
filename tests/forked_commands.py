"""Commands in processes of their own that import nothing: forks of one that has imported all.

A new interpreter needs seconds of imports for each command, which most tests do not ask about.
"""

import contextlib
import multiprocessing.forkserver
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

from sgq_auto.processes.fork_server import process_context

_LIMIT_SECONDS = 300


def forked_command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What ``python -m WORDS`` does in a folder: its status, and what it printed."""
    with tempfile.TemporaryDirectory() as kept:
        paths = [Path(kept, name) for name in ("stdout", "stderr")]
        process = process_context().Process(
            target=_run, args=(folder, words, dict(os.environ), paths), daemon=False
        )
        process.start()
        process.join(_LIMIT_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
        out, err = (path.read_text() for path in paths)
        if process.exitcode is None or process.exitcode < 0:
            raise AssertionError(f"{words} was ended: {process.exitcode}\n{out}\n{err}")
        return subprocess.CompletedProcess(words, process.exitcode, out, err)


def _run(
    folder: Path, words: tuple[str, ...], environment: dict[str, str], paths: list[Path]
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, path in zip((1, 2), paths, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    _have_server()
    module, *sys.argv[1:] = words
    # As of an interpreter: modules of the folder can be imported.
    sys.path[0] = ""
    with contextlib.ExitStack() as streams:
        for descriptor, name in ((1, "stdout"), (2, "stderr")):
            stream = streams.enter_context(open(descriptor, "w", closefd=False))
            setattr(sys, name, stream)
        runpy.run_module(module, run_name="__main__", alter_sys=True)


def _have_server() -> None:
    """Take workers from the server that this process comes from, and not from one of its own."""
    server = multiprocessing.forkserver
    server.ensure_running = server._forkserver.ensure_running = lambda: None  # type: ignore
