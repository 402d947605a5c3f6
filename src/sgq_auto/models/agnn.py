"""The attention-based graph neural network."""

from torch import Tensor, nn
from torch_geometric.nn import AGNNConv


class AGNN(nn.Module):
    """``Linear, ReLU, AGNNConv, AGNNConv, Linear`` (Thekumparampil et al. 2018).

    The first propagation's temperature stays 1, the second's is learned, as in the paper.

    Args:
        in_features: Node features.
        num_classes: Classes.
        hidden: Hidden features.
        dropout: Dropout probability, before each linear layer.
    """

    def __init__(
        self, in_features: int, num_classes: int, *, hidden: int = 16, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.dropout1 = nn.Dropout(dropout)
        self.lin1 = nn.Linear(in_features, hidden)
        self.prop1 = AGNNConv(requires_grad=False)
        self.prop2 = AGNNConv(requires_grad=True)
        self.dropout2 = nn.Dropout(dropout)
        self.lin2 = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``[N, classes]`` from features ``[N, F]`` and edges ``[2, E]``."""
        x = self.lin1(self.dropout1(x)).relu()
        x = self.prop2(self.prop1(x, edge_index), edge_index)
        out: Tensor = self.lin2(self.dropout2(x))
        return out
