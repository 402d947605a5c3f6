"""Tables in CSV and parquet files, with messages that name the file, the column and the row."""

import csv
import io
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow

from sgq_auto.errors import InputError, did_you_mean
from sgq_auto.graphs.first_lines import listed
from sgq_auto.node_files.csv_layout import CSV_ENCODING, SPACES, CsvLayout, Header

_PARQUET = (".parquet", ".pq")
# How gzip, zip (also of spreadsheets) and zstandard begin.
_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"\x28\xb5\x2f\xfd")
_SHOWN = 12


@dataclass(frozen=True, eq=False)
class Table:
    """A table that was read.

    Attributes:
        name: Its file's name, used in messages.
        frame: Its columns.
        unnamed: Columns without a name, like the index that pandas writes, as they are called here.
        layout: How it is written, where it is a CSV file.
    """

    name: str
    frame: pd.DataFrame
    unnamed: frozenset[str] = frozenset()
    layout: CsvLayout | None = None

    @classmethod
    def read(
        cls, path: Path, setting: str, texts: Iterable[str] = (), header: bool | None = None
    ) -> "Table":
        """Read a parquet file (``.parquet``, ``.pq``) or, of any other ending, a CSV file.

        A CSV file has commas, semicolons, tabs or spaces between columns; UTF-8 with or without a
        byte order mark; comments, that begin with ``#`` or ``%``, before its rows or nowhere. Only
        an empty field is a missing value.

        Args:
            path: The file.
            setting: The setting that names it.
            texts: Columns of a CSV file that are kept as they are written, like ``007``.
            header: Whether a CSV file has a header; ``None`` finds out.

        Raises:
            InputError: If it is missing, cannot be read or has no rows.
        """
        if not path.is_file():
            raise InputError(f"{setting}={path}: there is no such file")
        try:
            if path.suffix in _PARQUET:
                layout, frame = None, _read_parquet(path)
            else:
                layout, frame = _read_csv(path, texts, header)
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: not in UTF-8 ({error}); save it in UTF-8") from error
        except (
            *(pd.errors.ParserError, pd.errors.ParserWarning, pyarrow.ArrowException, csv.Error),
            *(ValueError, OSError),
        ) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{path}: not a table that can be read ({reason})") from error
        if frame.empty:
            raise InputError(f"{path}: it has no rows; a table needs a header and rows")
        frame.columns = frame.columns.astype(str).str.strip()
        if frame.columns.has_duplicates:
            twice = frame.columns[frame.columns.duplicated()][0]
            raise InputError(f"{path}: two columns are called {twice!r}; rename one")
        return cls(path.name, frame, layout.unnamed if layout else frozenset(), layout)

    @property
    def columns(self) -> list[str]:
        """Names of the columns that have one; the row numbers that pandas writes have none."""
        return [name for name in self.frame.columns if name not in self.unnamed]

    @property
    def has_named_columns(self) -> bool:
        """Whether the first line names the columns, as far as can be seen."""
        return self.layout is None or self.layout.header is Header.FIRST_LINE

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
            header = ""
            if self.layout is not None and self.has_named_columns:
                header = " (dataset.source.header=false if the first line is no header)"
            raise InputError(
                f"{self.name}: no column {name!r}{hint}; there are {listed(names, _SHOWN)}; set "
                f"{setting}{header}"
            )
        return self.frame[name]

    def matching(self, patterns: Sequence[str], setting: str) -> list[str]:
        """Columns that are named or match a pattern like ``word_*``, in the table's order.

        Raises:
            InputError: If a pattern matches none.
        """

        def matches(name: str, pattern: str) -> bool:
            return name == pattern or fnmatchcase(name, pattern)

        for pattern in patterns:
            if not any(matches(name, pattern) for name in self.frame.columns):
                self.column(pattern, setting)
        return [c for c in self.frame.columns if any(matches(c, p) for p in patterns)]

    def notes(self) -> list[str]:
        """What to say of how it was read, where that is not as usual."""
        layout = self.layout
        notes: list[str] = []
        if layout is None:
            return notes
        if layout.comments:
            notes.append(f"{self.name}: lines that begin with {layout.comment} are comments")
        names = listed(layout.names, _SHOWN)
        if layout.header is Header.COMMENT:
            notes.append(f"{self.name}: the last comment names the columns: {names}")
        elif layout.unsure or layout.header is Header.NONE:
            first, setting = "no header, so the columns are called", "true"
            if layout.header is Header.FIRST_LINE:
                first, setting = "the first line is taken for names of columns:", "false"
            advice = f"; dataset.source.header={setting} if not" if layout.unsure else ""
            notes.append(f"{self.name}: {first} {names}{advice}")
        if self.unnamed:
            notes.append(f"{self.name}: a column without a name is left out")
        return notes


def _read_parquet(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    named = [name for name in frame.index.names if name is not None]
    return frame.reset_index(level=named) if named else frame


def _read_csv(
    path: Path, texts: Iterable[str], header: bool | None
) -> tuple[CsvLayout, pd.DataFrame]:
    with path.open("rb") as file:
        if file.read(4).startswith(_PACKED):
            raise ValueError("it is compressed; unpack it first")
    layout = CsvLayout.of(path, header)
    if not layout.names:
        raise ValueError("no columns to parse from file")
    text: Any = path
    first = 0 if layout.header is Header.FIRST_LINE else None
    if layout.comment is not None:
        # pandas would cut a row at a '#' inside it.
        text, first = io.StringIO("".join(layout.data_lines(path))), None
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame = pd.read_csv(
            text,
            sep=r"\s+" if layout.separator == SPACES else layout.separator,
            header=first,
            names=list(layout.names),
            index_col=False,
            encoding=CSV_ENCODING,
            dtype=dict.fromkeys(set(texts) & set(layout.names), str),
            keep_default_na=False,
            na_values=[""],
            skipinitialspace=True,
            low_memory=False,
        )
    return layout, frame
