"""A table of edges: which columns name nodes, what they name, and what is left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sgq_auto.errors import InputError
from sgq_auto.graphs.edge_weights import both_ways, check_weights
from sgq_auto.graphs.first_lines import listed
from sgq_auto.graphs.raw_graph import IntArray
from sgq_auto.graphs.sources.edge_attributes import taken_as
from sgq_auto.graphs.sources.tables.feature_cells import numbers_of
from sgq_auto.graphs.sources.tables.ids import TableIds, node_keys
from sgq_auto.graphs.sources.tables.settings import EdgeValues
from sgq_auto.graphs.sources.tables.table_file import Table

DEFAULT_ENDS = ("source", "target")
_SETTING = "dataset.source.edge_columns=[SOURCE,TARGET]"
_WEIGHT = "dataset.source.edge_weight=COLUMN"
_FEATURES = "dataset.source.edge_features=[COLUMN,COLUMN]"
_MOST = 50


@dataclass(frozen=True, eq=False)
class EdgeTable:
    """A table with a row for each edge.

    Attributes:
        table: The table.
        columns: Its columns that name nodes.
        ends: What they name, as text.
        given: Its column of weights, or its columns of features.
        graph: Its column of graphs, if ids count anew in each.
    """

    table: Table
    columns: tuple[str, str]
    ends: tuple["pd.Index[Any]", "pd.Index[Any]"]
    given: EdgeValues
    graph: str | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """Its column of weights, or its columns of features; none without any."""
        return self.given.columns

    @classmethod
    def of(
        cls,
        table: Table,
        columns: Sequence[str],
        given: EdgeValues,
        graph: str | None = None,
    ) -> "EdgeTable":
        """Find the two ends; of a table without a header, the first two columns.

        Raises:
            InputError: If a column is not there, or one of nodes is empty in a row.
        """
        if tuple(columns) == DEFAULT_ENDS and not table.has_named_columns:
            there = all(name in table.columns for name in columns)
            columns = columns if there or len(table.columns) < 2 else table.columns[:2]
        source, target = columns
        ends = (node_keys(table, source, _SETTING), node_keys(table, target, _SETTING))
        setting = _FEATURES if given.are_features else _WEIGHT
        for name in given.columns:
            table.column(name, setting)
            if name in (source, target):
                raise InputError(
                    f"{table.name}: column {name!r} names nodes; set {setting} to another one"
                )
        return cls(table, (source, target), ends, given, graph)

    @property
    def named(self) -> "pd.Index[Any]":
        """All node names in the edges, each once; compared with the ids of the table of nodes."""
        return self.ends[0].append(self.ends[1]).unique()

    def joined(self, edge_index: IntArray, *, undirected: bool) -> tuple[IntArray, Any]:
        """The edges of the graph ``int64 [2, E]`` and their weights, ``None`` without any.

        Features of edges are ``[E, columns]``.

        Args:
            edge_index: What :meth:`edge_index` gives.
            undirected: Whether an edge joins both ways.

        Raises:
            InputError: If a weight is no number, or two rows of an undirected edge differ.
        """
        name, weights = self.table.name, None
        if self.values:
            weights = numbers_of(self.table, list(self.values), "every edge needs a number")
            check_weights(edge_index, weights, name)
        if undirected:
            edge_index, weights = both_ways(edge_index, weights, name)
        if weights is None:
            return edge_index, None
        shape = (-1, len(self.values)) if self.given.are_features else -1
        return edge_index, weights.reshape(shape)

    def edge_index(self, ids: TableIds, nodes: Table) -> IntArray:
        """Rows of the node table that each row joins, ``int64 [2, rows]``.

        Raises:
            InputError: If an edge names what is no node.
        """
        rows = []
        for name, keys in zip(self.columns, self.ends, strict=True):
            found = ids.keys.get_indexer(keys)
            unknown = np.flatnonzero(found < 0)
            if unknown.size:
                hint = f"; is it dataset.source.id={ids.likely}?" if ids.likely else ""
                counted = "" if ids.column else " (the numbers of its rows)"
                raise InputError(
                    f"{self.table.name}: {keys[unknown[0]]!r} in column {name!r}, row "
                    f"{unknown[0] + 1}, is no node of {nodes.name}, whose ids{counted} are like "
                    f"{', '.join(map(repr, ids.keys[:3]))}{hint}"
                )
            rows.append(found.astype(np.int64))
        return np.stack(rows)

    def notes(self, edge_index: IntArray, *, undirected: bool) -> list[str]:
        """What to say of how the edges were read."""
        table, notes = self.table, self.table.notes()
        if not table.has_named_columns:
            notes.append(f"{table.name}: columns {listed(self.columns, 2)} are the ends of edges")
        if undirected:
            notes.append(
                f"{table.name}: read as undirected; dataset.source.undirected=false keeps "
                "directions"
            )
        if self.values:
            verb = "column" if len(self.values) == 1 else "columns"
            said = "is" if len(self.values) == 1 else "are"
            what = taken_as((1, len(self.values)))
            columns = listed(self.values, _MOST)
            notes.append(f"{table.name}: {verb} {columns} {said} taken for {what}")
        rows = len(table.frame)
        spare = rows - _distinct(edge_index, undirected=undirected)
        if spare:
            left_out = "they are left out"
            if self.values:
                what = "weights" if len(self.values) == 1 else "features"
                left_out = f"the {what} of repeats are summed" + (
                    ", but an edge and the same one back are one edge" if undirected else ""
                )
            notes.append(
                f"{table.name}: {spare:,} of {rows:,} rows repeat an edge or join a node to "
                f"itself; {left_out}"
            )
        unused = [
            name for name in table.columns if name not in (*self.columns, *self.values, self.graph)
        ]
        if unused:
            verb = "is" if len(unused) == 1 else "are"
            notes.append(
                f"{table.name}: {listed(unused, _MOST)} {verb} not used{self._unused_hint()}"
            )
        return notes

    def _unused_hint(self) -> str:
        if len(self.values) == 1:
            return f": edges have one weight; if they have features: {_FEATURES}"
        if self.values:
            return ""
        return f"; if one is a weight of edges: {_WEIGHT}; if some are features: {_FEATURES}"


def _distinct(edge_index: IntArray, *, undirected: bool) -> int:
    """Different edges between different nodes."""
    ends = edge_index[:, edge_index[0] != edge_index[1]]
    first, second = np.sort(ends, axis=0) if undirected else ends
    return int(np.unique(first * (ends.max(initial=0) + 1) + second).size)
