"""A table of edges: which columns name nodes, what they name, and what is left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sgq_auto.errors import InputError
from sgq_auto.graphs.first_lines import listed
from sgq_auto.graphs.raw import IntArray
from sgq_auto.graphs.sources.tables.ids import TableIds, node_keys
from sgq_auto.graphs.sources.tables.table_file import Table

DEFAULT_ENDS = ("source", "target")
_SETTING = "dataset.source.edge_columns=[SOURCE,TARGET]"
_MOST = 50


@dataclass(frozen=True, eq=False)
class EdgeTable:
    """A table with a row for each edge.

    Attributes:
        table: The table.
        columns: Its columns that name nodes.
        ends: What they name, as text.
    """

    table: Table
    columns: tuple[str, str]
    ends: tuple["pd.Index[Any]", "pd.Index[Any]"]

    @classmethod
    def of(cls, table: Table, columns: Sequence[str]) -> "EdgeTable":
        """Find the two ends; of a table without a header, the first two columns.

        Raises:
            InputError: If a column is not there, or empty in a row.
        """
        if tuple(columns) == DEFAULT_ENDS and not table.has_named_columns:
            there = all(name in table.columns for name in columns)
            columns = columns if there or len(table.columns) < 2 else table.columns[:2]
        source, target = columns
        ends = (node_keys(table, source, _SETTING), node_keys(table, target, _SETTING))
        return cls(table, (source, target), ends)

    @property
    def named(self) -> "pd.Index[Any]":
        """All node names in the edges, each once; compared with the ids of the table of nodes."""
        return self.ends[0].append(self.ends[1]).unique()

    def edge_index(self, ids: TableIds, nodes: Table, *, undirected: bool) -> IntArray:
        """Rows of the node table, ``int64 [2, E]``.

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
        edge_index = np.stack(rows)
        if undirected:
            edge_index = np.concatenate([edge_index, edge_index[::-1]], axis=1)
        return edge_index

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
        rows = len(table.frame)
        spare = rows - _distinct(edge_index[:, :rows], undirected=undirected)
        if spare:
            notes.append(
                f"{table.name}: {spare:,} of {rows:,} rows repeat an edge or join a node to "
                "itself; they are left out"
            )
        unused = [name for name in table.columns if name not in self.columns]
        if unused:
            verb = "is" if len(unused) == 1 else "are"
            notes.append(
                f"{table.name}: {listed(unused, _MOST)} {verb} not used: edges have no weights, "
                "kinds or features here"
            )
        return notes


def _distinct(edge_index: IntArray, *, undirected: bool) -> int:
    """Different edges between different nodes."""
    ends = edge_index[:, edge_index[0] != edge_index[1]]
    first, second = np.sort(ends, axis=0) if undirected else ends
    return int(np.unique(first * (ends.max(initial=0) + 1) + second).size)
