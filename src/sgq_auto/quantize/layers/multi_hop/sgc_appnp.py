"""The quantized twins of PyG's layers that propagate several times: ``SGConv`` and ``APPNP``."""

from typing import Any

from torch import Tensor
from torch_geometric.nn import APPNP, SGConv

from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.packed.runtime.layers.multi_hop.appnp import AppnpLayer, appnp_spec
from sgq_auto.packed.runtime.layers.multi_hop.sgc import SgcLayer, sgc_spec
from sgq_auto.quantize.layers.multi_hop.hops import HopLayer, hops_differ
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantized_layer import differing, linear, sum_differs
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class QuantizedSGConv(HopLayer):
    """``y = Q(A)^K Q(Q(x) Q(W)^T) + b``: the product comes first, for its rows are shorter."""

    packs_as = SgcLayer

    def __init__(self, source: SGConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers, source.K)
        self.lin = source.lin
        self.weight_quantizer = quantizers.weight(name, source.out_channels)
        self.transformed_quantizer = quantizers.embedding(name)

    @classmethod
    def lacks(cls, source: SGConv) -> str | None:
        """What adds no self-loops, and a number of hops that is not packed."""
        return differing(source, add_self_loops=True) or hops_differ(source) or sum_differs(source)

    def forward(self, x: Tensor, edge_index: Any, edge_weight: Any = None) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        adj_t = self.weighted_pattern(edge_index, edge_weight)
        transformed = linear(self.quantize_input(x), self.weight_quantizer(self.lin.weight))
        nodes = self.hop(adj_t, self.transformed_quantizer(transformed))
        for quantizer in self.hop_quantizers:
            nodes = self.hop(adj_t, quantizer(nodes))
        return nodes if self.lin.bias is None else nodes + self.lin.bias

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        bias, weighted = self.lin.bias is not None, self.edge_weights is not None
        sizes = self.name, self.in_features, self.lin.weight.size(0)
        return sgc_spec(*sizes, hops=self.hops, bias=bias, edge_weights=weighted)

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Its weight and its bias."""
        weights = {"weight": self.lin.weight}
        return packing.parts(self, weights=weights, vectors={"bias": self.lin.bias})


class QuantizedAPPNP(HopLayer):
    """``z <- (1 - alpha) Q(A) Q(z) + alpha Q(x)``, ``K`` times from ``z = x`` on."""

    packs_as = AppnpLayer

    def __init__(self, source: APPNP, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers, source.K)
        self.alpha = source.alpha
        self.dropout = source.dropout

    @classmethod
    def lacks(cls, source: APPNP) -> str | None:
        """Another normalisation than the default, and a number of hops that is not packed."""
        own = differing(source, normalize=True, add_self_loops=True)
        return own or hops_differ(source) or sum_differs(source)

    def forward(self, x: Tensor, edge_index: Any, edge_weight: Any = None) -> Tensor:
        """``[N, features]`` to ``[N, features]``."""
        adj_t = self.weighted_pattern(edge_index, edge_weight)
        start = self.quantize_nodes(x)
        nodes: Tensor = (1 - self.alpha) * self.hop(adj_t, start) + self.alpha * start
        for quantizer in self.hop_quantizers:
            nodes = (1 - self.alpha) * self.hop(adj_t, quantizer(nodes)) + self.alpha * start
        return nodes

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        weighted = self.edge_weights is not None
        return appnp_spec(self.name, self.in_features, hops=self.hops, edge_weights=weighted)

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Its alpha: it has no weight."""
        return packing.parts(self, settings={"alpha": self.alpha})
