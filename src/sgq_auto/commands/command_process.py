"""The process of a command: what it prints, how signals end it, how errors are told.

The user's faults are one line and status 2. Anything else is a fault of this project's, and keeps
its traceback. Standard library only.
"""

import errno
import os
import select
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from sgq_auto.errors import InputError
from sgq_auto.processes.stop_signals import interrupted_status, stopping_signals
from sgq_auto.text.plain_text import tolerate
from sgq_auto.text.safe_text import one_line

BAD_INPUT, FAILED = 2, 1
_PIPE_CLOSED = 141
_TRACEBACK = "SGQ_AUTO_TRACEBACK"
_DISK_FULL = "the disk is full; free some space, then run the same command again to continue"
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
# What the system says of files that people name, and of the folder that a command runs in.
_NAMES = (
    "ENOENT EACCES EPERM EISDIR ENOTDIR EEXIST EROFS ENAMETOOLONG ELOOP EFBIG EIO ENOTEMPTY EBUSY "
    "ESTALE ENODEV ENXIO EMFILE ENFILE EINVAL"
)
_OF_FILES = {getattr(errno, name) for name in _NAMES.split() if hasattr(errno, name)}


@contextmanager
def command_process() -> Iterator[None]:
    """Run a command within it; it ends the process where the command cannot go on."""
    _open_streams()
    with stopping_signals():
        try:
            with one_line_errors():
                yield
                sys.stdout.flush()
        except KeyboardInterrupt:
            print("sgq-auto: stopped", file=sys.stderr)
            sys.exit(interrupted_status())


@contextmanager
def one_line_errors() -> Iterator[None]:
    """End the command with one line on the user's faults."""
    try:
        yield
    except BrokenPipeError:
        if not _output_is_closed():
            raise
        # Whoever read the output has seen enough; nothing more can be written, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_PIPE_CLOSED)
    except InputError as error:
        end(error, str(error), BAD_INPUT)
    except MemoryError as error:
        end(error, f"out of memory ({error})" if str(error) else "out of memory", FAILED)
    except OSError as error:
        if error.errno in _FULL:
            end(error, _DISK_FULL, FAILED)
        if error.errno not in _OF_FILES or not isinstance(error.filename, str | bytes | Path):
            raise
        end(error, f"{os.fsdecode(error.filename)}: {error.strerror}", BAD_INPUT)


def end(error: BaseException | None, message: str, status: int) -> NoReturn:
    """End the process with one line; the traceback comes first where it is asked for."""
    if error is not None and os.environ.get(_TRACEBACK, "0") not in ("", "0"):
        traceback.print_exception(error)
    print(f"sgq-auto: {one_line(message)}", file=sys.stderr)
    sys.exit(status)


def _open_streams() -> None:
    """Let streams take any text; a closed one takes it nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        tolerate(getattr(sys, name))


def _output_is_closed() -> bool:
    """Whether it is the standard output that nobody reads any more, and no other pipe."""
    try:
        output = select.poll()
        output.register(sys.stdout.fileno(), 0)
    except (AttributeError, OSError):  # No such call on Windows; no file in a test.
        return False
    return any(event & select.POLLERR for _, event in output.poll(0))
