"""Labels as the columns of a node table hold them: classes, several labels, or numbers."""

import json
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sgq_auto.errors import InputError
from sgq_auto.graphs.labels.label_kinds import Numbers
from sgq_auto.graphs.raw_graph import UNLABELLED
from sgq_auto.graphs.sources.class_numbers import GivenLabels
from sgq_auto.graphs.sources.tables.columns import classes, labelled, texts_of
from sgq_auto.graphs.sources.tables.table_file import Table

_TRUTHS = {"true": 1.0, "false": 0.0}
_SETTING = "dataset.source.label=COLUMN"


def no_labels(rows: int) -> GivenLabels:
    """The labels of a table that has none."""
    return GivenLabels(np.full(rows, UNLABELLED, np.int64), None, None, ())


def table_labels(
    table: Table, columns: Sequence[str], unlabelled: Collection[str] = ()
) -> GivenLabels:
    """The labels of the nodes of a table.

    - One column of names or whole numbers: classes.
    - One column of lists, like ``["a", "c"]``: the labels that each node has.
    - One column of other numbers: a number to predict.
    - Several columns: a label (0 or 1, true or false) or a number each.

    Args:
        table: The node table.
        columns: Its columns of labels.
        unlabelled: What they hold where a node has no label, beside nothing.

    Raises:
        InputError: If a column is missing, or holds what is no label.
    """
    if len(columns) > 1:
        return _columns(table, columns, unlabelled)
    name, column = columns[0], table.column(columns[0], _SETTING)
    lists = _lists(table, name, column)
    if lists is not None:
        return _listed(table, name, lists)
    texts = texts_of(column)
    known, notes = labelled(table, name, texts, unlabelled)
    values = pd.to_numeric(texts.where(known), errors="coerce").to_numpy(
        np.float64, na_value=np.nan
    )
    all_numbers = known.any() and not np.isnan(values[known]).any()
    if all_numbers and (values[known] % 1 != 0).any():
        return GivenLabels(values.astype(np.float32)[:, None], (name,), None, tuple(notes))
    y, names, said = classes(table, name, unlabelled)
    numbers = Numbers(values.astype(np.float32)[:, None], (name,)) if all_numbers else None
    return GivenLabels(y, names, numbers, tuple(said))


def _columns(table: Table, names: Sequence[str], unlabelled: Collection[str]) -> GivenLabels:
    """A label or a number for each column."""
    found, notes = [], []
    for name in names:
        texts = texts_of(table.column(name, "dataset.source.label=[COLUMNS]"))
        known, said = labelled(table, name, texts, unlabelled)
        notes += said
        lower = texts.str.lower()
        values = pd.to_numeric(lower.map(_TRUTHS).fillna(pd.to_numeric(texts, errors="coerce")))
        numbers = values.to_numpy(np.float32, na_value=np.nan)
        bad = np.flatnonzero(known & ~np.isfinite(numbers))
        if bad.size:
            raise InputError(
                f"{table.name}: column {name!r} holds {texts.iloc[bad[0]]!r:.40} in row "
                f"{bad[0] + 1}; one of several columns of labels holds 0 or 1, or a number"
            )
        found.append(np.where(known, numbers, np.nan))
    return GivenLabels(np.stack(found, axis=1).astype(np.float32), tuple(names), None, tuple(notes))


def _lists(table: Table, name: str, column: "pd.Series[Any]") -> list[list[Any] | None] | None:
    """The lists of a column, ``None`` where a cell is empty; ``None`` of a column without lists."""
    known = column.notna().to_numpy()
    cells = [cell if there else None for cell, there in zip(column, known, strict=True)]
    first = next((cell for cell in cells if cell is not None), None)
    if isinstance(first, list | np.ndarray):
        return [None if cell is None else list(cell) for cell in cells]
    texts = [None if cell is None else str(cell).strip() for cell in cells]
    there = [text for text in texts if text is not None]
    if not there or not all(text.startswith("[") and text.endswith("]") for text in there):
        return None
    return [None if text is None else _list(table, name, text) for text in texts]


def _list(table: Table, name: str, text: str) -> list[Any]:
    try:
        found: list[Any] = json.loads(text)
    except (ValueError, RecursionError):
        found = [part.strip(" \"'") for part in text[1:-1].split(",") if part.strip()]
    if any(isinstance(each, list | dict) for each in found):
        raise InputError(f"{table.name}: column {name!r} holds {text!r:.40}; labels are names")
    return found


def _listed(table: Table, name: str, lists: Sequence[list[Any] | None]) -> GivenLabels:
    """Several labels of lists of those that each node has.

    Raises:
        InputError: If they may be a yes or no for each label as well.
    """
    known = [each for each in lists if each is not None]
    called = sorted({str(label) for each in known for label in each})
    lengths = {len(each) for each in known}
    if set(called) <= {"0", "1"} and len(lengths) == 1 and lengths != {1}:
        raise InputError(
            f"{table.name}: column {name!r} holds lists of 0 and 1 that are equally long: labels "
            "of a node, or a yes or no for each? give a column for each label: "
            "dataset.source.label=[a,b]"
        )
    places = {label: place for place, label in enumerate(called)}
    y = np.full((len(lists), len(called)), np.nan, np.float32)
    for row, labels in enumerate(lists):
        if labels is not None:
            y[row] = 0.0
            y[row, [places[str(label)] for label in labels]] = 1.0
    note = f"{table.name}: column {name!r} lists the labels that each node has"
    return GivenLabels(y, tuple(called), None, (note,))
