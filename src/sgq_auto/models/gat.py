"""The two-layer graph attention network."""

from torch import Tensor, nn
from torch_geometric.nn import GATConv


class GAT(nn.Module):
    """``GATConv, ELU, GATConv`` (Velickovic et al. 2018), with dropout on inputs and attention.

    Args:
        in_features: Node features.
        num_classes: Classes.
        hidden: Features of each head of the first layer.
        heads: Heads of the first layer, concatenated.
        output_heads: Heads of the second layer, averaged.
        dropout: Dropout probability.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        hidden: int = 8,
        heads: int = 8,
        output_heads: int = 1,
        dropout: float = 0.6,
    ) -> None:
        super().__init__()
        self.dropout1 = nn.Dropout(dropout)
        self.conv1 = GATConv(in_features, hidden, heads=heads, dropout=dropout)
        self.elu = nn.ELU()
        self.dropout2 = nn.Dropout(dropout)
        self.conv2 = GATConv(
            hidden * heads, num_classes, heads=output_heads, concat=False, dropout=dropout
        )

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``[N, classes]`` from features ``[N, F]`` and edges ``[2, E]``."""
        x = self.elu(self.conv1(self.dropout1(x), edge_index))
        out: Tensor = self.conv2(self.dropout2(x), edge_index)
        return out
