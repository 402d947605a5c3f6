"""Features in a file of their own: rows of node, feature and value, or lists in JSON."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse

from sgq_auto.errors import InputError
from sgq_auto.graphs.first_lines import listed
from sgq_auto.graphs.sources.tables.columns import texts_of
from sgq_auto.graphs.sources.tables.ids import node_keys
from sgq_auto.graphs.sources.tables.table_file import Table

_SETTING = "dataset.source.features_file"
_COLUMNS = "dataset.source.feature_columns"


def features_in_file(
    path: Path, columns: Sequence[str] | None, ids: "pd.Index[Any]", header: bool | None
) -> tuple[Any, list[str]]:
    """Features that a file gives for the nodes that it names.

    Args:
        path: A table (CSV, parquet) with a row for each feature of a node: the node, the feature,
            and its value, or 1 where there is no third column. Or a JSON file (``.json``): for each
            node the list of the features that it has, or an object of features and values.
        columns: The columns of node, feature and value; ``None`` takes the first three.
        ids: Ids of the nodes, one a row.
        header: Whether the table has a header; ``None`` finds out.

    Returns:
        A CSR matrix ``[N, F]``, features in the order of their numbers or letters; what to say.

    Raises:
        InputError: If the file cannot be read, or names what is no node.
    """
    if path.suffix == ".json":
        nodes, names, values, notes = _json(path)
    else:
        nodes, names, values, notes = _table(path, columns, header)
    rows = ids.get_indexer(nodes)
    unknown = np.flatnonzero(rows < 0)
    if unknown.size:
        raise InputError(
            f"{path.name}: {nodes[unknown[0]]!r} in row {unknown[0] + 1} is no node; ids are like "
            f"{', '.join(map(repr, ids[:3]))}"
        )
    numbers, features = _numbered(names)
    matrix = _matrix(path, rows, numbers, values, (len(ids), len(features)), (nodes, features))
    without = len(ids) - np.unique(rows).size
    notes.append(
        f"{path.name}: {matrix.nnz:,} values of {len(features):,} features, {listed(features, 3)}"
        + (f"; {without:,} nodes have none" if without else "")
    )
    return matrix, notes


def _table(
    path: Path, columns: Sequence[str] | None, header: bool | None
) -> tuple["pd.Index[Any]", "pd.Index[Any]", Any, list[str]]:
    table = Table.read(path, _SETTING, columns or (), header)
    names = list(columns or table.columns)
    if not 2 <= len(names) <= 3:
        raise InputError(
            f"{table.name}: there are {listed(table.columns, 12)}; say which have the node, the "
            f"feature and (if any) the value: {_COLUMNS}=[NODE,FEATURE,VALUE]"
        )
    nodes, features = (node_keys(table, name, f"{_COLUMNS}=[…]") for name in names[:2])
    said = f"column {names[0]!r} names nodes, {names[1]!r} features"
    if len(names) == 2:
        return nodes, features, None, [*table.notes(), f"{table.name}: {said}"]
    values = pd.to_numeric(table.column(names[2], f"{_COLUMNS}=[…]"), errors="coerce")
    bad = np.flatnonzero(~np.isfinite(values.to_numpy(np.float32, na_value=np.nan)))
    if bad.size:
        raise InputError(
            f"{table.name}: column {names[2]!r} has no number in row {bad[0] + 1}; the value of a "
            "feature must be a number"
        )
    notes = [*table.notes(), f"{table.name}: {said}, {names[2]!r} is the value"]
    return nodes, features, values.to_numpy(np.float32), notes


def _json(path: Path) -> tuple["pd.Index[Any]", "pd.Index[Any]", Any, list[str]]:
    """Nodes, features and values of ``{node: [feature, …]}`` or ``{node: {feature: value}}``."""
    if not path.is_file():
        raise InputError(f"{_SETTING}={path}: there is no such file")
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        if not isinstance(content, dict) or not content:
            raise ValueError("it must be an object of nodes")
        kinds = {type(value) for value in content.values()}
        if kinds not in ({list}, {dict}):
            raise ValueError("each node must have a list of features, or an object of values")
        counts = [len(value) for value in content.values()]
        features = [feature for value in content.values() for feature in value]
        values = None
        if kinds == {dict}:
            flat = [number for value in content.values() for number in value.values()]
            values = np.asarray(flat, np.float32)
        elif not all(isinstance(feature, int | str) for feature in features):
            raise ValueError("lists must hold the numbers or names of the features that a node has")
        elif len(set(counts)) == 1 and len(content) > 1:
            raise ValueError(
                "all lists are of one length, so they may be values as well as the features that "
                "a node has; write a row for each node, feature and value in CSV"
            )
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: no features of nodes in JSON ({error})") from error
    nodes = np.repeat(np.asarray(list(content), object), counts)
    said = f"{path.name}: " + (
        "an object of values for each node" if kinds == {dict} else "a list of features a node has"
    )
    return pd.Index(nodes), pd.Index([str(f) for f in features]), values, [said]


def _numbered(names: "pd.Index[Any]") -> tuple[Any, list[str]]:
    """Columns of features: in the order of their numbers, or of their letters."""
    numbers = pd.to_numeric(pd.Series(names), errors="coerce")
    if not numbers.isna().any():
        found, positions = np.unique(numbers.to_numpy(), return_inverse=True)
        return positions, list(texts_of(pd.Series(found)))
    found, positions = np.unique(np.asarray(names, str), return_inverse=True)
    return positions, [str(name) for name in found]


def _matrix(
    path: Path,
    rows: Any,
    columns: Any,
    values: Any,
    shape: tuple[int, int],
    called: tuple[Sequence[Any], Sequence[str]],
) -> Any:
    """The matrix; a feature that a node has twice counts once, and may not have two values."""
    keys = rows.astype(np.int64) * shape[1] + columns
    _, first = np.unique(keys, return_index=True)
    if values is None:
        values = np.ones(keys.size, np.float32)
    elif first.size < keys.size:
        twice = int(np.setdiff1d(np.arange(keys.size), first)[0])
        raise InputError(
            f"{path.name}: node {called[0][twice]!r} has feature {called[1][columns[twice]]!r} "
            f"twice, again in row {twice + 1}; it must have one value"
        )
    places = (rows[first], columns[first])
    return scipy.sparse.csr_matrix((values[first], places), shape=shape, dtype=np.float32)
