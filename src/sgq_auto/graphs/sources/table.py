"""A graph in two tables of the user's own: nodes and edges."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw import MASKS, UNLABELLED, IntArray, RawGraph
from sgq_auto.graphs.sources.columns import classes, node_ids, node_keys, split_of
from sgq_auto.graphs.sources.table_file import Table

_SOURCE = "dataset.source"
# One-hot degrees end here: what is above is one feature.
_LARGEST_DEGREE = 31
# Features whose largest values differ by more train badly together.
_SIZES_APART = 100


class TableSource:
    """Reads a table of nodes and a table of edges, CSV or (by their ending) parquet.

    Args:
        nodes: File with a row for each node.
        edges: File with a row for each edge.
        id: Column of ids that the edges refer to; ``None`` takes ``id`` where there is one, and
            else numbers the rows from 0.
        label: Column of classes, names or whole numbers; empty where a node has none.
        features: Feature columns, names or patterns like ``word_*``; ``None`` takes every column
            that is nothing else.
        split: Column of ``train``, ``val``, ``test`` or nothing; ``None`` takes ``split`` where
            there is one, and else ``train_mask``, ``val_mask`` and ``test_mask``.
        edge_columns: The two columns of the edges that name nodes, source and target.
        undirected: Whether an edge joins both ways, so that one row is enough for it.
        one_hot_degree: Adds the degree of a node to its features, one column a degree.
    """

    def __init__(
        self,
        nodes: str | None,
        edges: str | None,
        *,
        id: str | None = None,
        label: str = "label",
        features: Sequence[str] | None = None,
        split: str | None = None,
        edge_columns: Sequence[str] = ("source", "target"),
        undirected: bool = True,
        one_hot_degree: bool = False,
    ) -> None:
        if not nodes or not edges:
            missing = "edges" if nodes else "nodes"
            raise InputError(f"dataset=table: no file given; add {_SOURCE}.{missing}=FILE.csv")
        if not isinstance(label, str):
            raise InputError(
                f"{_SOURCE}.label={label}: it must be one column (multi-label classification is "
                "not supported)"
            )
        if len(edge_columns) != 2:
            raise InputError(
                f"{_SOURCE}.edge_columns={list(edge_columns)}: name two, like [source,target]"
            )
        self.nodes, self.edges = Path(nodes), Path(edges)
        self.id, self.label, self.split = id, label, split
        self.features = [features] if isinstance(features, str) else features
        self.edge_columns = list(edge_columns)
        self.undirected, self.one_hot_degree = undirected, one_hot_degree

    def load(self) -> RawGraph:
        """Read both tables."""
        texts = [name or default for name, default in ((self.id, "id"), (self.split, "split"))]
        nodes = Table.read(self.nodes, f"{_SOURCE}.nodes", [*texts, self.label])
        edges = Table.read(self.edges, f"{_SOURCE}.edges", self.edge_columns)
        id_column = self.id or ("id" if "id" in nodes.frame else None)
        split_column = self.split or ("split" if "split" in nodes.frame else None)
        taken = {id_column, self.label, split_column, *MASKS}
        y, names = classes(nodes, self.label)
        edge_index = self._edge_index(node_ids(nodes, id_column), nodes, edges)
        x = self._features(nodes, edge_index, taken)
        return RawGraph(
            name=self.nodes.stem,
            x=x,
            edge_index=edge_index,
            y=y,
            split=split_of(nodes, split_column),
            class_names=names,
            notes=tuple(self._notes(nodes, edges, edge_index, x, y)),
        )

    def _edge_index(self, ids: "pd.Index[Any]", nodes: Table, edges: Table) -> IntArray:
        ends = []
        for name in self.edge_columns:
            keys = node_keys(edges, name, f"{_SOURCE}.edge_columns=[SOURCE,TARGET]")
            found = ids.get_indexer(keys)
            unknown = np.flatnonzero(found < 0)
            if unknown.size:
                raise InputError(
                    f"{edges.name}: {keys[unknown[0]]!r} in column {name!r}, row "
                    f"{unknown[0] + 1}, is no node of {nodes.name}, whose ids are like "
                    f"{', '.join(map(repr, ids[:3]))}"
                )
            ends.append(found.astype(np.int64))
        edge_index = np.stack(ends)
        if self.undirected:
            edge_index = np.concatenate([edge_index, edge_index[::-1]], axis=1)
        return edge_index

    def _features(self, nodes: Table, edge_index: IntArray, taken: Collection[str | None]) -> Any:
        if self.features is None:
            names = [name for name in nodes.columns if name not in taken]
        else:
            names = nodes.matching(self.features, f"{_SOURCE}.features=[COLUMNS]")
        blocks: list[Any] = []
        if names:
            advice = f"name the feature columns with {_SOURCE}.features=[a,b,word_*]"
            blocks.append(nodes.numbers(names, advice))
        if self.one_hot_degree:
            blocks.append(_one_hot_degrees(edge_index, len(nodes.frame)))
        if not blocks:
            raise InputError(
                f"{nodes.name}: no feature columns; add some, or let the degrees be features: "
                f"{_SOURCE}.one_hot_degree=true"
            )
        return np.concatenate(blocks, axis=1)

    def _notes(
        self, nodes: Table, edges: Table, edge_index: IntArray, x: Any, y: IntArray
    ) -> list[str]:
        notes = []
        if self.undirected:
            notes.append(
                f"{edges.name}: read as undirected; {_SOURCE}.undirected=false keeps directions"
            )
        rows = len(edges.frame)
        spare = rows - _distinct(edge_index[:, :rows], undirected=self.undirected)
        if spare:
            notes.append(
                f"{edges.name}: {spare:,} of {rows:,} rows repeat an edge or join a node to "
                "itself; they are left out"
            )
        unused = [name for name in edges.columns if name not in self.edge_columns]
        if unused:
            notes.append(f"{edges.name}: {unused[0]!r} is not used: edges have no weights here")
        if (y == UNLABELLED).any():
            notes.append(f"{nodes.name}: {(y == UNLABELLED).sum():,} nodes have no label")
        largest = np.abs(x).max(axis=0)
        largest = largest[largest > 0]
        if largest.size and largest.max() > _SIZES_APART * largest.min():
            notes.append(
                f"{nodes.name}: the largest value of a feature is {largest.min():.3g}, of another "
                f"{largest.max():.3g}; scaled alike (mean 0, deviation 1) they train better"
            )
        return notes


def _distinct(edge_index: IntArray, *, undirected: bool) -> int:
    """Different edges between different nodes."""
    ends = edge_index[:, edge_index[0] != edge_index[1]]
    first, second = np.sort(ends, axis=0) if undirected else ends
    return int(np.unique(first * (ends.max(initial=0) + 1) + second).size)


def _one_hot_degrees(edge_index: IntArray, num_nodes: int) -> np.ndarray[Any, Any]:
    """``float32 [N, degrees]``: in-degrees without repeats and self-loops."""
    sources, targets = edge_index[:, edge_index[0] != edge_index[1]]
    ones = np.ones(sources.size, np.bool_)
    adjacency = scipy.sparse.csr_matrix((ones, (targets, sources)), shape=(num_nodes, num_nodes))
    degrees = np.minimum(adjacency.getnnz(axis=1), _LARGEST_DEGREE)
    one_hot: np.ndarray[Any, Any] = np.eye(_LARGEST_DEGREE + 1, dtype=np.float32)[degrees]
    return one_hot
