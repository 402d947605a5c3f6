"""Ten kinds of models that people publish, each in a few lines, for benchmarks.

Widths are small enough for two cores. None was written for this tool: they use PyG's layers,
norms, residuals and jumping knowledge as one does.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import (
    APPNP,
    GATv2Conv,
    GCN2Conv,
    GCNConv,
    GINConv,
    JumpingKnowledge,
    LayerNorm,
    PNAConv,
    SAGEConv,
    SGConv,
    TransformerConv,
)


class ResidualSage(nn.Module):
    """GraphSAGE with batch norms and a residual."""

    def __init__(self, in_channels: int, out_channels: int, hidden: int = 32) -> None:
        super().__init__()
        self.convs = nn.ModuleList([SAGEConv(in_channels, hidden), SAGEConv(hidden, hidden)])
        self.norms = nn.ModuleList([nn.BatchNorm1d(hidden), nn.BatchNorm1d(hidden)])
        self.out = SAGEConv(hidden, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``[N, classes]``."""
        x = F.dropout(x, 0.5, self.training)
        x = F.relu(self.norms[0](self.convs[0](x, edge_index)))
        x = x + F.relu(self.norms[1](self.convs[1](x, edge_index)))
        logits: Tensor = self.out(F.dropout(x, 0.5, self.training), edge_index)
        return logits


