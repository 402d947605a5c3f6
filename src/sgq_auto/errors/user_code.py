"""Whose code raised: this project's, or a model or a source that the user wrote or named.

Standard library only.
"""

import os
import sysconfig
import traceback
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType, TracebackType

_OWN = str(Path(__file__).resolve().parents[1])
# PyG compiles the layers of a model in files of its own.
_GENERATED = ("torch_geometric.", "torch.", "hydra.", "omegaconf.")


@cache
def _installed() -> tuple[str, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    found = {str(Path(path).resolve()) for name in names if (path := sysconfig.get_path(name))}
    return tuple(sorted(found))


def user_line(error: BaseException) -> str | None:
    """``net.py:12``, the line of the user's own code that an error comes from; ``None`` if none.

    It is the innermost one of the traceback that is neither this project's nor an installed
    package's.
    """
    for frame, line in reversed(list(_frames(error.__traceback__))):
        path = _file_of(frame)
        if _is_user_code(frame, path) and not _is_under(path, _OWN):
            return f"{_shortest(Path(path))}:{line}"
    return None


def is_ours(error: BaseException) -> bool:
    """Whether a line of this project's raised ``error`` itself, no library that it called."""
    frames = list(_frames(error.__traceback__))
    return bool(frames) and _is_under(_file_of(frames[-1][0]), _OWN)


def described(error: BaseException) -> str:
    """An error in one line: its kind, what it says, and the line of the user's code."""
    text = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")
    line = user_line(error)
    return text if line is None else f"{text} ({line})"


def full_traceback(error: BaseException, most: int = 8000) -> str:
    """The traceback of an error as text, its last ``most`` characters."""
    return "".join(traceback.format_exception(error))[-most:]


def _frames(trace: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while trace is not None:
        yield trace.tb_frame, trace.tb_lineno
        trace = trace.tb_next


def _file_of(frame: FrameType) -> str:
    return os.path.realpath(frame.f_code.co_filename)


def _is_user_code(frame: FrameType, path: str) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    if name.startswith(_GENERATED):
        return False
    return Path(path).is_file() and not any(_is_under(path, folder) for folder in _installed())


def _is_under(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/") or path.startswith(f"{folder}\\")


def _shortest(file: Path) -> str:
    try:
        return str(file.relative_to(Path.cwd()))
    except ValueError:
        return str(file)
