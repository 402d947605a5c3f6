"""The quantized twin of PyG's ``GCNConv``."""

from typing import Any

from torch import Tensor
from torch_geometric.nn import GCNConv

from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.gcn import GcnLayer, gcn_spec
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.quantize.layers.fixed_layer import NormalizedLayer
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantized_layer import differing, linear, sum_differs
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class QuantizedGCNConv(NormalizedLayer):
    """``y = Q(A) Q(Q(x) Q(W)^T) + b`` with ``A = D^-1/2 (A + I) D^-1/2``.

    On a weighted graph ``A`` has quantized weights, and ``D`` their sums.

    Node embeddings are quantized before the gather: the same values as quantizing per-edge
    copies, for ``N`` rows of work in place of ``E``.
    """

    packs_as = GcnLayer

    def __init__(self, source: GCNConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers)
        self.lin = source.lin
        self.bias = source.bias
        self.weight_quantizer = quantizers.weight(name, source.out_channels)
        self.transformed_quantizer = quantizers.embedding(name)
        self.attention_quantizer = quantizers.fixed_attention(name)

    @classmethod
    def lacks(cls, source: GCNConv) -> str | None:
        """Another normalisation or aggregation than the default."""
        own = differing(source, normalize=True, add_self_loops=True, improved=False)
        return own or sum_differs(source)

    def forward(self, x: Tensor, edge_index: Any, edge_weight: Any = None) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        adj_t = self.weighted_pattern(edge_index, edge_weight)
        transformed = linear(self.quantize_input(x), self.weight_quantizer(self.lin.weight))
        out = self.gather(adj_t, self.transformed_quantizer(transformed))
        return out if self.bias is None else out + self.bias

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Its weight and its bias; its coefficients follow from the graph."""
        weights = {"weight": self.lin.weight}
        return packing.parts(self, weights=weights, vectors={"bias": self.bias})

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        rows = self.lin.weight.size(0)
        weighted = self.edge_weights is not None
        sizes = self.name, self.in_features, rows
        return gcn_spec(*sizes, bias=self.bias is not None, edge_weights=weighted)