class JumpingGatv2(nn.Module):
    """GATv2 whose layers are all read by the classifier."""

    def __init__(self, in_channels: int, out_channels: int, hidden: int = 8) -> None:
        super().__init__()
        self.conv1 = GATv2Conv(in_channels, hidden, heads=4)
        self.conv2 = GATv2Conv(4 * hidden, hidden, heads=4)
        self.jump = JumpingKnowledge("cat")
        self.out = nn.Linear(8 * hidden, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``[N, classes]``."""
        x = F.dropout(x, 0.6, self.training)
        first = F.elu(self.conv1(x, edge_index))
        second = F.elu(self.conv2(F.dropout(first, 0.6, self.training), edge_index))
        logits: Tensor = self.out(F.dropout(self.jump([first, second]), 0.5, self.training))
        return logits


class DeepBlocks(nn.Module):
    """Blocks of norm, activation, dropout and convolution with a residual, as in DeeperGCN."""

    def __init__(self, in_channels: int, out_channels: int, hidden: int = 32, depth: int = 4):
        super().__init__()
        self.encode = nn.Linear(in_channels, hidden)
        self.convs = nn.ModuleList([GCNConv(hidden, hidden) for _ in range(depth)])
        self.norms = nn.ModuleList([nn.LayerNorm(hidden) for _ in range(depth)])
        self.out = nn.Linear(hidden, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``[N, classes]``."""
        x = self.encode(F.dropout(x, 0.5, self.training))
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = x + conv(F.dropout(F.relu(norm(x)), 0.3, self.training), edge_index)
        logits: Tensor = self.out(F.dropout(F.relu(x), 0.5, self.training))
        return logits


class Gcnii(nn.Module):
    """Deep graph convolutions with an initial residual (GCNII)."""

    def __init__(self, in_channels: int, out_channels: int, hidden: int = 32, depth: int = 8):
        super().__init__()
        self.encode = nn.Linear(in_channels, hidden)
        self.convs = nn.ModuleList(
            [GCN2Conv(hidden, alpha=0.1, theta=0.5, layer=k + 1) for k in range(depth)]
        )
        self.out = nn.Linear(hidden, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``[N, classes]``."""
        x = first = F.relu(self.encode(F.dropout(x, 0.5, self.training)))
        for conv in self.convs:
            x = F.relu(conv(F.dropout(x, 0.5, self.training), first, edge_index))
        logits: Tensor = self.out(F.dropout(x, 0.5, self.training))
        return logits


class PropagatedMlp(nn.Module):
    """An MLP whose predictions are propagated (APPNP)."""

    def __init__(self, in_channels: int, out_channels: int, hidden: int = 32) -> None:
        super().__init__()
        self.lin1 = nn.Linear(in_channels, hidden)
        self.lin2 = nn.Linear(hidden, out_channels)
        self.propagate = APPNP(K=10, alpha=0.1)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``[N, classes]``."""
        x = F.relu(self.lin1(F.dropout(x, 0.5, self.training)))
        x = self.lin2(F.dropout(x, 0.5, self.training))
        logits: Tensor = self.propagate(x, edge_index)
        return logits


class TransformerLayer(nn.Module):
    """A graph transformer layer: attention and an MLP, each with a residual and a layer norm."""

    def __init__(self, in_channels: int, out_channels: int, hidden: int = 32, heads: int = 2):
        super().__init__()
        self.encode = nn.Linear(in_channels, hidden)
        self.attend = TransformerConv(hidden, hidden // heads, heads=heads)
        self.norm1, self.norm2 = LayerNorm(hidden, mode="node"), LayerNorm(hidden, mode="node")
        self.lin1, self.lin2 = nn.Linear(hidden, 2 * hidden), nn.Linear(2 * hidden, hidden)
        self.out = nn.Linear(hidden, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``[N, classes]``."""
        x = F.gelu(self.encode(F.dropout(x, 0.5, self.training)))
        x = self.norm1(x + F.dropout(self.attend(x, edge_index), 0.3, self.training))
        x = self.norm2(x + self.lin2(F.gelu(self.lin1(x))))
        logits: Tensor = self.out(F.dropout(x, 0.5, self.training))
        return logits


class Pna(nn.Module):
    """Principal neighbourhood aggregation with towers and batch norms."""

    def __init__(self, in_channels: int, out_channels: int, deg: Tensor, hidden: int = 16) -> None:
        super().__init__()
        reductions, scalers = ["mean", "max", "std"], ["identity", "amplification"]
        self.encode = nn.Linear(in_channels, hidden)
        self.conv = PNAConv(hidden, hidden, reductions, scalers, deg, towers=2)
        self.norm = nn.BatchNorm1d(hidden)
        self.out = nn.Linear(hidden, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``[N, classes]``."""
        x = F.relu(self.encode(F.dropout(x, 0.5, self.training)))
        x = x + F.relu(self.norm(self.conv(x, edge_index)))
        logits: Tensor = self.out(F.dropout(x, 0.5, self.training))
        return logits


class GinMlp(nn.Module):
    """GIN whose MLPs have batch norms."""

    def __init__(self, in_channels: int, out_channels: int, hidden: int = 32) -> None:
        super().__init__()
        self.conv1 = GINConv(_mlp(in_channels, hidden), train_eps=True)
        self.conv2 = GINConv(_mlp(hidden, hidden), train_eps=True)
        self.out = nn.Linear(hidden, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``[N, classes]``."""
        x = F.relu(self.conv1(F.dropout(x, 0.5, self.training), edge_index))
        x = F.relu(self.conv2(F.dropout(x, 0.5, self.training), edge_index))
        logits: Tensor = self.out(F.dropout(x, 0.5, self.training))
        return logits


class MlpAndSgc(nn.Module):
    """An MLP and a simplified graph convolution of the features, added up."""

    def __init__(self, in_channels: int, out_channels: int, hidden: int = 32) -> None:
        super().__init__()
        self.lin1 = nn.Linear(in_channels, hidden)
        self.lin2 = nn.Linear(hidden, out_channels)
        self.smooth = SGConv(in_channels, out_channels, K=2)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``[N, classes]``."""
        x = F.dropout(x, 0.5, self.training)
        hidden = F.dropout(F.relu(self.lin1(x)), 0.5, self.training)
        logits: Tensor = self.smooth(x, edge_index) + self.lin2(hidden)
        return logits


class WeightedGcn(nn.Module):
    """A GCN that reads weights of edges."""

    def __init__(self, in_channels: int, out_channels: int, hidden: int = 16) -> None:
        super().__init__()
        self.conv1 = GCNConv(in_channels, hidden)
        self.conv2 = GCNConv(hidden, out_channels)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Logits ``[N, classes]``."""
        x = F.relu(self.conv1(F.dropout(x, 0.5, self.training), edge_index, edge_weight))
        x = F.dropout(x, 0.5, self.training)
        logits: Tensor = self.conv2(x, edge_index, edge_weight)
        return logits


def _mlp(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Linear(outputs, outputs)
    )


def in_degree_counts(num_nodes: int, targets: Tensor) -> Tensor:
    """How many nodes have each in-degree, which PNA wants."""
    return torch.bincount(torch.bincount(targets, minlength=num_nodes))
