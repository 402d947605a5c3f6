"""What the columns of a node table mean: classes, splits."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw_graph import UNLABELLED, IntArray, Split
from sgq_auto.graphs.sources.split_fields import GivenSplits, is_mask_name, splits_of
from sgq_auto.graphs.sources.tables.table_file import Table
from sgq_auto.node_files.csv_header import is_number

_PARTS = {"train": "train", "training": "train", "val": "val", "valid": "val"} | {
    "validation": "val",
    "test": "test",
}
_TRUTHS = {"true": True, "1": True, "1.0": True} | {"false": False, "0": False, "0.0": False}


def classes(
    table: Table, name: str, unlabelled: Collection[str] = ()
) -> tuple[IntArray, tuple[str, ...], list[str]]:
    """Numbers of the classes, and their names in order: of numbers by value, of texts by letters.

    Args:
        table: The node table.
        name: Its column of classes.
        unlabelled: What the column holds where a node has no class, beside nothing; large and
            small letters are the same.

    Returns:
        ``int64 [N]``, :data:`UNLABELLED` where a node has none; the names; what to say of it.

    Raises:
        InputError: If the column is missing, empty, or holds what is no class.
    """
    column = table.column(name, "dataset.source.label=COLUMN")
    texts = texts_of(column)
    known, notes = labelled(table, name, texts, unlabelled)
    if not known.any():
        raise InputError(f"{table.name}: column {name!r} is empty; some nodes must have a class")
    texts = texts[known]
    numbers = pd.to_numeric(texts, errors="coerce")
    if not numbers.isna().any():
        texts = numbers.astype(np.int64)
    names, positions = np.unique(texts.to_numpy(), return_inverse=True)
    y = np.full(known.size, UNLABELLED, np.int64)
    y[known] = positions
    return y, tuple(str(n) for n in names), notes


def labelled(
    table: Table, name: str, texts: "pd.Series[Any]", unlabelled: Collection[str]
) -> tuple[np.ndarray[Any, Any], list[str]]:
    """Which rows of a column hold a label, and what is said of those that are marked to have none.

    Args:
        table: The table.
        name: The column.
        texts: What it holds, from :func:`texts_of`.
        unlabelled: What stands for no label, beside nothing.
    """
    notes = []
    known = texts.notna().to_numpy()
    lower, numbers = texts.str.lower(), pd.to_numeric(texts, errors="coerce")
    for value in unlabelled:
        found = (lower == value.lower()).fillna(False).to_numpy(np.bool_)
        if is_number(value):
            found |= (numbers == float(value)).fillna(False).to_numpy(np.bool_)
        known = known & ~found
        notes.append(
            f"{table.name}: {found.sum():,} nodes with {value!r} in column {name!r} have no label"
        )
    return known, notes


def split_of(table: Table, name: str | None) -> GivenSplits:
    """The split of a column of train, val and test, or of columns of masks, if any.

    Raises:
        InputError: If the column is missing, or one holds something else.
    """
    if name is not None:
        return GivenSplits((_named_split(table, name),), frozenset({name}))
    masks = {key: _mask(table, key) for key in table.columns if is_mask_name(key)}
    return splits_of(masks, len(table.frame), table.name)


def _named_split(table: Table, name: str) -> Split:
    column = table.column(name, "dataset.source.split=COLUMN")
    texts = texts_of(column).fillna("").str.lower()
    parts = texts.map(_PARTS)
    strange = texts[(texts != "") & parts.isna()]
    if not strange.empty:
        raise InputError(
            f"{table.name}: column {name!r} holds {strange.iloc[0]!r:.40} in row "
            f"{strange.index[0] + 1}; it must be train, val, test, or empty"
        )
    train, val, test = ((parts == part).to_numpy() for part in ("train", "val", "test"))
    return Split.from_masks(train, val, test, f"the data's own (column {name!r})")


def _mask(table: Table, name: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    column = table.frame[name]
    values = texts_of(column).fillna("false").str.lower().map(_TRUTHS)
    if values.isna().any():
        row = int(np.flatnonzero(values.isna())[0])
        raise InputError(
            f"{table.name}: column {name!r} holds {str(column.iloc[row])!r:.40} in row {row + 1}; "
            "a mask is true or false"
        )
    return np.asarray(values, np.bool_)


def texts_of(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column as text; whole numbers that a missing value made fractions are whole again."""
    if column.dtype.kind == "f" and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")
    return column.astype("string").str.strip()
