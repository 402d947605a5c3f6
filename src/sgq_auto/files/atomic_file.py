"""Files that are written whole or not at all."""

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

# What safetensors adds to the message of an error that the system gave it.
_CODE = re.compile(r"\(os error (\d+)\)")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to write to, which takes its place if the block succeeds.

    Its folder is made. A block that fails leaves what was there before.

    Raises:
        OSError: If it cannot be written, by safetensors too: theirs is an error of its own kind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield scratch
        scratch.replace(path)
    except SafetensorError as error:
        code = _CODE.search(str(error))
        if code is None:
            raise
        raise _system_error(int(code[1]), path) from error
    finally:
        scratch.unlink(missing_ok=True)


def _system_error(code: int, path: Path) -> OSError:
    """The error that a call of the system with this code raises."""
    if os.name == "nt":
        return OSError(0, f"{path} cannot be written", str(path), code)
    return OSError(code, os.strerror(code), str(path))
