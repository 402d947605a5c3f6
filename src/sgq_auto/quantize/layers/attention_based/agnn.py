"""The quantized twin of PyG's ``AGNNConv``."""

from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import AGNNConv

from sgq_auto.graphs import CsrPattern
from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.attention_based.agnn import AgnnLayer, agnn_spec
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.quantize.layers.attention_based.attention import AttentionLayer
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantized_layer import differing, sum_differs
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class QuantizedAGNNConv(AttentionLayer):
    """``y_i = sum_j Q(p_ij) Q(x)_j`` with ``p_ij = softmax_j(beta cos(Q(x)_i, Q(x)_j))``."""

    packs_as = AgnnLayer

    beta: Tensor

    def __init__(self, source: AGNNConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers)
        self.learns_beta = source.requires_grad
        # Kept as what it is in PyG, a parameter or a buffer, so that weights go both ways.
        self._parameters |= source._parameters
        self._buffers |= source._buffers
        self.attention_quantizer = quantizers.attention(name)

    @classmethod
    def lacks(cls, source: AGNNConv) -> str | None:
        """What has no self-loops, or is no sum."""
        return differing(source, add_self_loops=True) or sum_differs(source)

    def forward(self, x: Tensor, edge_index: Any) -> Tensor:
        """``[N, features]`` to ``[N, features]``."""
        adj_t = self.pattern(edge_index)
        nodes = self.quantize_nodes(x)
        directions = torch.nn.functional.normalize(nodes, p=2.0, dim=-1)
        one_head = nodes.unsqueeze(1), directions.unsqueeze(1)
        return self.propagate(adj_t, *one_head).squeeze(1)

    def attention(self, adj_t: CsrPattern, rows: slice, *inputs: Tensor) -> Tensor:
        """Softmax of the scaled cosines of ``inputs``, the directions of the nodes."""
        (directions,) = inputs
        return adj_t.row_softmax(self.beta * adj_t.sddmm(directions[rows], directions))

    def packed_parts(self, packing: Packing) -> LayerParts:
        """The temperature."""
        return packing.parts(self, vectors={"beta": self.beta})

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        return agnn_spec(self.name, self.in_features, learns_beta=self.learns_beta)
