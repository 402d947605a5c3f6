"""The quantized twin of a linear layer."""

from dataclasses import replace

from torch import Tensor, nn

from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.packed.runtime.layers.linear import LinearLayer, linear_spec
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantized_layer import QuantizedLayer, linear
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class QuantizedLinear(QuantizedLayer):
    """``y = Q(x) Q(W)^T + b``; the output becomes the next layer's quantized input."""

    packs_as = LinearLayer
    takes_graphs = True

    def __init__(self, source: nn.Linear, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers)
        self.weight = source.weight
        self.bias = source.bias
        self.weight_quantizer = quantizers.weight(name, source.weight.size(0))

    def forward(self, x: Tensor) -> Tensor:
        """``[N, ..., in]`` to ``[N, ..., out]``; rows may be graphs too."""
        out = linear(self.quantize_input(x), self.weight_quantizer(self.weight))
        return out if self.bias is None else out + self.bias

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Its weight and its bias."""
        return packing.parts(self, weights={"weight": self.weight}, vectors={"bias": self.bias})

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        rows, columns = self.weight.shape
        spec = linear_spec(self.name, columns, rows, bias=self.bias is not None)
        # Rows of a node may be several, as in an LSTM over layers.
        return replace(spec, in_features=self.in_features, per_graph=self.per_graph)
