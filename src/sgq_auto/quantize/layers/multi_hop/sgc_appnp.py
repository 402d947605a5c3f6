"""The quantized twins of PyG's layers that propagate several times: ``SGConv`` and ``APPNP``."""

from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torch_geometric.nn import APPNP, SGConv

from sgq_auto.graphs import CsrPattern
from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.gcn import gcn_spec
from sgq_auto.quantize.forward.deferred_dropout import dropout
from sgq_auto.quantize.layer import linear, sums_messages
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


class QuantizedSGConv(HopLayer):
    """``y = Q(A)^K Q(Q(x) Q(W)^T) + b``: the product comes first, for its rows are shorter."""

    def __init__(self, source: SGConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers, source.K)
        self.lin = source.lin
        self.weight_quantizer = quantizers.weight(name, source.out_channels)
        self.transformed_quantizer = quantizers.embedding(name)

    @classmethod
    def covers(cls, source: SGConv) -> bool:
        """Whether it adds self-loops and propagates at all."""
        return source.add_self_loops and source.K > 0 and sums_messages(source)

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
        rows, bias = self.lin.weight.size(0), self.lin.bias is not None
        spec = sgc_spec(self.name, self.in_features, rows, hops=self.hops, bias=bias)
        return replace(spec, edge_weights=self.edge_weights is not None)


class QuantizedAPPNP(HopLayer):
    """``z <- (1 - alpha) Q(A) Q(z) + alpha Q(x)``, ``K`` times from ``z = x`` on."""

    def __init__(self, source: APPNP, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers, source.K)
        self.alpha = source.alpha
        self.dropout = source.dropout

    @classmethod
    def covers(cls, source: APPNP) -> bool:
        """Whether it has its default normalisation and propagates at all."""
        own = source.normalize and source.add_self_loops and source.K > 0
        return own and sums_messages(source)

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
        spec = appnp_spec(self.name, self.in_features, hops=self.hops)
        return replace(spec, edge_weights=self.edge_weights is not None)


def appnp_spec(name: str, in_features: int, *, hops: int) -> LayerSpec:
    """Sizes of a propagation by personalised PageRank (Klicpera et al. 2019)."""
    return LayerSpec(
        name=name,
        in_features=in_features,
        keeps_input=True,
        further_hops=hops - 1,
        heads=1,
        attention_from_degrees=True,
        gathered_features=in_features,
        source_copies=1,
        attention_copies=1,
    )


def sgc_spec(name: str, in_features: int, out_features: int, *, hops: int, bias: bool) -> LayerSpec:
    """Sizes of a simplified graph convolution (Wu et al. 2019)."""
    gcn = gcn_spec(name, in_features, out_features, bias=bias)
    return replace(gcn, further_hops=hops - 1)
