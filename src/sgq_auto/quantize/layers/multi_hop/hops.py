"""What layers share that propagate several times."""

from typing import Any

from torch import Tensor, nn

from sgq_auto.graphs import CsrPattern
from sgq_auto.packed.runtime.layers.multi_hop.hops import MAX_HOPS
from sgq_auto.quantize.forward.deferred_dropout import dropout
from sgq_auto.quantize.layers.fixed_layer import NormalizedLayer
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class HopLayer(NormalizedLayer):
    """A layer that multiplies by GCN's normalised adjacency ``hops`` times.

    What is gathered is quantized before each hop.
    """

    def __init__(self, name: str, quantizers: QuantizerFactory, hops: int) -> None:
        super().__init__(name, quantizers)
        self.hops = hops
        self.hop_quantizers = nn.ModuleList(quantizers.embedding(name) for _ in range(hops - 1))
        self.attention_quantizer = quantizers.fixed_attention(name)

    def hop(self, adj_t: CsrPattern, nodes: Tensor) -> Tensor:
        """The quantized adjacency times ``nodes`` ``[N, features]``."""
        if self.training and self.dropout > 0:
            coefficients = self.coefficients(adj_t, nodes.dtype)
            return adj_t.spmm(dropout(coefficients, self.dropout, self.engine), nodes)
        return self.gather(adj_t, nodes)


def hops_differ(source: Any) -> str | None:
    """The hops of a PyG layer, if there are none or more than are packed, as one writes it."""
    return None if 0 < source.K <= MAX_HOPS else f"K={source.K}"
