"""The synthetic graph of the tests with weights of edges, and models that read them."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from sgq_auto.graphs import BucketSettings, PreparedData, RawGraph, prepare_graph
from sgq_auto.graphs.splits import PerClassSplit
from sgq_auto.quantize.forward.plain_run import run_plain


def with_weights(raw: RawGraph, *, symmetric: bool = True, low: float = 0.1) -> RawGraph:
    """The graph, its repeated edges left out, with a random weight for each edge.

    Args:
        raw: The graph.
        symmetric: Whether both directions of an edge have one weight.
        low: The smallest weight.
    """
    source, target = np.unique(raw.edge_index[:, raw.edge_index[0] != raw.edge_index[1]], axis=1)
    drawn = np.random.default_rng(7).uniform(low, 3, (raw.num_nodes, raw.num_nodes))
    drawn = np.maximum(drawn, drawn.T) if symmetric else drawn
    edges = np.stack([source, target]).astype(np.int64)
    return replace(raw, edge_index=edges, edge_weight=drawn[source, target].astype(np.float32))


def prepared(raw: RawGraph, buckets: BucketSettings | None = None) -> PreparedData:
    """The graph laid out for training."""
    split = PerClassSplit(10, num_val=80, num_test=120).split(raw)
    return prepare_graph(raw, split, buckets or BucketSettings(), normalize_rows=True)


def directed(raw: RawGraph) -> RawGraph:
    """One direction of each edge alone."""
    first = raw.edge_index[0] < raw.edge_index[1]
    assert raw.edge_weight is not None
    return replace(raw, edge_index=raw.edge_index[:, first], edge_weight=raw.edge_weight[first])


def by_pyg(model: nn.Module, data: PreparedData) -> Tensor:
    """What plain PyG computes with weights or features of edges, rows as in the prepared graph."""
    graph = data.graph
    x = torch.empty(graph.num_nodes, graph.features.num_features)
    x[graph.node_order] = graph.features.dense()
    assert data.edge_index is not None
    assert data.edge_weight is not None
    edges, values = torch.from_numpy(data.edge_index), torch.from_numpy(data.edge_weight)
    out: Tensor = run_plain(model.eval(), x, edges, values)
    return out[graph.node_order]


class WeightedNet(nn.Module):
    """Two convolutions that are given the weights of edges."""

    def __init__(self, conv1: nn.Module, conv2: nn.Module) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv1, conv2

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        hidden = self.conv1(x, edge_index, edge_weight).relu()
        out: Tensor = self.conv2(hidden, edge_index, edge_weight)
        return out


class OnItself(nn.Module):
    """GCNII's layers, the input of the first one their initial embedding too."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = pyg.GCN2Conv(width, 0.3, 0.5, 1, shared_weights=False)
        self.second = pyg.GCN2Conv(width, 0.3, normalize=False)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        hidden = self.first(x, x, edge_index, edge_weight)
        out: Tensor = self.second(hidden, x, edge_index, edge_weight)
        return out


def weighted_net(name: str, features: int, classes: int) -> WeightedNet:
    """A network by the name of its convolutions."""
    convs = {
        "gcn": (pyg.GCNConv(features, 8), pyg.GCNConv(8, classes)),
        "graph_conv": (
            pyg.GraphConv(features, 8),
            pyg.GraphConv(8, classes, aggr="mean", bias=False),
        ),
        "mixed": (pyg.GraphConv(features, 8, aggr="mean"), pyg.GCNConv(8, classes)),
        "sgc": (pyg.SGConv(features, 8, K=2), pyg.GraphConv(8, classes)),
        "appnp": (pyg.GCNConv(features, classes), pyg.APPNP(4, 0.2)),
        "gcn2": (pyg.SGConv(features, classes, K=3), OnItself(classes)),
        "tag": (pyg.TAGConv(features, 8), pyg.GCNConv(8, classes)),
    }
    return WeightedNet(*convs[name])
