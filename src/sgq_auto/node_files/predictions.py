"""Predictions in files: numbers for programs, names for people."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from sgq_auto.errors import InputError
from sgq_auto.node_files.csv_layout import CsvLayout
from sgq_auto.node_files.node_ids import NodeIds
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.text.safe_text import csv_row

_DEFAULT = "id"
_SHOWN = 12


def write_predictions(
    path: Path, nodes: Iterable[str], classes: Array, names: Sequence[str], unit: str = "node"
) -> None:
    """Write the class of each node.

    Args:
        path: A ``.npy`` file gets the numbers of the classes, ``int64 [n]``; a ``.csv`` file a row
            for each node: what it is called, and the name of its class.
        nodes: What the nodes are called.
        classes: ``int64 [n]`` numbers of their classes.
        names: Names of all classes.
        unit: What has a class: ``node`` or ``graph``; the name of the first column.
    """
    if path.suffix == ".npy":
        with path.open("wb") as file:
            np.save(file, classes, allow_pickle=False)
        return
    with path.open("w", encoding="utf-8", newline="") as text:
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow([unit, "class"])
        rows.writerows(csv_row((node, names[k])) for node, k in zip(nodes, classes, strict=True))


def write_columns(
    path: Path, nodes: Iterable[str], values: Array, names: Sequence[str], unit: str = "node"
) -> None:
    """Write a probability of each label, or numbers, of each node.

    Args:
        path: A ``.npy`` file gets ``float32 [n, K]``; a ``.csv`` file a row for each node: what it
            is called, and a column for each label or number.
        nodes: What the nodes are called.
        values: fp32 ``[n, K]``.
        names: Names of the labels or numbers.
        unit: What has them: ``node`` or ``graph``; the name of the first column.
    """
    if path.suffix == ".npy":
        with path.open("wb") as file:
            np.save(file, values.astype(np.float32), allow_pickle=False)
        return
    with path.open("w", encoding="utf-8", newline="") as text:
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(csv_row((unit, *names)))
        for node, own in zip(nodes, values, strict=True):
            rows.writerow(csv_row((node, *(f"{value:.6g}" for value in own))))


def read_ids(
    path: Path, num_nodes: int, column: str | None = None, searched: str | None = None
) -> NodeIds:
    """The ids of the nodes in a CSV file.

    Args:
        path: The file, a row for each node in the order of the table that was searched.
        num_nodes: Nodes of the model.
        column: The column; ``None`` takes the one that the search used, or if that is not known
            ``id``, or the only column.
        searched: The column that the search used, if it is known.

    Raises:
        InputError: If the file does not have a row for each node, or it is not clear which column.
    """
    try:
        layout = CsvLayout.of(path)
        names = list(layout.names)
        position = names.index(_id_column(path, names, column, searched))
        ids = [row[position] for row in layout.records(path) if row]
    except (UnicodeDecodeError, csv.Error, IndexError) as error:
        raise InputError(f"ids={path}: not a CSV file with a header ({error})") from error
    if len(ids) != num_nodes:
        raise InputError(
            f"ids={path}: it has {len(ids):,} rows; the model has {num_nodes:,} nodes, and "
            "each needs a row"
        )
    return NodeIds.of(ids, names[position])


def _id_column(path: Path, names: list[str], column: str | None, searched: str | None) -> str:
    """Which column holds the ids: never a guess among several."""
    listed = ", ".join(map(repr, names[:_SHOWN])) + (", …" if len(names) > _SHOWN else "")
    wanted = column or searched
    if wanted is not None:
        if wanted in names:
            return wanted
        used = "" if column else ", which the search used"
        raise InputError(
            f"ids={path}: no column {wanted!r}{used}; there are {listed}; say which: "
            "ids_column=COLUMN"
        )
    if _DEFAULT in names or len(names) == 1:
        return _DEFAULT if _DEFAULT in names else names[0]
    raise InputError(
        f"ids={path}: which column holds the ids? there are {listed}; say which: ids_column=COLUMN"
    )
