"""The quantized twin of PyG's ``TAGConv``."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import TAGConv

from sgq_auto.graphs import CsrPattern
from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.layer import LayerParts, PackedLayer
from sgq_auto.packed.runtime.layers.multi_hop.tag import TagLayer, own_names, tag_spec
from sgq_auto.quantize.layers.multi_hop.hops import HopLayer, hops_differ
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantized_layer import differing, linear, sum_differs
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class QuantizedTAGConv(HopLayer):
    """``y = x W_0 + Q(A) Q(x W_1 + Q(A) Q(... Q(x W_K))) + b``, without self-loops.

    PyG sums up ``A^k x W_k``, which is the same, and gathers rows as wide as the input.
    """

    packs_as = TagLayer

    def __init__(self, source: TAGConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers, source.K)
        self.lins = source.lins
        self.bias = source.bias
        self.weight_quantizer = quantizers.weight(name, (1 + source.K) * source.out_channels)
        self.transformed_quantizer = quantizers.embedding(name)
        self.attention_quantizer = quantizers.fixed_neighbor_attention(name)

    @classmethod
    def lacks(cls, source: TAGConv) -> str | None:
        """What is not normalised, or does not propagate at all."""
        return differing(source, normalize=True) or hops_differ(source) or sum_differs(source)

    def forward(self, x: Tensor, edge_index: Any, edge_weight: Any = None) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        adj_t = self.weighted_pattern(edge_index, edge_weight)
        weight = self.weight_quantizer(torch.cat([lin.weight for lin in self._lins]))
        made = linear(self.quantize_input(x), weight)
        out: Tensor
        out, *nearer = made.split(self.lins[0].weight.size(0), dim=1)
        quantizers = (self.transformed_quantizer, *self.hop_quantizers)
        for quantizer, own in zip(quantizers, nearer, strict=True):
            out = self.gather(adj_t, quantizer(out.contiguous())) + own
        return out if self.bias is None else out + self.bias

    def coefficients(self, adj_t: CsrPattern, dtype: torch.dtype) -> Tensor:
        """Coefficients whose degrees count no self-loop, which have 0: quantized in fp64."""
        edges = adj_t.row != adj_t.col
        row, col = adj_t.row[edges].long(), adj_t.col[edges].long()
        weights = torch.ones(row.numel(), dtype=torch.float64, device=row.device)
        if self.edge_weights is not None:
            self.check_weights(self.edge_weights)
            weights = self.edge_weights.values[edges]
        degrees = weights.new_zeros(adj_t.shape[0]).index_add_(0, row, weights)
        roots = torch.where(degrees > 0, degrees.rsqrt(), 0)
        own = roots[row] * weights * roots[col]
        out = own.new_zeros(adj_t.num_entries)
        out[edges] = self.attention_quantizer(own)
        return out.to(dtype)

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        sizes = self.name, self.in_features, self.lins[0].weight.size(0)
        spec = tag_spec(*sizes, hops=self.hops, bias=self.bias is not None)
        return replace(spec, edge_weights=self.edge_weights is not None)

    def packed_kind(self) -> type[PackedLayer] | None:
        """Nothing on weighted edges, whose sums a packed graph has with self-loops alone."""
        return super().packed_kind() if self.edge_weights is None else None

    def unpackable(self) -> str:
        """The weights are the reason."""
        return f"{self.name}: TAGConv with weights of edges cannot be packed"

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Its weights, which are quantized together, and its bias."""
        names = ("weight", *own_names(self.hops))
        weights = {n: lin.weight for n, lin in zip(names, self._lins, strict=True)}
        return packing.parts(self, weights=weights, vectors={"bias": self.bias})

    @property
    def _lins(self) -> list[Any]:
        """The linear layer of each distance, the farthest first."""
        return list(reversed(self.lins))
