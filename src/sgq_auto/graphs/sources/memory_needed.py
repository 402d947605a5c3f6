"""What reading a file would take, against what this machine has."""

import os
from pathlib import Path

from sgq_auto.errors import InputError

# Of an array of a file: the array, a copy of it as float32, and what checks make of it.
_COPIES = 2
_MEMINFO = Path("/proc/meminfo")


def available_bytes() -> int | None:
    """Memory that is free now, or the whole of it where only that is known, or ``None``."""
    try:
        for line in _MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return None


def check_memory(num_bytes: int, what: str) -> None:
    """Refuse to read what would not fit, before it is read.

    Args:
        num_bytes: What it takes as it is written.
        what: What messages call it.

    Raises:
        InputError: If reading and converting it takes more memory than is free.
    """
    free = available_bytes()
    if free is not None and num_bytes * _COPIES > free:
        raise InputError(
            f"{what} takes {num_bytes * _COPIES:,} bytes to read and convert; {free:,} bytes of "
            "memory are free here"
        )
