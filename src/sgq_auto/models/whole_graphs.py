"""Networks that answer once for a whole graph: convolutions, a pooling, and a readout."""

from collections.abc import Callable, Sequence
from enum import StrEnum

from torch import Tensor, nn
from torch_geometric.nn import (
    GCNConv,
    GINConv,
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
    """What both networks share: convolutions, pooling, and ``Linear, ReLU, dropout, Linear``.

    Args:
        convolutions: The convolutions, each with its norm and activation inside or after it.
        norms: What follows each convolution.
        hidden: Features of an embedding.
        num_classes: Classes, or numbers that are predicted.
        pooling: How nodes are pooled.
        dropout: Dropout probability before the last layer.
    """

    def __init__(
        self,
        convolutions: Sequence[nn.Module],
        norms: Sequence[nn.Module],
        *,
        hidden: int,
        num_classes: int,
        pooling: str,
        dropout: float,
    ) -> None:
        super().__init__()
        self.convs = nn.ModuleList(convolutions)
        self.norms = nn.ModuleList(norms)
        self.pool = _POOLINGS[Pooling(pooling)]
        self.lin1 = nn.Linear(hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        self.lin2 = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        """Logits ``[G, classes]`` from features ``[N, F]``, edges and the graph of each node."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(conv(x, edge_index))
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
        widths = [in_features] + [hidden] * (layers - 1)
        convolutions = [GINConv(_network(width, hidden), train_eps=True) for width in widths]
        norms = [nn.Identity() for _ in widths]
        sizes = {"hidden": hidden, "num_classes": num_classes}
        super().__init__(convolutions, norms, **sizes, pooling=pooling, dropout=dropout)


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
        widths = [in_features] + [hidden] * (layers - 1)
        convolutions = [GCNConv(width, hidden) for width in widths]
        norms = [nn.Sequential(nn.BatchNorm1d(hidden), nn.ReLU()) for _ in widths]
        sizes = {"hidden": hidden, "num_classes": num_classes}
        super().__init__(convolutions, norms, **sizes, pooling=pooling, dropout=dropout)


def _network(in_features: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(in_features, hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.BatchNorm1d(hidden),
    )
