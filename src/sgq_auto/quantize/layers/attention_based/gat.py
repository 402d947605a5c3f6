"""The quantized twin of PyG's ``GATConv``."""

from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import GATConv

from sgq_auto.graphs import CsrPattern
from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.attention_based.gat import GatLayer, gat_spec
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.quantize.layers.attention_based.multi_head import MultiHeadLayer
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class QuantizedGATConv(MultiHeadLayer):
    """Attention ``softmax_j LeakyReLU(a_s h_j + a_d h_i)`` over quantized ``h = Q(Q(x) Q(W)^T)``.

    Where edges have features, ``a_e W_e e_ij`` is added to the scores.

    The coefficients are quantized after the softmax and before attention dropout.
    """

    packs_as = GatLayer
    linear_names = ("lin",)

    head_blocks: Tensor

    def __init__(self, source: GATConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(source, name, quantizers)
        self.negative_slope = source.negative_slope
        self.att_src = source.att_src
        self.att_dst = source.att_dst
        self.att_edge = source.att_edge
        self.bias = source.bias
        head_blocks = torch.eye(self.heads).unsqueeze(1)
        self.register_buffer("head_blocks", head_blocks, persistent=False)

    def forward(
        self,
        x: Tensor,
        edge_index: Any,
        edge_attr: Any = None,
        size: Any = None,
        return_attention_weights: Any = None,
    ) -> Tensor:
        """``[N, in]`` to ``[N, heads * out]``, or ``[N, out]`` where heads are averaged."""
        adj_t = self.featured_pattern(
            edge_index,
            edge_attr,
            size=size,
            return_attention_weights=return_attention_weights,
        )
        quantized, own = self.products(x)
        # Both inner products of every head in one product with a block-diagonal matrix.
        vectors = torch.cat([self.att_dst, self.att_src]).unsqueeze(-1) * self.head_blocks
        targets, sources = (quantized @ blocks.flatten(0, 1) for blocks in vectors)
        nodes = quantized.view(-1, self.heads, self.channels)
        of_edges = [torch.einsum("hcd,hc->dh", m, self.att_edge[0]) for m in self.edge_matrix()]
        gathered = self.propagate(self.edges(adj_t), nodes, targets, sources, *of_edges)
        out = self.join_heads(gathered)
        for term in (own, self.bias):
            out = out if term is None else out + term
        return out

    def attention(self, adj_t: CsrPattern, rows: slice, *inputs: Tensor) -> Tensor:
        """Softmax of the scores of ``inputs``, the shares of targets, of sources, and of edges."""
        targets, sources, *of_edges = inputs
        if not of_edges:
            scores = adj_t.pair_scores(targets[rows], sources, self.negative_slope)
            return adj_t.row_softmax(scores)
        scores = adj_t.pair_scores(targets[rows], sources, 1.0)
        scores = scores + self.edge_rows(rows, scores.dtype) @ of_edges[0]
        return adj_t.row_softmax(torch.nn.functional.leaky_relu(scores, self.negative_slope))

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Its weight, its bias, and both attention vectors of every head."""
        shape = self.heads, self.channels
        vectors = {
            "bias": self.bias,
            "source_vectors": self.att_src.view(shape),
            "target_vectors": self.att_dst.view(shape),
            "edge_vectors": None if self.att_edge is None else self.att_edge.view(shape),
        }
        return self.parts_of(
            packing, vectors, {"negative_slope": float(self.negative_slope), **self.loop_settings()}
        )

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        return gat_spec(
            self.name,
            self.in_features,
            self.channels,
            self.heads,
            concat=self.concat,
            bias=self.bias is not None,
            residual=self.own is not None,
            self_loops=self.loops,
            edge_features=self.edge_dim or 0,
        )
