"""A journal file that stays readable when a disk fills up or the power fails."""

import json
import os
from io import FileIO
from typing import Any

from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import get_lock_file

_BLOCK = 1 << 16


class WholeJournal(JournalFileBackend):
    """Optuna's journal file, to which lines are appended whole or not at all.

    Optuna's own appends to whatever is there: a line that was once written in part would run into
    the next one, and nothing of the study could be read any more.
    """

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append one line a log.

        Raises:
            OSError: If they cannot be written, as on a full disk; none of them is there then.
        """
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with get_lock_file(self._lock), FileIO(self._file_path, "r+") as file:
            end = _end_of_lines(file)
            file.truncate(end)
            file.seek(end)
            try:
                _write(file, lines.encode())
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise


def _end_of_lines(file: FileIO) -> int:
    """Where the last whole line ends."""
    end = file.seek(0, os.SEEK_END)
    while end > 0:
        begin = max(0, end - _BLOCK)
        file.seek(begin)
        newline = file.read(end - begin).rfind(b"\n")
        if newline >= 0:
            return begin + newline + 1
        end = begin
    return 0


def _write(file: FileIO, data: bytes) -> None:
    # A disk that fills up takes a part first.
    while data:
        data = data[file.write(data) :]
