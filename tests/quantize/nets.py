"""Models as users of PyG write them, one a way of arranging layers."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric import nn as pyg
from torch_geometric.utils import add_self_loops

NetBuilder = Callable[[int, int], nn.Module]


class OneLayer(nn.Module):
    """A convolution behind a linear layer."""

    def __init__(self, features: int, conv: nn.Module) -> None:
        super().__init__()
        self.lin = nn.Linear(features, 6)
        self.conv = conv

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        out: Tensor = self.conv(self.lin(x).relu(), edge_index)
        return out


class OnFeatures(nn.Module):
    """A convolution that reads the node features, called by keywords."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = functional.dropout(x, p=0.5, training=self.training)
        out: Tensor = self.conv(x=x, edge_index=edge_index)
        return out


class ResidualSage(nn.Module):
    """Three layers of GraphSAGE with batch normalisation and residuals."""

    def __init__(self, in_channels: int, out_channels: int, hidden: int = 6) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            pyg.SAGEConv(i, o)
            for i, o in ((in_channels, hidden), (hidden, hidden), (hidden, out_channels))
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(hidden) for _ in range(2))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = self.norms[0](self.convs[0](x, edge_index)).relu()
        x = x + self.norms[1](self.convs[1](x, edge_index)).relu()
        x = functional.dropout(x, 0.5, training=self.training)
        out: Tensor = self.convs[2](x, edge_index)
        return out


