"""Networks that answer once for a whole graph: convolutions, a pooling, and a readout."""

from collections.abc import Callable
from enum import StrEnum

from torch import Tensor, nn
from torch_geometric.nn import (
    GCNConv,
    GINConv,
    GINEConv,
    global_add_pool,
    global_max_pool,
    global_mean_pool,
)


class Pooling(StrEnum):
    """What the embeddings of a graph's nodes become."""

    ADD = "add"
    MEAN = "mean"
    MAX = "max"


_POOLINGS: dict[Pooling, Callable[..., Tensor]] = {
    Pooling.ADD: global_add_pool,
    Pooling.MEAN: global_mean_pool,
    Pooling.MAX: global_max_pool,
}


class WholeGraphs(nn.Module):
    """What these networks share: convolutions, pooling, and ``Linear, ReLU, dropout, Linear``.

    Args:
        convolution: Makes a convolution from its numbers of inputs and outputs.
        norm: Makes what follows a convolution, from its number of outputs.
        in_features: Node features.
        num_classes: Classes, or numbers that are predicted.
        hidden: Features of an embedding.
        layers: Convolutions.
        pooling: How nodes are pooled.
        dropout: Dropout probability before the last layer.
    """

    def __init__(
        self,
        convolution: Callable[[int, int], nn.Module],
        norm: Callable[[int], nn.Module],
        in_features: int,
        num_classes: int,
        *,
        hidden: int,
        layers: int,
        pooling: str,
        dropout: float,
    ) -> None:
        super().__init__()
        widths = [in_features] + [hidden] * (layers - 1)
        self.convs = nn.ModuleList([convolution(width, hidden) for width in widths])
        self.norms = nn.ModuleList([norm(hidden) for _ in widths])
        self.pool = _POOLINGS[Pooling(pooling)]
        self.lin1 = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        self.lin2 = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        """Logits ``[G, classes]`` from features ``[N, F]``, edges and the graph of each node."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(conv(x, edge_index))
        return self.read_out(x, batch)

    def read_out(self, x: Tensor, batch: Tensor) -> Tensor:
        """Logits of graphs from embeddings ``[N, hidden]`` of their nodes."""
        pooled = self.lin1(self.pool(x, batch)).relu()
        out: Tensor = self.lin2(self.dropout(pooled))
        return out


class GraphGIN(WholeGraphs):
    """A graph isomorphism network for whole graphs (Xu et al. 2019).

    Each convolution has ``Linear, ReLU, Linear, ReLU, BatchNorm`` as its network.

    Args:
        in_features: Node features.
        num_classes: Classes, or numbers that are predicted.
        hidden: Features of an embedding.
        layers: Convolutions.
        pooling: ``add``, ``mean`` or ``max``.
        dropout: Dropout probability before the last layer.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        hidden: int = 64,
        layers: int = 5,
        pooling: str = "add",
        dropout: float = 0.5,
    ) -> None:
        super().__init__(
            _gin,
            nn.Identity,
            in_features,
            num_classes,
            hidden=hidden,
            layers=layers,
            pooling=pooling,
            dropout=dropout,
        )


class GraphGINE(WholeGraphs):
    """GIN for whole graphs whose edges have features, like bonds of molecules (Hu et al. 2020).

    Each convolution adds its edges, transformed to its width, to what its neighbours send.

    Args:
        in_features: Node features.
        num_classes: Classes, or numbers that are predicted.
        edge_dim: Features of an edge.
        hidden: Features of an embedding.
        layers: Convolutions.
        pooling: ``add``, ``mean`` or ``max``.
        dropout: Dropout probability before the last layer.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        edge_dim: int,
        *,
        hidden: int = 64,
        layers: int = 5,
        pooling: str = "add",
        dropout: float = 0.5,
    ) -> None:
        def convolution(width: int, hidden: int) -> GINEConv:
            return GINEConv(_network(width, hidden), train_eps=True, edge_dim=edge_dim)

        super().__init__(
            convolution,
            nn.Identity,
            in_features,
            num_classes,
            hidden=hidden,
            layers=layers,
            pooling=pooling,
            dropout=dropout,
        )

    def forward(  # type: ignore[override]
        self, x: Tensor, edge_index: Tensor, edge_attr: Tensor, batch: Tensor
    ) -> Tensor:
        """Logits ``[G, classes]``; features of edges are ``[E, edge_dim]``."""
        for conv in self.convs:
            x = conv(x, edge_index, edge_attr)
        return self.read_out(x, batch)


class GraphGCN(WholeGraphs):
    """``GCNConv, BatchNorm, ReLU`` some times, pooled (Kipf and Welling 2017).

    Args:
        in_features: Node features.
        num_classes: Classes, or numbers that are predicted.
        hidden: Features of an embedding.
        layers: Convolutions.
        pooling: ``add``, ``mean`` or ``max``.
        dropout: Dropout probability before the last layer.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        hidden: int = 64,
        layers: int = 4,
        pooling: str = "mean",
        dropout: float = 0.5,
    ) -> None:
        super().__init__(
            GCNConv,
            _normed_relu,
            in_features,
            num_classes,
            hidden=hidden,
            layers=layers,
            pooling=pooling,
            dropout=dropout,
        )


def _gin(in_features: int, hidden: int) -> GINConv:
    return GINConv(_network(in_features, hidden), train_eps=True)


def _network(in_features: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(in_features, hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.BatchNorm1d(hidden),
    )


def _normed_relu(hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm1d(hidden), nn.ReLU())
