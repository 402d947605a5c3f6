"""What the columns of a node table mean: ids, classes, splits."""

from typing import Any

import numpy as np
import pandas as pd

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw import MASKS, UNLABELLED, IntArray, Split
from sgq_auto.graphs.sources.table_file import Table

_PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val"} | {
    "validation": "val",
    "test": "test",
}
_TRUTHS = {"true": True, "1": True, "1.0": True} | {"false": False, "0": False, "0.0": False}


def node_keys(table: Table, name: str, setting: str) -> "pd.Index[Any]":
    """A column of node ids as text, so that 7 in one table is 7 in another.

    Raises:
        InputError: If the column is not there or one is missing.
    """
    column = table.column(name, setting)
    missing = np.flatnonzero(column.isna())
    if missing.size:
        raise InputError(
            f"{table.name}: column {name!r} is empty in row {missing[0] + 1}; it must name a node"
        )
    return pd.Index(_texts(column))


def node_ids(table: Table, name: str | None) -> "pd.Index[Any]":
    """The ids of a node table, one a row; without a column of ids, rows count from 0.

    Raises:
        InputError: If two rows have the same.
    """
    if name is None:
        return pd.Index(np.arange(len(table.frame)).astype(str))
    keys = node_keys(table, name, "dataset.source.id=COLUMN")
    if keys.has_duplicates:
        twice = keys[keys.duplicated()][0]
        raise InputError(f"{table.name}: {twice!r} is in column {name!r} twice; a node has one row")
    return keys


def classes(table: Table, name: str) -> tuple[IntArray, tuple[str, ...]]:
    """Numbers of the classes, and their names in order: of numbers by value, of texts by letters.

    Returns:
        ``int64 [N]``, :data:`UNLABELLED` where the column is empty, and the names.

    Raises:
        InputError: If the column is missing, empty, or holds what is no class.
    """
    column = table.column(name, "dataset.source.label=COLUMN")
    known = column.notna().to_numpy()
    if not known.any():
        raise InputError(f"{table.name}: column {name!r} is empty; some nodes must have a class")
    if isinstance(column[known].iloc[0], list | np.ndarray):
        raise InputError(
            f"{table.name}: column {name!r} holds lists; a node has one class (multi-label "
            "classification is not supported)"
        )
    texts = _texts(column[known])
    numbers = pd.to_numeric(texts, errors="coerce")
    if not numbers.isna().any():
        if not (numbers % 1 == 0).all():
            raise InputError(
                f"{table.name}: column {name!r} holds {texts[numbers % 1 != 0].iloc[0]}; a class "
                "is a whole number or a name (regression is not supported)"
            )
        texts = numbers.astype(np.int64)
    names, positions = np.unique(texts.to_numpy(), return_inverse=True)
    y = np.full(known.size, UNLABELLED, np.int64)
    y[known] = positions
    return y, tuple(str(n) for n in names)


def split_of(table: Table, name: str | None) -> Split | None:
    """The split of a column of train, val and test, or of three columns of masks, if any.

    Raises:
        InputError: If the column or a mask is missing, or holds something else.
    """
    if name is not None:
        return _named_split(table, name)
    given = [mask for mask in MASKS if mask in table.frame]
    if not given:
        return None
    return Split.from_masks(*(_mask(table, mask) for mask in MASKS))


def _named_split(table: Table, name: str) -> Split:
    column = table.column(name, "dataset.source.split=COLUMN")
    texts = _texts(column).fillna("").str.lower()
    parts = texts.map(_PARTS)
    strange = texts[(texts != "") & parts.isna()]
    if not strange.empty:
        raise InputError(
            f"{table.name}: column {name!r} holds {strange.iloc[0]!r:.40} in row "
            f"{strange.index[0] + 1}; it must be train, val, test, or empty"
        )
    return Split.from_masks(*((parts == part).to_numpy() for part in ("train", "val", "test")))


def _mask(table: Table, name: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    column = table.column(name, "all three masks, or none")
    values = _texts(column).fillna("false").str.lower().map(_TRUTHS)
    if values.isna().any():
        row = int(np.flatnonzero(values.isna())[0])
        raise InputError(
            f"{table.name}: column {name!r} holds {str(column.iloc[row])!r:.40} in row {row + 1}; "
            "a mask is true or false"
        )
    return np.asarray(values, np.bool_)


def _texts(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column as text; whole numbers that a missing value made fractions are whole again."""
    if column.dtype.kind == "f" and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    return column.astype("string").str.strip()
