"""The quantized twin of PyG's ``GATv2Conv``."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import GATv2Conv

from sgq_auto.graphs import CsrPattern
from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.attention_based.gatv2 import GatV2Layer, gatv2_spec
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.quantize.layers.attention_based.multi_head import StackedLayer
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class QuantizedGATv2Conv(StackedLayer):
    """Attention ``softmax_j a LeakyReLU(l_j + r_i)`` over quantized ``l`` and ``r``.

    Both are products of the quantized input, coded together; ``l`` is also what is gathered. Where
    edges have features, ``W_e e_ij`` is added to ``l_j + r_i``.
    """

    packs_as = GatV2Layer
    linear_names = ("lin_l", "lin_r")

    def __init__(self, source: GATv2Conv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(source, name, quantizers)
        self.negative_slope = source.negative_slope
        self.att = source.att
        self.bias = source.bias
        # Its scores are computed from an edge tensor of all channels.
        self.max_coefficients = type(self).max_coefficients // self.channels

    @property
    def made(self) -> list[Any]:
        """Those of sources and targets, or one where both share it."""
        left, right = super().made
        return [left] if left is right else [left, right]

    def gathered(self, adj_t: CsrPattern, nodes: Sequence[Tensor]) -> Tensor:
        """Sources, by the attention of targets to them."""
        sources, targets = nodes[0], nodes[-1]
        return self.propagate(adj_t, sources, targets, sources, *self.edge_matrix())

    def finished(self, gathered: Tensor, own: Tensor | None) -> Tensor:
        """With the residual and the bias."""
        for term in (own, self.bias):
            gathered = gathered if term is None else gathered + term
        return gathered

    def attention(self, adj_t: CsrPattern, rows: slice, *inputs: Tensor) -> Tensor:
        """Softmax of the scores of ``inputs``, targets and sources ``[N, heads, channels]``."""
        targets, sources, *matrix = inputs
        pairs = targets[rows].index_select(0, adj_t.row) + sources.index_select(0, adj_t.col)
        if matrix:
            edges = self.edge_rows(rows, pairs.dtype) @ matrix[0].flatten(0, 1).t()
            pairs = pairs + edges.view_as(pairs)
        activated = torch.nn.functional.leaky_relu(pairs, self.negative_slope)
        return adj_t.row_softmax((activated * self.att).sum(dim=-1))

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Its matrices, its biases, and the vector of every head."""
        score_vectors = self.att.view(self.heads, self.channels)
        vectors = {"bias": self.bias, "score_vectors": score_vectors}
        return self.parts_of(
            packing, vectors, {"negative_slope": float(self.negative_slope), **self.loop_settings()}
        )

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        return gatv2_spec(
            self.name,
            self.in_features,
            self.channels,
            self.heads,
            shared=len(self.made) == 1,
            concat=self.concat,
            bias=self.bias is not None,
            made_bias=self.made[0].bias is not None,
            residual=self.own is not None,
            self_loops=self.loops,
            edge_features=self.edge_dim or 0,
        )
