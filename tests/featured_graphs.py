"""The synthetic graph of the tests with features of edges, and models that read them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from sgq_auto.graphs import RawGraph


def with_edge_features(raw: RawGraph, columns: int = 3, *, symmetric: bool = True) -> RawGraph:
    """The graph, its repeated edges left out, with random features for each edge.

    Args:
        raw: The graph.
        columns: Features of an edge.
        symmetric: Whether both directions of an edge have the same.
    """
    source, target = np.unique(raw.edge_index[:, raw.edge_index[0] != raw.edge_index[1]], axis=1)
    drawn = np.random.default_rng(5).normal(size=(raw.num_nodes, raw.num_nodes, columns))
    drawn = drawn + drawn.transpose(1, 0, 2) if symmetric else drawn
    edges = np.stack([source, target]).astype(np.int64)
    return replace(raw, edge_index=edges, edge_weight=drawn[source, target].astype(np.float32))


class FeaturedNet(nn.Module):
    """Two convolutions that are given the features of edges."""

    def __init__(self, conv1: nn.Module, conv2: nn.Module) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv1, conv2

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        hidden = nn.functional.elu(self.conv1(x, edge_index, edge_attr))
        out: Tensor = self.conv2(hidden, edge_index, edge_attr)
        return out


def _gine(features: int, width: int, edges: int | None) -> pyg.GINEConv:
    network = nn.Sequential(nn.Linear(features, 6), nn.ReLU(), nn.Linear(6, width))
    return pyg.GINEConv(network, eps=0.3, train_eps=True, edge_dim=edges)


def _pna(
    features: int, width: int, reductions: list[str], scalers: list[str], edges: int, **own: int
) -> pyg.PNAConv:
    degrees = torch.tensor([1, 3, 5, 2, 1])
    return pyg.PNAConv(features, width, reductions, scalers, degrees, edge_dim=edges, **own)


# By the name of their convolutions: of features, classes and features of edges.
NETS: dict[str, Callable[[int, int, int], tuple[nn.Module, nn.Module]]] = {
    "gine": lambda i, o, d: (_gine(i, 8, d), _gine(8, o, d)),
    "gine_plain": lambda i, o, d: (pyg.SAGEConv(i, d), _gine(d, o, None)),
    "gat": lambda i, o, d: (
        pyg.GATConv(i, 4, heads=3, edge_dim=d),
        pyg.GATConv(12, o, heads=2, concat=False, edge_dim=d, residual=True, fill_value=0.5),
    ),
    "gat_no_loops": lambda i, o, d: (
        pyg.GATConv(i, 5, edge_dim=d, add_self_loops=False),
        pyg.GATConv(5, o, edge_dim=d, bias=False),
    ),
    "gatv2": lambda i, o, d: (
        pyg.GATv2Conv(i, 4, heads=3, edge_dim=d, residual=True),
        pyg.GATv2Conv(12, o, heads=2, concat=False, edge_dim=d, add_self_loops=False),
    ),
    "gatv2_shared": lambda i, o, d: (
        pyg.GATv2Conv(i, 5, edge_dim=d, share_weights=True, fill_value=2),
        pyg.GATv2Conv(5, o, edge_dim=d, bias=False),
    ),
    "transformer": lambda i, o, d: (
        pyg.TransformerConv(i, 4, heads=3, edge_dim=d),
        pyg.TransformerConv(12, o, heads=2, concat=False, beta=True, edge_dim=d),
    ),
    "pna": lambda i, o, d: (
        _pna(i, 6, ["mean", "max", "std"], ["identity", "amplification"], d, towers=2),
        _pna(6, o, ["sum", "var", "min"], ["linear", "attenuation"], d),
    ),
    "transformer_plain": lambda i, o, d: (
        pyg.TransformerConv(i, 5, edge_dim=d, bias=False, root_weight=False),
        pyg.TransformerConv(5, o, edge_dim=d),
    ),
}


def featured_net(name: str, features: int, classes: int, columns: int = 3) -> nn.Module:
    """A network of :data:`NETS`, whose biases are no zeros."""
    conv1, conv2 = NETS[name](features, classes, columns)
    model = _OneReads(conv1, conv2) if name == "gine_plain" else FeaturedNet(conv1, conv2)
    for key, parameter in model.named_parameters():
        if "bias" in key:
            nn.init.uniform_(parameter, -0.5, 0.5)
    return model


class _OneReads(FeaturedNet):
    """The first convolution reads no features of edges."""

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        out: Tensor = self.conv2(self.conv1(x, edge_index).relu(), edge_index, edge_attr)
        return out
