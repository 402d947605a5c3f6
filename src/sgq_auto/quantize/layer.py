"""What every quantized layer shares: its input and its weight, quantized."""

from abc import abstractmethod
from typing import Any

from torch import Tensor, nn

from sgq_auto.graphs import DenseFeatures, Features, SparseFeatures
from sgq_auto.graphs.features import FeatureMatrix
from sgq_auto.packed import LayerSpec
from sgq_auto.quantize.dropped import Dropped
from sgq_auto.quantize.quantizer_factory import QuantizerFactory


class QuantizedLayer(nn.Module):
    """A layer that quantizes its input embedding.

    Args:
        name: The layer's name in the model.
        quantizers: Makes its fake-quantizers.
        reads_features: Whether its input is the graph's node features.
    """

    def __init__(self, name: str, quantizers: QuantizerFactory, *, reads_features: bool) -> None:
        super().__init__()
        self.name = name
        self.in_features = 0
        self.engine = quantizers.graph.engine
        self.input_quantizer = (
            quantizers.features() if reads_features else quantizers.embedding(name)
        )
        self._matrix: FeatureMatrix | None = None

    def quantize_input(self, x: Any) -> Any:
        """The quantized input (features as a matrix), dropout applied after quantization."""
        source: Any = x.source if isinstance(x, Dropped) else x
        if isinstance(source, SparseFeatures | DenseFeatures):
            matrix = self._quantize_features(source)
            return matrix.with_values(x.apply(matrix.values)) if isinstance(x, Dropped) else matrix
        self.in_features = source.size(-1)
        quantized = self.input_quantizer(source)
        return x.apply(quantized) if isinstance(x, Dropped) else quantized

    @abstractmethod
    def spec(self) -> LayerSpec:
        """What the layer's footprint depends on; known once it has run."""

    def _quantize_features(self, features: Features) -> FeatureMatrix:
        # Features never change: quantized and normalised once.
        if self._matrix is None:
            self.in_features = features.num_features
            self._matrix = features.matrix(self.input_quantizer(features.values))
        return self._matrix


def linear(x: Tensor | FeatureMatrix, weight: Tensor) -> Tensor:
    """``x @ weight.T`` for an embedding or a feature matrix."""
    if isinstance(x, Tensor):
        return nn.functional.linear(x, weight)
    return x.linear(weight)
