"""The two-layer GraphSAGE network."""

from torch import Tensor, nn
from torch_geometric.nn import SAGEConv


class SAGE(nn.Module):
    """``SAGEConv, ReLU, SAGEConv`` with means over all neighbours (Hamilton et al. 2017).

    Dropout acts before each convolution.

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
        self.conv1 = SAGEConv(in_features, hidden)
        self.dropout2 = nn.Dropout(dropout)
        self.conv2 = SAGEConv(hidden, num_classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``[N, classes]`` from features ``[N, F]`` and edges ``[2, E]``."""
        x = self.conv1(self.dropout1(x), edge_index).relu()
        out: Tensor = self.conv2(self.dropout2(x), edge_index)
        return out
