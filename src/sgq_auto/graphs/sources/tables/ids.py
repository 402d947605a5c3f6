"""Which column of a node table holds the ids: as it is set, or asked for where that is not sure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sgq_auto.errors import InputError
from sgq_auto.graphs.sources.tables.columns import texts_of
from sgq_auto.graphs.sources.tables.table_file import Table

_DEFAULT = "id"
_SETTING = "dataset.source.id"
# Two values are those that the edges name by chance.
_FEWEST = 3
# Columns of features repeat within so many rows; only others are looked at as a whole.
_GLANCE = 1000
_FRACTION = r"-?\d+\.0"


@dataclass(frozen=True, eq=False)
class TableIds:
    """What the nodes of a table are called.

    Attributes:
        keys: The ids as text, one a row; without a column of ids, rows count from 0.
        column: The column that they were read from, or ``None``.
        copies: Other columns that hold the same, and are no features.
        likely: A column that holds what the edges name, where ``keys`` does not.
        notes: What to say of it.
    """

    keys: "pd.Index[Any]"
    column: str | None
    copies: tuple[str, ...]
    likely: str | None
    notes: tuple[str, ...]


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
    texts = texts_of(column)
    # Whole numbers that a tool kept as fractions: 7.0 is 7 in every row, or in none.
    if texts.iloc[0].endswith(".0") and texts.str.fullmatch(_FRACTION).all():
        texts = texts.str.replace(".0", "", regex=False)
    return pd.Index(texts)


def table_ids(
    nodes: Table, setting: str | bool | None, others: Sequence[str], named: "pd.Index[Any]"
) -> TableIds:
    """The ids of a node table.

    Args:
        nodes: The table.
        setting: The column, ``False`` for the numbers of the rows, or ``None``: ``id`` where there
            is one, else the numbers.
        others: Columns that are neither class nor split nor chosen features: what would be a
            feature unless it is the id.
        named: What the edges name, as text, each once.

    Raises:
        InputError: If two rows have the same id; or if none is set and a column looks like the ids
            that the edges mean, while another thing would be taken for them.
    """
    if isinstance(setting, str):
        column: str | None = setting
    else:
        column = _DEFAULT if setting is None and _DEFAULT in nodes.columns else None
    keys = _keys(nodes, column)
    names = [name for name in others if name != column]
    if column is None:
        names += [name for name in nodes.frame.columns if name in nodes.unnamed]
    found = {name: texts for name in names if (texts := _as_ids(nodes, name, named)) is not None}
    copies = tuple(name for name, texts in found.items() if texts.equals(keys))
    likely = next((name for name in found if name not in copies), None)
    fits = bool(named.isin(keys).all())
    if setting is None and likely is not None and fits:
        raise InputError(_question(nodes, column, likely))
    notes = _notes(nodes, column, keys, copies, named)
    return TableIds(keys, column, copies, None if fits else likely, tuple(notes))


def _keys(nodes: Table, column: str | None) -> "pd.Index[Any]":
    if column is None:
        return pd.Index(np.arange(len(nodes.frame)).astype(str)).astype("string")
    keys = node_keys(nodes, column, f"{_SETTING}=COLUMN")
    if keys.has_duplicates:
        twice = keys[keys.duplicated()][0]
        raise InputError(
            f"{nodes.name}: {twice!r} is in column {column!r} twice; a node has one row"
        )
    return keys


def _as_ids(nodes: Table, name: str, named: "pd.Index[Any]") -> "pd.Index[Any] | None":
    """A column as ids if it is whole numbers or text, no two alike, and holds what edges name."""
    column = nodes.frame[name]
    if len(column) < _FEWEST:
        return None
    if column.dtype.kind not in "iufOT" and not pd.api.types.is_string_dtype(column.dtype):
        return None
    for part in (column.iloc[:_GLANCE], column):
        if isinstance(part.iloc[0], list | np.ndarray) or part.isna().any():
            return None
        if not part.is_unique or (part.dtype.kind == "f" and (part % 1 != 0).any()):
            return None
    texts = pd.Index(texts_of(column))
    return texts if named.isin(texts).all() else None


def _question(nodes: Table, column: str | None, likely: str) -> str:
    taken = f"column {column!r}" if column else "the numbers of the rows"
    stay = f"{_SETTING}={column}" if column else f"{_SETTING}=false"
    return (
        f"{nodes.name}: column {likely!r} has a different value in every row and contains every "
        f"name in the edges, so it looks like the ids; add {_SETTING}={_written(likely)} if it is, "
        f"or {stay} if the edges name {taken}"
    )


def _notes(
    nodes: Table,
    column: str | None,
    keys: "pd.Index[Any]",
    copies: Sequence[str],
    named: "pd.Index[Any]",
) -> list[str]:
    example = ", ".join(repr(key) for key in keys[:3])
    if column is not None:
        notes = [f"{nodes.name}: nodes are called by column {column!r}, like {example}"]
    else:
        notes = [f"{nodes.name}: edges name the rows, counted from 0 ({_SETTING}=COLUMN for ids)"]
        if "0" not in named:
            notes.append(
                f"{nodes.name}: no edge names row 0: if the edges count from 1, give the table a "
                "column of ids"
            )
    what = f"the same as column {column!r}" if column else "the number of the row"
    shown = [name for name in copies if name not in nodes.unnamed]
    notes += [f"{nodes.name}: column {name!r} is {what}, so it is no feature" for name in shown]
    return notes


def _written(name: str) -> str:
    """A column as Hydra takes it."""
    return name if all(c.isalnum() or c in "_-.:" for c in name) else repr(name)
