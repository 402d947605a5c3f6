"""The two-layer graph convolutional network."""

from torch import Tensor, nn
from torch_geometric.nn import GCNConv


class GCN(nn.Module):
    """``GCNConv, ReLU, GCNConv`` (Kipf and Welling 2017), with dropout before each convolution.

    Args:
        in_features: Node features.
        num_classes: Classes.
        hidden: Hidden features.
        dropout: Dropout probability.
    """

    def __init__(
        self, in_features: int, num_classes: int, *, hidden: int = 16, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.dropout1 = nn.Dropout(dropout)
        self.conv1 = GCNConv(in_features, hidden)
        self.dropout2 = nn.Dropout(dropout)
        self.conv2 = GCNConv(hidden, num_classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``[N, classes]`` from features ``[N, F]`` and edges ``[2, E]``."""
        x = self.conv1(self.dropout1(x), edge_index).relu()
        out: Tensor = self.conv2(self.dropout2(x), edge_index)
        return out
