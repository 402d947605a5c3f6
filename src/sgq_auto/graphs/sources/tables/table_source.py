"""A graph in two tables of the user's own: nodes and edges."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

from sgq_auto.errors import InputError
from sgq_auto.graphs.first_lines import listed
from sgq_auto.graphs.raw_graph import IntArray, RawGraph
from sgq_auto.graphs.sources.degree_features import one_hot_degrees
from sgq_auto.graphs.sources.tables.columns import split_of
from sgq_auto.graphs.sources.tables.edges import DEFAULT_ENDS, EdgeTable
from sgq_auto.graphs.sources.tables.feature_cells import numbers_of
from sgq_auto.graphs.sources.tables.feature_file import features_in_file
from sgq_auto.graphs.sources.tables.graph_column import GraphColumn, with_graph_in_ids
from sgq_auto.graphs.sources.tables.ids import TableIds, table_ids
from sgq_auto.graphs.sources.tables.label_columns import no_labels, table_labels
from sgq_auto.graphs.sources.tables.settings import (
    Name,
    edge_values_of,
    has_header,
    name_of,
    names_of,
)
from sgq_auto.graphs.sources.tables.table_file import Table
from sgq_auto.node_files.node_ids import NodeIds

_SOURCE = "dataset.source"
# One-hot degrees end here: what is above is one feature.
_LARGEST_DEGREE = 31
DEGREE_COLUMNS = _LARGEST_DEGREE + 1
# The column that names a node's graph, unless another is set.
_GRAPH = "graph"
# Features whose largest values differ by more train badly together.
_SIZES_APART = 100
_FEW_FEATURES = 12
_MOST_LEFT_OUT = 50


class TableSource:
    """Reads a table of nodes and a table of edges, CSV or (by their ending) parquet.

    Columns may be called by numbers.

    Args:
        nodes: File with a row for each node.
        edges: File with a row for each edge.
        graphs: File with a row for each graph, where nodes belong to many; its labels and its split
            are those of whole graphs.
        graph: Column that names the graph, of the nodes, of ``graphs`` if there is that file, and
            of the edges if ids count anew in each graph; ``None``: ``graph`` where there is the
            file, else all nodes are of one graph.
        id: Column of ids that the edges refer to; ``None`` takes ``id`` where there is one, and
            else numbers the rows from 0, unless a column looks like the ids; ``False`` numbers
            them.
        label: Column of classes, names or whole numbers; empty where a node has none. Or of lists
            of the labels that a node has, or of numbers to predict. Or several columns, each a
            label (0 or 1) or a number.
        unlabelled: What this column holds where a node has no class, beside nothing.
        features: Feature columns, names or patterns like ``word_*``; ``None`` takes every column
            that is nothing else, and none where there is a file of features.
        features_file: File of features: rows of node, feature and value, or lists in JSON.
        feature_columns: Its columns of node, feature and value; ``None`` takes the first three.
        split: Column of ``train``, ``val``, ``test`` or nothing; ``None`` takes ``split`` where
            there is one, and else ``train_mask``, ``val_mask`` and ``test_mask``.
        edge_columns: The two columns of the edges that name nodes, source and target.
        undirected: Whether an edge joins both ways, so that one row is enough for it.
        edge_weight: Column of the edges with their weights, numbers; ``None`` without any.
        edge_features: Columns of the edges with their features, numbers, in place of a weight.
        one_hot_degree: Adds the degree of a node to its features, one column a degree.
        header: Whether CSV files have a header; ``nodes`` or ``edges``: that table alone; ``None``
            finds out.
    """

    def __init__(
        self,
        nodes: str | None,
        edges: str | None,
        *,
        graphs: str | None = None,
        graph: Name | None = None,
        id: Name | bool | None = None,
        label: Sequence[Name] | Name = "label",
        unlabelled: Sequence[Name] | Name | None = None,
        features: Sequence[Name] | Name | None = None,
        features_file: str | None = None,
        feature_columns: Sequence[Name] | None = None,
        split: Name | None = None,
        edge_columns: Sequence[Name] = DEFAULT_ENDS,
        undirected: bool = True,
        edge_weight: Name | None = None,
        edge_features: Sequence[Name] | Name | None = None,
        one_hot_degree: bool = False,
        header: bool | str | None = None,
    ) -> None:
        if not nodes or not edges:
            missing = "edges" if nodes else "nodes"
            raise InputError(f"dataset=table: no file given; add {_SOURCE}.{missing}=FILE.csv")
        self.edge_columns = names_of(edge_columns) or []
        if len(self.edge_columns) != 2:
            raise InputError(
                f"{_SOURCE}.edge_columns={self.edge_columns}: name two, like [source,target]"
            )
        self.nodes, self.edges = Path(nodes), Path(edges)
        self.graphs = Path(graphs) if graphs else None
        named = _GRAPH if graph is None and graphs else graph
        self.graph = None if named is None else name_of(named)
        self.id = id if id is None or id is False else name_of(id)
        self.label = names_of(label) or []
        if not self.label:
            raise InputError(f"{_SOURCE}.label={label}: name the column of labels, or several")
        self.unlabelled = names_of(unlabelled) or []
        self.split = None if split is None else name_of(split)
        self.features = names_of(features)
        self.features_file = Path(features_file) if features_file else None
        self.feature_columns = names_of(feature_columns)
        self.undirected, self.one_hot_degree = undirected, one_hot_degree
        self.edge_values = edge_values_of(edge_weight, edge_features)
        self.header = header

    def load(self, *, labelled: bool = True) -> RawGraph:
        """Read both tables, and the file of features if there is one.

        Args:
            labelled: Whether there are labels; without, none are read.
        """
        nodes, of_labels = self._read_nodes()
        nodes, edges = self._with_edges(nodes)
        graphs = None
        if self.graph is not None:
            graphs = GraphColumn.of(nodes, self.graph, of_labels if self.graphs else None)
        labels = no_labels(len(nodes.frame))
        if labelled:
            labels = table_labels(of_labels, self.label, self.unlabelled)
        split_column = self.split or ("split" if "split" in of_labels.columns else None)
        split = split_of(of_labels, split_column)
        taken = (
            {self.graph} if self.graphs else {*self.label, split_column, *split.used, self.graph}
        )
        ids = table_ids(nodes, self.id, self._may_be_ids(nodes, taken), edges.named)
        rows = edges.edge_index(ids, nodes)
        if graphs is not None:
            graphs.check_edges(rows, edges.table)
        edge_index, weights = edges.joined(rows, undirected=self.undirected)
        x, of_features = self._features(nodes, edge_index, ids, taken)
        return RawGraph(
            name=self.nodes.stem,
            x=x,
            edge_index=edge_index,
            y=labels.y,
            numbers=labels.numbers,
            split=split.single,
            class_names=labels.names,
            edge_weight=weights,
            spare_edges_noted=True,
            node_ids=NodeIds.of(ids.keys, ids.column) if ids.column and not graphs else None,
            graph_of_node=None if graphs is None else graphs.of_node,
            graph_names=None if graphs is None else tuple(map(str, graphs.names)),
            notes=(
                *nodes.notes(),
                *(() if graphs is None else graphs.notes(nodes)),
                *ids.notes,
                *of_features,
                *labels.notes,
                *edges.notes(rows, undirected=self.undirected),
                *_sizes_apart(nodes.name, x),
            ),
        )

    def _with_edges(self, nodes: Table) -> tuple[Table, EdgeTable]:
        """The nodes and the edges; with ids of their graphs, where they count anew in each."""
        edges = EdgeTable.of(self._read_edges(), self.edge_columns, self.edge_values)
        if self.graph is None or self.graph not in edges.table.columns:
            return nodes, edges
        nodes = with_graph_in_ids(nodes, [self.id or "id"], self.graph)
        table = with_graph_in_ids(edges.table, list(edges.columns), self.graph)
        return nodes, EdgeTable.of(table, edges.columns, self.edge_values, self.graph)

    def _read_nodes(self) -> tuple[Table, Table]:
        """The table of nodes, and the one that has the labels: of graphs, if there is that."""
        texts = [self.id or "id", self.split or "split", *self.label]
        if self.graph is not None:
            texts.append(self.graph)
        nodes = Table.read(self.nodes, f"{_SOURCE}.nodes", texts, has_header(self.header, "nodes"))
        if self.graphs is None:
            return nodes, nodes
        header = has_header(self.header, "graphs")
        return nodes, Table.read(self.graphs, f"{_SOURCE}.graphs", texts, header)

    def _read_edges(self) -> Table:
        texts = [*self.edge_columns, "0", "1", *([] if self.graph is None else [self.graph])]
        return Table.read(self.edges, f"{_SOURCE}.edges", texts, has_header(self.header, "edges"))

    def _may_be_ids(self, nodes: Table, taken: Collection[str | None]) -> list[str]:
        """Columns that nothing says what they are."""
        chosen = self._chosen(nodes) or []
        return [name for name in nodes.columns if name not in taken and name not in chosen]

    def _chosen(self, nodes: Table) -> list[str] | None:
        if self.features is None:
            return [] if self.features_file else None
        return nodes.matching(self.features, f"{_SOURCE}.features=[COLUMNS]")

    def _features(
        self, nodes: Table, edge_index: IntArray, ids: TableIds, taken: Collection[str | None]
    ) -> tuple[Any, list[str]]:
        """Features ``[N, F]``, and lines of which they are and what is left out."""
        chosen = self._chosen(nodes)
        named = {ids.column, *ids.copies, *taken}
        names = [n for n in nodes.columns if n not in named] if chosen is None else chosen
        blocks: list[Any] = []
        kinds: list[str] = []
        notes: list[str] = []
        if names:
            advice = f"name the feature columns with {_SOURCE}.features=[a,b,word_*]"
            blocks.append(numbers_of(nodes, names, advice))
            kinds.append(listed(names, _FEW_FEATURES))
        if self.features_file is not None:
            header = has_header(self.header, "features")
            found, notes = features_in_file(
                self.features_file, self.feature_columns, ids.keys, header
            )
            blocks.append(found)
            kinds.append(f"those of {self.features_file.name}")
        if self.one_hot_degree:
            degrees = one_hot_degrees(edge_index, len(nodes.frame), _LARGEST_DEGREE)
            blocks.append(degrees.toarray())
            kinds.append("the degree")
        if not blocks:
            raise InputError(
                f"{nodes.name}: no feature columns; add some, or let the degrees be features: "
                f"{_SOURCE}.one_hot_degree=true"
            )
        unused = [name for name in nodes.columns if name not in named and name not in names]
        left_out = f"; not used: {listed(unused, _MOST_LEFT_OUT)}" if unused else ""
        line = f"{nodes.name}: {_taken_for(self.label)}, features are {', '.join(kinds)}"
        return _joined(blocks), [line + left_out, *notes]


def _taken_for(label: Sequence[str]) -> str:
    """Which columns hold the labels, in words."""
    if len(label) == 1:
        return f"the class is {label[0]!r}"
    return f"the labels are {listed(label, _FEW_FEATURES)}"


def _joined(blocks: Sequence[Any]) -> Any:
    if any(map(scipy.sparse.issparse, blocks)):
        return scipy.sparse.csr_matrix(scipy.sparse.hstack(blocks), dtype=np.float32)
    return np.concatenate(blocks, axis=1)


def _sizes_apart(name: str, x: Any) -> list[str]:
    """A line where features differ so much in size that they train badly together."""
    largest = abs(x).max(axis=0)
    largest = largest.toarray().ravel() if scipy.sparse.issparse(largest) else largest
    largest = largest[largest > 0]
    if not largest.size or largest.max() <= _SIZES_APART * largest.min():
        return []
    return [
        f"{name}: the largest value of a feature is {largest.min():.3g}, of another "
        f"{largest.max():.3g}; scaled alike (mean 0, deviation 1) they train better"
    ]
