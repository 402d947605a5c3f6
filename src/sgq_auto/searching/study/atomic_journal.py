"""A journal file that keeps every line that was written, whatever happens to its writers."""

import contextlib
import json
import os
from collections.abc import Generator
from io import FileIO
from typing import Any

from filelock import FileLock
from optuna.storages.journal import JournalFileBackend

from sgq_auto.errors import InputError
from sgq_auto.searching.optuna_internals import NOT_FOUND, ReplayedJournal
from sgq_auto.searching.trials.trial_checks import check_journal_entry

_BLOCK = 1 << 16
# Not the name of Optuna's own lock, which whoever waits for half a minute takes away.
_LOCK = ".writing"
_POLL_SECONDS = 0.005
# What lines of other types raise where Optuna replays them.
_MALFORMED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


class WholeJournal(JournalFileBackend):
    """Optuna's journal file, to which lines are appended whole or not at all.

    Optuna's own lock is taken from a writer that pauses for half a minute, a suspended machine or
    a slow network disk being enough; this one is the system's, and goes with its process alone.
    Lines are only ever appended: a writer whose lock was no good all the same, as on a disk that
    has none, cuts nothing off that others wrote. A last line that was written in part would run
    into the next one; that one is removed, under the lock.
    """

    def __init__(self, file_path: str) -> None:
        super().__init__(file_path)
        self.path = file_path
        self._writing = FileLock(f"{file_path}{_LOCK}", poll_interval=_POLL_SECONDS)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append one line a log.

        Raises:
            OSError: If they cannot be written, as on a full disk; none of them is there then.
        """
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        with self._writing, FileIO(self.path, "ab") as file:
            _remove_unfinished_line(self.path)
            written = 0
            try:
                # A disk that fills up takes a part first.
                while written < len(lines):
                    written += file.write(lines[written:])
                os.fsync(file.fileno())
            except OSError:
                _take_back(self.path, lines[:written])
                raise

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """The logs from a number on, each checked.

        Raises:
            InputError: If a line is no log; it names the file and the line.
        """
        number = log_number_from
        try:
            for log in super().read_logs(log_number_from):
                number += 1
                check_journal_entry(log)
                yield log
        except (ValueError, RecursionError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"{self.path}: line {number} is no entry of a journal ({reason})"
            ) from error


class CheckedJournalStorage(ReplayedJournal):
    """Optuna's storage in a :class:`WholeJournal`, which says where a line makes no sense.

    Raises:
        InputError: By any call, if the journal cannot be read; it names the file.
    """

    def __init__(self, journal: WholeJournal) -> None:
        self._path = journal.path
        super().__init__(journal)

    def explained(self, error: Exception, line: int) -> Exception | None:
        """Turn what Optuna raises for a malformed line into a message that names the file and line.

        A damaged journal would otherwise end in a bare ``KeyError`` that tells the user nothing.

        Args:
            error: What replaying the line raised.
            line: The last line that was read.

        Returns:
            The error to raise; ``None`` to keep ``error``, where the line is not to blame.
        """
        asked_for = error.args == (NOT_FOUND,)  # By this process itself.
        if isinstance(error, InputError) or not isinstance(error, _MALFORMED) or asked_for:
            return None
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return InputError(f"{self._path}: line {line} does not fit those before it ({reason})")


def _remove_unfinished_line(path: str) -> None:
    """Cut off what a writer that died left of a line; whole lines stay."""
    with FileIO(path, "r+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        if file.read(1) in (b"\n", b""):
            return
        end = _end_of_lines(file, size)
        # Looked at again: whoever wrote meanwhile has not left an unfinished line.
        if end < size and file.seek(0, os.SEEK_END) == size:
            file.truncate(end)


def _take_back(path: str, part: bytes) -> None:
    """Remove what was written of lines that did not fit, unless others wrote after it."""
    with contextlib.suppress(OSError), FileIO(path, "r+") as file:
        size = file.seek(0, os.SEEK_END)
        start = size - len(part)
        file.seek(max(start, 0))
        if part and file.read(len(part)) == part:
            file.truncate(start)


def _end_of_lines(file: FileIO, end: int) -> int:
    """Where the last whole line of the first ``end`` bytes ends."""
    while end > 0:
        begin = max(0, end - _BLOCK)
        file.seek(begin)
        newline = file.read(end - begin).rfind(b"\n")
        if newline >= 0:
            return begin + newline + 1
        end = begin
    return 0
