"""A three-layer GCN with batch norms and a residual, for benchmarks."""

import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import GCNConv


class ResidualGCN(nn.Module):
    """``conv -> norm -> relu`` twice, the second time with a residual, then a convolution."""

    def __init__(self, in_features: int, num_classes: int, hidden: int = 16, dropout: float = 0.5):
        super().__init__()
        self.conv1 = GCNConv(in_features, hidden)
        self.norm1 = nn.BatchNorm1d(hidden)
        self.conv2 = GCNConv(hidden, hidden)
        self.norm2 = nn.BatchNorm1d(hidden)
        self.conv3 = GCNConv(hidden, num_classes)
        self.dropout1 = nn.Dropout(dropout)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``[N, classes]``."""
        kept = F.relu(self.norm1(self.conv1(self.dropout1(x), edge_index)))
        x = F.relu(self.norm2(self.conv2(self.dropout1(kept), edge_index))) + kept
        out: Tensor = self.conv3(self.dropout1(x), edge_index)
        return out
