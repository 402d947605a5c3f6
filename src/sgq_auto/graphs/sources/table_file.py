"""Tables in CSV and parquet files, with messages that name the file, the column and the row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow

from sgq_auto.csv_layout import CSV_ENCODING, separator_of
from sgq_auto.errors import InputError, did_you_mean

_PARQUET = (".parquet", ".pq")
_SHOWN = 12


@dataclass(frozen=True, eq=False)
class Table:
    """A table that was read.

    Attributes:
        name: Its file's name, used in messages.
        frame: Its columns.
    """

    name: str
    frame: pd.DataFrame

    @classmethod
    def read(cls, path: Path, setting: str, texts: Iterable[str] = ()) -> "Table":
        """Read a parquet file (``.parquet``, ``.pq``) or, of any other ending, a CSV file.

        A CSV file has a header; comma, semicolon or tab between columns; UTF-8 with or without a
        byte order mark. Only an empty field is a missing value. A column without a name (the index
        that pandas writes) is left out.

        Args:
            path: The file.
            setting: The setting that names it.
            texts: Columns of a CSV file that are kept as they are written, like ``007``.

        Raises:
            InputError: If it is missing, cannot be read or has no rows.
        """
        if not path.is_file():
            raise InputError(f"{setting}={path}: there is no such file")
        try:
            frame = _read_parquet(path) if path.suffix in _PARQUET else _read_csv(path, texts)
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: not in UTF-8 ({error}); save it in UTF-8") from error
        except (pd.errors.ParserError, pyarrow.ArrowException, ValueError, OSError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{path}: not a table that can be read ({reason})") from error
        if frame.empty:
            raise InputError(f"{path}: there are no rows in it; a header and rows are wanted")
        frame.columns = frame.columns.astype(str).str.strip()
        return cls(path.name, frame)

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.frame.columns)

    def column(self, name: str, setting: str) -> "pd.Series[Any]":
        """A column.

        Raises:
            InputError: If there is none of that name: one line with those there are.
        """
        if name not in self.frame:
            names = self.columns
            if len(names) > _SHOWN:  # Most are features, which are numbers.
                names = sorted(names, key=lambda c: self.frame[c].dtype.kind in "biuf")
            hint = did_you_mean(name, self.columns)
            raise InputError(
                f"{self.name}: no column {name!r}{hint}; there are {_listed(names)}; set {setting}"
            )
        return self.frame[name]

    def matching(self, patterns: Sequence[str], setting: str) -> list[str]:
        """Columns that are named or match a pattern like ``word_*``, in the table's order.

        Raises:
            InputError: If a pattern matches none.
        """
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in self.columns):
                self.column(pattern, setting)
        return [c for c in self.columns if any(fnmatchcase(c, p) for p in patterns)]

    def numbers(self, names: Sequence[str], advice: str) -> np.ndarray[Any, Any]:
        """Columns as ``float32 [rows, numbers]``; a column of lists gives one each.

        Args:
            names: The columns.
            advice: How to leave out a column that is no number.

        Raises:
            InputError: If a value is missing or no number.
        """
        plain = [n for n in names if self.frame[n].dtype.kind in "biuf"]
        if len(plain) == len(names):
            values = np.asarray(self.frame[plain].to_numpy(np.float32, na_value=np.nan))
        else:
            values = np.concatenate([self._column_numbers(n, advice) for n in names], axis=1)
        bad = np.flatnonzero(np.isnan(values).any(axis=1))
        if bad.size:
            row = int(bad[0])
            name = next(n for n in names if np.isnan(self._column_numbers(n, advice)[row]).any())
            raise InputError(
                f"{self.name}: column {name!r} is empty in row {row + 1}; fill it (with 0, or the "
                "column's mean)"
            )
        return values

    def _column_numbers(self, name: str, advice: str) -> np.ndarray[Any, Any]:
        column = self.frame[name]
        if isinstance(column.iloc[0], list | np.ndarray):
            try:
                return np.asarray(np.stack(column.to_numpy()), np.float32)
            except (ValueError, TypeError) as error:
                raise InputError(
                    f"{self.name}: column {name!r} holds lists that differ in length or are no "
                    "numbers"
                ) from error
        numbers = pd.to_numeric(column, errors="coerce")
        bad = np.flatnonzero((numbers.isna() & column.notna()).to_numpy())
        if bad.size:
            row = int(bad[0])
            raise InputError(
                f"{self.name}: column {name!r} holds {column.iloc[row]!r:.40} in row {row + 1}; a "
                f"feature is a number, written like 1.5; {advice}"
            )
        return np.asarray(numbers.to_numpy(dtype=np.float32, na_value=np.nan))[:, None]


def _read_parquet(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    named = [name for name in frame.index.names if name is not None]
    return frame.reset_index(level=named) if named else frame


def _read_csv(path: Path, texts: Iterable[str]) -> pd.DataFrame:
    with path.open(encoding=CSV_ENCODING) as file:
        separator = separator_of(file.readline())
    frame = pd.read_csv(
        path,
        sep=separator,
        encoding=CSV_ENCODING,
        dtype=dict.fromkeys(texts, str),
        keep_default_na=False,
        na_values=[""],
        skipinitialspace=True,
        low_memory=False,
    )
    return frame[[name for name in frame if not str(name).startswith("Unnamed: ")]]


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_SHOWN]))
    more = len(names) - _SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown
