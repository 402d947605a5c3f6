"""The two-layer GraphSAGE network."""

from torch_geometric.nn import SAGEConv

from sgq_auto.models.two_convolutions import TwoConvolutions


class SAGE(TwoConvolutions):
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
        super().__init__(SAGEConv, in_features, num_classes, hidden=hidden, dropout=dropout)