class JumpingGat(nn.Module):
    """Two layers of GATv2 whose outputs are concatenated."""

    def __init__(self, in_channels: int, out_channels: int, hidden: int = 4) -> None:
        super().__init__()
        self.conv1 = pyg.GATv2Conv(in_channels, hidden, heads=2, dropout=0.3)
        self.conv2 = pyg.GATv2Conv(2 * hidden, hidden, heads=2, dropout=0.3)
        self.jump = pyg.JumpingKnowledge("cat")
        self.lin = pyg.Linear(4 * hidden, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        first = functional.elu(self.conv1(x, edge_index))
        second = functional.elu(self.conv2(first, edge_index))
        out: Tensor = self.lin(self.jump([first, second]))
        return out


class OnRawFeatures(nn.Module):
    """Does with the node features what one does with tensors."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(in_channels)
        self.conv = pyg.GCNConv(in_channels, in_channels)
        self.lin = nn.Linear(2 * in_channels, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        assert isinstance(x, Tensor)
        assert x.shape[0] == x.size(0)
        hidden = self.conv(self.norm(x), edge_index, edge_weight=None) + 0.5 * x
        out: Tensor = self.lin(torch.cat([x, hidden], dim=-1))
        return out


class SharedLayer(nn.Module):
    """One convolution that runs twice."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.lin = nn.Linear(in_channels, 6)
        self.conv = pyg.GCNConv(6, 6)
        self.again = self.conv
        self.out = nn.Linear(6, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = self.conv(self.lin(x), edge_index).relu()
        out: Tensor = self.out(self.again(x, edge_index))
        return out


class SharedNetwork(nn.Module):
    """Two layers that share one network."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.lin = nn.Linear(in_channels, 5)
        network = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 5))
        self.conv1 = pyg.GINConv(network, eps=0.1)
        self.conv2 = pyg.GINConv(network, eps=0.2)
        self.out = nn.Linear(5, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = self.conv1(self.lin(x).relu(), edge_index).relu()
        out: Tensor = self.out(self.conv2(x, edge_index).relu())
        return out


class FromData(nn.Module):
    """Takes a ``Data`` and returns a logarithmic softmax."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = pyg.GCNConv(in_channels, 6)
        self.conv2 = pyg.GCNConv(6, out_channels)

    def forward(self, data: Any) -> Tensor:
        x = functional.relu(self.conv1(data.x, data.edge_index))
        return functional.log_softmax(self.conv2(x, data.edge_index), dim=1)


class OwnLayer(pyg.MessagePassing):
    """A layer of the user's own, with parameters of its own."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(aggr="max")
        self.lin = nn.Linear(in_channels, out_channels)
        self.scale = nn.Parameter(torch.rand(out_channels))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        edge_index, _ = add_self_loops(edge_index, num_nodes=x.size(0))
        out: Tensor = self.propagate(edge_index, x=self.lin(x)) * self.scale
        return out

    def message(self, x_j: Tensor) -> Tensor:
        return x_j.tanh()


class InitialResidual(nn.Module):
    """GCNII, whose layers read two embeddings."""

    def __init__(self, in_channels: int, out_channels: int, **options: Any) -> None:
        super().__init__()
        self.lin = nn.Linear(in_channels, 6)
        self.convs = nn.ModuleList(pyg.GCN2Conv(6, 0.1, 0.5, k, **options) for k in (1, 2))
        self.out = nn.Linear(6, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = first = self.lin(x).relu()
        for conv in self.convs:
            x = functional.dropout(x, 0.3, training=self.training)
            x = conv(x, first, edge_index).relu()
        out: Tensor = self.out(x)
        return out


def _sequential(features: int, classes: int) -> nn.Module:
    layers = [
        (pyg.GCNConv(features, 6), "x, edge_index -> x"),
        nn.LayerNorm(6),
        nn.ReLU(inplace=True),
        (pyg.GCNConv(6, classes), "x, edge_index -> x"),
    ]
    return pyg.Sequential("x, edge_index", layers)


def _behind(make: Callable[[int, int], nn.Module]) -> NetBuilder:
    return lambda features, classes: OneLayer(features, make(6, classes))


def _on_features(make: Callable[[int, int], nn.Module]) -> NetBuilder:
    return lambda features, classes: OnFeatures(make(features, classes))


def _network(features: int, classes: int) -> nn.Sequential:
    layers = (nn.Linear(features, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.3))
    return nn.Sequential(*layers, nn.Linear(5, classes))


# Layers with a twin of their own, on features and behind another layer.
TWINS: dict[str, NetBuilder] = {
    f"{name}-{place}": wrap(make)
    for name, make in {
        "gatv2": lambda i, o: pyg.GATv2Conv(i, o, heads=3, concat=False),
        "gatv2-shared": lambda i, o: pyg.GATv2Conv(i, o, share_weights=True, bias=False),
        "gatv2-residual": lambda i, o: pyg.GATv2Conv(
            i, o, heads=2, concat=False, residual=True, add_self_loops=False
        ),
        "transformer-gated": lambda i, o: pyg.TransformerConv(
            i, o, heads=2, concat=False, beta=True
        ),
        "transformer-alone": lambda i, o: pyg.TransformerConv(i, o, root_weight=False),
        "gat-residual": lambda i, o: pyg.GATConv(i, o, heads=2, concat=False, residual=True),
        "gat-no-loops": lambda i, o: pyg.GATConv(i, o, add_self_loops=False, negative_slope=0.5),
        "transformer": lambda i, o: pyg.TransformerConv(i, o, heads=2, concat=False),
        "transformer-1": lambda i, o: pyg.TransformerConv(i, o, bias=False),
        "sgc": lambda i, o: pyg.SGConv(i, o, K=3),
        "sgc-1": lambda i, o: pyg.SGConv(i, o, bias=False),
        "tag": lambda i, o: pyg.TAGConv(i, o, K=3),
        "tag-1": lambda i, o: pyg.TAGConv(i, o, K=1, bias=False),
        "gat": lambda i, o: pyg.GATConv(i, o, heads=2, concat=False),
        "gcn": lambda i, o: pyg.GCNConv(i, o),
        "sage": lambda i, o: pyg.SAGEConv(i, o),
        "sage-sum": lambda i, o: pyg.SAGEConv(i, o, aggr="sum", root_weight=False),
        "graph-conv": lambda i, o: pyg.GraphConv(i, o),
        "graph-conv-mean": lambda i, o: pyg.GraphConv(i, o, aggr="mean", bias=False),
        "gin": lambda i, o: pyg.GINConv(_network(i, o), eps=0.3, train_eps=True),
        "gin-mlp": lambda i, o: pyg.GINConv(pyg.MLP([i, 5, o], dropout=0.2), train_eps=True),
        "gin-linear": lambda i, o: pyg.GINConv(nn.Linear(i, o)),
        "gin-nested": lambda i, o: pyg.GINConv(nn.Sequential(_network(i, 5), nn.Linear(5, o))),
        "gin-relu": lambda i, o: pyg.GINConv(nn.Sequential(nn.ReLU(), nn.Linear(i, o)), eps=0.2),
        "graph-conv-max": lambda i, o: pyg.GraphConv(i, o, aggr="max"),
        "pna": lambda i, o: pyg.PNAConv(
            i,
            o,
            ["mean", "min", "max", "std"],
            ["identity", "amplification", "attenuation"],
            torch.tensor([1, 3, 5, 2, 1]),
        ),
        "pna-towers": lambda i, o: pyg.PNAConv(
            i,
            o,
            ["sum", "var", "max"],
            ["linear", "inverse_linear"],
            torch.tensor([1, 3, 5, 2, 1]),
            towers=o,
            train_norm=True,
        ),
        "sage-max": lambda i, o: pyg.SAGEConv(i, o, aggr="max"),
        "sage-many": lambda i, o: pyg.SAGEConv(i, o, aggr=["min", "std", "mean", "var", "sum"]),
        "sage-normalize": lambda i, o: pyg.SAGEConv(i, o, normalize=True),
        "sage-project": lambda i, o: pyg.SAGEConv(i, o, project=True, normalize=True, bias=False),
        "sage-max-project": lambda i, o: pyg.SAGEConv(
            i, o, aggr="max", project=True, root_weight=False
        ),
    }.items()
    for place, wrap in (("features", _on_features), ("hidden", _behind))
}
# Layers that run on PyG's path.
GENERIC: dict[str, NetBuilder] = {
    "cheb": _on_features(lambda i, o: pyg.ChebConv(i, o, K=2)),
    "sage-backwards": _behind(lambda i, o: pyg.SAGEConv(i, o, flow="target_to_source")),
    "graph": _behind(lambda i, o: pyg.GraphConv(i, o, aggr="median")),
    "sage-softmax": _behind(lambda i, o: pyg.SAGEConv(i, o, aggr="softmax")),
    "gin-mean": _behind(lambda i, o: pyg.GINConv(_network(i, o), aggr="mean")),
    "gcn-plain": _behind(lambda i, o: pyg.GCNConv(i, o, normalize=False)),
    "gcn-improved": _on_features(lambda i, o: pyg.GCNConv(i, o, improved=True)),
    "gatv2-mean": _behind(lambda i, o: pyg.GATv2Conv(i, o, aggr="mean")),
    "pna-deep": _behind(
        lambda i, o: pyg.PNAConv(i, o, ["mean"], ["identity"], torch.tensor([1, 3]), post_layers=2)
    ),
    "own-layer": _on_features(OwnLayer),
    "gcn2-no-loops": lambda i, o: InitialResidual(i, o, add_self_loops=False),
}
# Arrangements.
ARRANGED: dict[str, NetBuilder] = {
    "appnp": lambda f, c: pyg.Sequential(
        "x, e", [(nn.Linear(f, c), "x -> x"), (pyg.APPNP(4, 0.2), "x, e -> x")]
    ),
    "agnn-features": lambda f, c: pyg.Sequential(
        "x, e", [(pyg.AGNNConv(), "x, e -> x"), (nn.Linear(f, c), "x -> x")]
    ),
    "gcn2": InitialResidual,
    "gcn2-plain": lambda f, c: InitialResidual(f, c, normalize=False),
    "gcn2-own": lambda f, c: InitialResidual(f, c, shared_weights=False),
    "jumping-gat": JumpingGat,
    "raw-features": OnRawFeatures,
    "residual-sage": ResidualSage,
    "shared": SharedLayer,
    "gin-shared": SharedNetwork,
    "sequential": _sequential,
    "pyg-gcn": lambda f, c: pyg.GCN(f, 6, 3, c, dropout=0.5, norm="batch"),
    "pyg-gat": lambda f, c: pyg.GAT(f, 6, 2, c, heads=2, v2=True, jk="max"),
    "pyg-gcn-lstm": lambda f, c: pyg.GCN(f, 6, 2, c, jk="lstm", act="elu"),
    "pyg-gin": lambda f, c: pyg.GIN(f, 6, 2, c, norm="batch", train_eps=True),
    "pyg-sage": lambda f, c: pyg.GraphSAGE(f, 6, 2, c, aggr=["mean", "max"], project=True),
    "pyg-pna": lambda f, c: pyg.PNA(
        f, 6, 2, c, aggregators=["mean", "std"], scalers=["identity"], deg=torch.tensor([1, 3, 5])
    ),
    "mlp": lambda f, c: nn.Sequential(nn.Linear(f, 5), nn.ReLU(), nn.Linear(5, c)),
}
