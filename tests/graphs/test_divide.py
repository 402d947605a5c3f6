"""Graphs that are only tested are kept apart from those of a search."""

import numpy as np
import torch
from torch_geometric.data import Data

from sgq_auto.graphs import BucketSettings, PreparedData, RawGraph, Split, prepare_graph
from sgq_auto.graphs.folds import FoldSplit
from sgq_auto.graphs.many_graphs.divide import divided
from sgq_auto.graphs.sources.pyg.data import graph_of_data

_BUCKETS = BucketSettings(split_points=(1, 2))


def raw_graphs(node_labels: bool) -> RawGraph:
    """Twenty stars and paths; every node's first feature names its graph."""
    graphs = []
    for number in range(20):
        nodes = 3 + number % 4
        ends = torch.zeros(nodes - 1, dtype=torch.long) if number % 2 else torch.arange(nodes - 1)
        edges = torch.stack([ends, torch.arange(1, nodes)])
        x = torch.stack([torch.full((nodes,), number + 1.0), torch.arange(1.0, nodes + 1)], dim=1)
        y = torch.arange(nodes) % 2 if node_labels else torch.tensor([number % 2])
        graphs.append(Data(x=x, edge_index=torch.cat([edges, edges.flip(0)], dim=1), y=y))
    return graph_of_data(graphs, "stars")


def prepared(raw: RawGraph, split: Split) -> PreparedData:
    return divided(prepare_graph(raw, split, _BUCKETS, normalize_rows=False))


def graph_names(data: torch.Tensor) -> set[int]:
    return {int(name) - 1 for name in data[:, 0]}


def test_a_search_sees_nothing_of_tested_graphs() -> None:
    for node_labels in (False, True):
        raw = raw_graphs(node_labels)
        split = FoldSplit(folds=5, fold=1).split(raw)
        data = prepared(raw, split)
        assert data.unseen is not None
        tested = split.test if not node_labels else raw.graph_of_node[split.test]
        assert graph_names(data.unseen.features.values) == set(np.unique(tested))
        assert not graph_names(data.graph.features.values) & set(tested)
        assert data.graph.num_graphs + data.unseen.num_graphs == 20
        assert data.unseen.train.nodes.numel() == data.unseen.val.nodes.numel() == 0


def test_held_out_labels_are_rows_of_the_unseen_graphs() -> None:
    raw = raw_graphs(node_labels=False)
    data = prepared(raw, FoldSplit(folds=5, fold=1).split(raw))
    assert data.unseen is not None
    assert data.unseen.graph_of_node is not None
    for row, label in zip(data.held_out.nodes, data.held_out.labels, strict=True):
        names = data.unseen.features.values[data.unseen.graph_of_node == row]
        assert {(int(name[0]) - 1) % 2 for name in names} == {int(label)}


def test_listed_edges_are_those_of_the_searched_graphs() -> None:
    raw = raw_graphs(node_labels=False)
    data = prepared(raw, FoldSplit(folds=5, fold=1).split(raw))
    assert data.edge_index is not None
    order = data.graph.node_order
    row_of_node = torch.empty_like(order)
    row_of_node[order] = torch.arange(order.numel())
    listed = {tuple(edge) for edge in row_of_node[torch.from_numpy(data.edge_index)].t().tolist()}
    own = {tuple(edge) for edge in data.graph.edge_index().t().tolist()}
    assert listed == own


def test_graphs_with_test_nodes_beside_others_stay_together() -> None:
    raw = raw_graphs(node_labels=True)
    rows = np.random.default_rng(0).permutation(raw.num_nodes)
    data = prepared(raw, Split(*(np.sort(part) for part in np.split(rows, [40, 60]))))
    assert data.unseen is None
    assert data.graph.num_nodes == raw.num_nodes
    assert "no graph is unseen" in data.notes[-1]
