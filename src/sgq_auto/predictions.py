"""Predicted classes in files: numbers for programs, names for people."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sgq_auto.csv_layout import CSV_ENCODING, separator_of
from sgq_auto.errors import InputError
from sgq_auto.packed.codes import Array
from sgq_auto.safe_text import csv_row


def write_predictions(
    path: Path, nodes: Sequence[str], classes: Array, names: Sequence[str]
) -> None:
    """Write the class of each node.

    Args:
        path: A ``.npy`` file gets the numbers of the classes, ``int64 [n]``; a ``.csv`` file a row
            for each node: what it is called, and the name of its class.
        nodes: What the nodes are called.
        classes: ``int64 [n]`` numbers of their classes.
        names: Names of all classes.
    """
    if path.suffix == ".npy":
        with path.open("wb") as file:
            np.save(file, classes, allow_pickle=False)
        return
    with path.open("w", encoding="utf-8", newline="") as text:
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["node", "class"])
        rows.writerows(csv_row((node, names[k])) for node, k in zip(nodes, classes, strict=True))


def read_ids(path: Path, num_nodes: int) -> list[str]:
    """The ids of a CSV file's column ``id``, or of its first column if it has none of that name.

    Raises:
        InputError: If the file does not have a row for each of ``num_nodes`` nodes.
    """
    try:
        with path.open(encoding=CSV_ENCODING, newline="") as file:
            header = file.readline().rstrip("\r\n")
            separator = separator_of(header)
            names = [name.strip() for name in next(csv.reader([header], delimiter=separator), [])]
            column = names.index("id") if "id" in names else 0
            rows = csv.reader(file, delimiter=separator)
            ids = [row[column].strip() for row in rows if row]
    except (UnicodeDecodeError, csv.Error, IndexError) as error:
        raise InputError(f"ids={path}: not a CSV file with a header ({error})") from error
    if len(ids) != num_nodes:
        raise InputError(
            f"ids={path}: it has {len(ids):,} rows; the model has {num_nodes:,} nodes, and a row "
            "for each is wanted"
        )
    return ids
