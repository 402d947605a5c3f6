"""The two-layer graph isomorphism network."""

from torch import Tensor, nn
from torch_geometric.nn import GINConv, Linear


class GIN(nn.Module):
    """``GINConv, ReLU, GINConv``, each with ``Linear, ReLU, Linear`` (Xu et al. 2019).

    Dropout acts before each convolution. Weights start as in GCN (Glorot, biases at zero): with
    PyTorch's own start, validation accuracy is 7 points lower on Cora, 10 on CiteSeer.

    Args:
        in_features: Node features.
        num_classes: Classes.
        hidden: Hidden features, also inside both perceptrons.
        dropout: Dropout probability.
        eps: What the weight of a node itself exceeds that of a neighbour by; it is learned from
            there.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        hidden: int = 16,
        dropout: float = 0.6,
        eps: float = 2.0,
    ) -> None:
        super().__init__()
        self.dropout1 = nn.Dropout(dropout)
        self.conv1 = GINConv(_perceptron(in_features, hidden, hidden), eps, train_eps=True)
        self.dropout2 = nn.Dropout(dropout)
        self.conv2 = GINConv(_perceptron(hidden, hidden, num_classes), eps, train_eps=True)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``[N, classes]`` from features ``[N, F]`` and edges ``[2, E]``."""
        x = self.conv1(self.dropout1(x), edge_index).relu()
        out: Tensor = self.conv2(self.dropout2(x), edge_index)
        return out


def _perceptron(in_features: int, hidden: int, out_features: int) -> nn.Sequential:
    widths = ((in_features, hidden), (hidden, out_features))
    first, second = (
        Linear(*pair, weight_initializer="glorot", bias_initializer="zeros") for pair in widths
    )
    return nn.Sequential(first, nn.ReLU(), second)
