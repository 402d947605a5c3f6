"""Tables of many graphs: which graph a node belongs to, and ids that count anew in each graph."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw_graph import IntArray
from sgq_auto.graphs.sources.tables.columns import texts_of
from sgq_auto.graphs.sources.tables.table_file import Table

_SETTING = "dataset.source.graph=COLUMN"


@dataclass(frozen=True, eq=False)
class GraphColumn:
    """The graphs that the nodes of a table belong to.

    Attributes:
        of_node: ``int64 [N]``, the number of each node's graph.
        names: What the graphs are called, in the order of their numbers.
        column: The column that says it.
    """

    of_node: IntArray
    names: "pd.Index[Any]"
    column: str

    @classmethod
    def of(cls, nodes: Table, column: str, graphs: Table | None) -> "GraphColumn":
        """From the column of a table of nodes.

        Args:
            nodes: A row for each node.
            column: The column that names its graph.
            graphs: A row for each graph, in whose order they are numbered; ``None`` numbers them
                as they occur.

        Raises:
            InputError: If a node names no graph, or one that is not there; if a graph has no node,
                or two rows.
        """
        named = _texts(nodes, column)
        names = pd.Index(named.unique() if graphs is None else _texts(graphs, column))
        if names.has_duplicates:
            twice = names[names.duplicated()][0]
            assert graphs is not None
            raise InputError(
                f"{graphs.name}: {twice!r} is in column {column!r} twice; a graph has one row"
            )
        of_node = names.get_indexer(pd.Index(named))
        unknown = np.flatnonzero(of_node < 0)
        if unknown.size:
            assert graphs is not None
            raise InputError(
                f"{nodes.name}: {named.iloc[unknown[0]]!r} in column {column!r}, row "
                f"{unknown[0] + 1}, is no graph of {graphs.name}"
            )
        counts = np.bincount(of_node, minlength=len(names))
        if (counts == 0).any():
            assert graphs is not None
            empty = names[int(counts.argmin())]
            raise InputError(
                f"{graphs.name}: graph {empty!r} has no node in {nodes.name}; leave it out"
            )
        return cls(of_node.astype(np.int64), names, column)

    def notes(self, nodes: Table) -> list[str]:
        """What to say of it."""
        return [
            f"{nodes.name}: column {self.column!r} names the {len(self.names):,} graphs that nodes "
            "belong to"
        ]

    def check_edges(self, edge_index: IntArray, edges: Table) -> None:
        """Check that no edge joins nodes of two graphs.

        Raises:
            InputError: If one does; a line that names its row.
        """
        source, target = self.of_node[edge_index]
        apart = np.flatnonzero(source != target)
        if apart.size:
            row = int(apart[0])
            raise InputError(
                f"{edges.name}: row {row + 1} joins nodes of two graphs, "
                f"{self.names[source[row]]!r} and {self.names[target[row]]!r}; an edge lies in one"
            )


def with_graph_in_ids(table: Table, columns: list[str], graph: str) -> Table:
    """A table whose columns of node ids say the graph, too: ids may count anew in each graph.

    Args:
        table: A table.
        columns: Its columns of node ids.
        graph: Its column of graphs.
    """
    graphs, frame = _texts(table, graph), table.frame.copy(deep=False)
    for name in columns:
        own = table.column(name, "dataset.source.id=COLUMN")
        frame[name] = (graphs + "/" + texts_of(own)).where(own.notna())
    return replace(table, frame=frame)


def _texts(table: Table, column: str) -> "pd.Series[Any]":
    texts = texts_of(table.column(column, _SETTING))
    missing = np.flatnonzero(texts.isna())
    if missing.size:
        raise InputError(
            f"{table.name}: column {column!r} is empty in row {missing[0] + 1}; it must name a "
            "graph"
        )
    return texts
