"""Features as the cells of a node table hold them: numbers, or a list of numbers in one cell."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from sgq_auto.errors import InputError
from sgq_auto.graphs.sources.tables.table_file import Table

Floats = np.ndarray[Any, np.dtype[np.float32]]

_BRACKETS = "[](){} \t\n"
_BETWEEN = re.compile(r"[,;|\s]+")
# Two numbers around a comma may be one, written as many countries do.
_FEWEST = 3


def numbers_of(table: Table, names: Sequence[str], advice: str) -> Floats:
    """Columns as ``float32 [rows, numbers]``; a column of lists gives one each.

    Args:
        table: The table.
        names: The columns.
        advice: How to leave out a column that is no number.

    Raises:
        InputError: If a value is missing or no number.
    """
    plain = [n for n in names if table.frame[n].dtype.kind in "biuf"]
    if len(plain) == len(names):
        values = np.asarray(table.frame[plain].to_numpy(np.float32, na_value=np.nan))
    else:
        values = np.concatenate([_column(table, n, advice) for n in names], axis=1)
    bad = np.flatnonzero(np.isnan(values).any(axis=1))
    if bad.size:
        row = int(bad[0])
        name = next(n for n in names if np.isnan(_column(table, n, advice)[row]).any())
        raise InputError(
            f"{table.name}: column {name!r} is empty in row {row + 1}; fill it (with 0, or the "
            "column's mean)"
        )
    return values


def _column(table: Table, name: str, advice: str) -> Floats:
    column = table.frame[name]
    if isinstance(column.iloc[0], list | np.ndarray):
        return _stacked(table, name, list(column))
    numbers = pd.to_numeric(column, errors="coerce")
    bad = np.flatnonzero((numbers.isna() & column.notna()).to_numpy())
    if not bad.size:
        return np.asarray(numbers.to_numpy(dtype=np.float32, na_value=np.nan))[:, None]
    lists = _lists(column)
    if lists is not None:
        return _stacked(table, name, lists)
    row = int(bad[0])
    raise InputError(
        f"{table.name}: column {name!r} holds {column.iloc[row]!r:.40} in row {row + 1}; a "
        f"feature is a number, written like 1.5, or a list, like [1,0.5,2]; {advice}"
    )


def _stacked(table: Table, name: str, lists: Sequence[Any]) -> Floats:
    try:
        return np.asarray(np.stack([np.asarray(each, np.float32) for each in lists]))
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{table.name}: column {name!r} has lists that differ in length, or that are not of "
            "numbers; if they list the features that a node has, put them into a separate file "
            "(dataset.source.features_file=FILE)"
        ) from error


def _lists(column: "pd.Series[Any]") -> list[list[str]] | None:
    """The numbers of cells like ``[1,0,2]`` or ``1 0 2``, as text; ``None`` of other cells."""
    texts = column.fillna("").astype(str).str.strip()
    bracketed = bool(texts.str.startswith(("[", "(", "{")).all())
    fields = [_BETWEEN.split(text.strip(_BRACKETS)) for text in texts]
    if not bracketed and min(map(len, fields), default=0) < _FEWEST:
        return None
    return fields if all(map(_is_number, fields[0])) else None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
