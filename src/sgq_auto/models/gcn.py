"""The two-layer graph convolutional network."""

from torch import Tensor
from torch_geometric.nn import GCNConv

from sgq_auto.models.two_convolutions import TwoConvolutions


class GCN(TwoConvolutions):
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
        super().__init__(GCNConv, in_features, num_classes, hidden=hidden, dropout=dropout)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        """Logits ``[N, classes]`` from features ``[N, F]`` and edges ``[2, E]``.

        Edges may have weights ``[E]``, from 0 on.
        """
        return self.convolve(x, edge_index, edge_weight)
