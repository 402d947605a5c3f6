"""What networks share that are two convolutions with ReLU between them."""

from collections.abc import Callable

from torch import Tensor, nn


class TwoConvolutions(nn.Module):
    """``conv1, ReLU, conv2``, with dropout before each convolution.

    Args:
        convolution: Makes a convolution from its numbers of inputs and outputs.
        in_features: Node features.
        num_classes: Classes.
        hidden: Hidden features.
        dropout: Dropout probability.
    """

    def __init__(
        self,
        convolution: Callable[[int, int], nn.Module],
        in_features: int,
        num_classes: int,
        *,
        hidden: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.dropout1 = nn.Dropout(dropout)
        self.conv1 = convolution(in_features, hidden)
        self.dropout2 = nn.Dropout(dropout)
        self.conv2 = convolution(hidden, num_classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        """Logits ``[N, classes]`` from features ``[N, F]`` and edges ``[2, E]``."""
        return self.convolve(x, edge_index)

    def convolve(self, x: Tensor, *edges: Tensor | None) -> Tensor:
        """Both convolutions, each given ``edges`` besides its input."""
        x = self.conv1(self.dropout1(x), *edges).relu()
        out: Tensor = self.conv2(self.dropout2(x), *edges)
        return out
