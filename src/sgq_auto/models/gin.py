"""The two-layer graph isomorphism network."""

from torch import Tensor, nn
from torch_geometric.nn import GINConv


class GIN(nn.Module):
    """``GINConv, ReLU, GINConv``, each with ``Linear, ReLU, Linear`` (Xu et al. 2019).

    Dropout acts before each convolution.

    Args:
        in_features: Node features.
        num_classes: Classes.
        hidden: Hidden features, also inside both perceptrons.
        dropout: Dropout probability.
        train_eps: Whether the weight of a node itself is learned.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        hidden: int = 16,
        dropout: float = 0.5,
        train_eps: bool = True,
    ) -> None:
        super().__init__()
        self.dropout1 = nn.Dropout(dropout)
        self.conv1 = GINConv(_perceptron(in_features, hidden, hidden), train_eps=train_eps)
        self.dropout2 = nn.Dropout(dropout)
        self.conv2 = GINConv(_perceptron(hidden, hidden, num_classes), train_eps=train_eps)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``[N, classes]`` from features ``[N, F]`` and edges ``[2, E]``."""
        x = self.conv1(self.dropout1(x), edge_index).relu()
        out: Tensor = self.conv2(self.dropout2(x), edge_index)
        return out


def _perceptron(in_features: int, hidden: int, out_features: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(in_features, hidden), nn.ReLU(), nn.Linear(hidden, out_features))
