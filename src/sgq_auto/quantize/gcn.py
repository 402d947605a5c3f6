"""The quantized twin of PyG's ``GCNConv``."""

from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import GCNConv

from sgq_auto.engines import FixedMatrix
from sgq_auto.graphs import CsrPattern
from sgq_auto.graphs.csr import multiply_fixed
from sgq_auto.packed import LayerSpec
from sgq_auto.packed.layer_specs import gcn_spec
from sgq_auto.quantize.layer import QuantizedLayer, linear, sums_messages
from sgq_auto.quantize.quantizer_factory import QuantizerFactory


class QuantizedGCNConv(QuantizedLayer):
    """``y = Q(A) Q(Q(x) Q(W)^T) + b`` with ``A = D^-1/2 (A + I) D^-1/2``.

    Node embeddings are quantized before the gather: the same values as quantizing per-edge
    copies, for ``N`` rows of work in place of ``E``.
    """

    def __init__(self, source: GCNConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers)
        self.lin = source.lin
        self.bias = source.bias
        self.weight_quantizer = quantizers.weight(name, source.out_channels)
        self.transformed_quantizer = quantizers.embedding(name)
        self.attention_quantizer = quantizers.fixed_attention(name)
        self._adjacency: FixedMatrix | None = None

    @classmethod
    def covers(cls, source: GCNConv) -> bool:
        """Whether it has its default normalisation and aggregation."""
        own = source.normalize and source.add_self_loops and not source.improved
        return own and sums_messages(source)

    def forward(self, x: Tensor, edge_index: Any, edge_weight: Any = None) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        adj_t = self.pattern(edge_index, edge_weight=edge_weight)
        transformed = linear(self.quantize_input(x), self.weight_quantizer(self.lin.weight))
        transformed = self.transformed_quantizer(transformed)
        if self._adjacency is None:
            coefficients = self.attention_quantizer(normalized_adjacency(adj_t, transformed.dtype))
            self._adjacency = adj_t.fixed_matrix(coefficients)
        out = multiply_fixed(self._adjacency, transformed)
        return out if self.bias is None else out + self.bias

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        rows = self.lin.weight.size(0)
        return gcn_spec(self.name, self.in_features, rows, bias=self.bias is not None)


def normalized_adjacency(adj_t: CsrPattern, dtype: torch.dtype = torch.float32) -> Tensor:
    """GCN's coefficients ``1 / sqrt(d_i d_j)`` at the entries of ``adj_t`` (self-loops counted)."""
    scale = adj_t.rowptr.diff().to(dtype).rsqrt()
    return scale.index_select(0, adj_t.row) * scale.index_select(0, adj_t.col)
