"""The quantized twin of PyG's ``TransformerConv``."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import TransformerConv

from sgq_auto.graphs import CsrPattern
from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.attention_based.transformer import (
    TransformerLayer,
    transformer_spec,
)
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.quantize.layers.attention_based.multi_head import StackedLayer
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class QuantizedTransformerConv(StackedLayer):
    """``y_i = W_s Q(x)_i + sum_j Q(p_ij) v_j``, ``p_ij = softmax_j(q_i k_j / sqrt(channels))``.

    Queries, keys and values are products of the quantized input, coded together. A node attends to
    its neighbours, not to itself. Where there is a gate, it weights the two terms of the sum. Where
    edges have features, ``W_e e_ij`` is added to keys and to values.
    """

    packs_as = TransformerLayer
    linear_names = ("lin_query", "lin_key", "lin_value")
    own_name = "lin_skip"

    def __init__(self, source: TransformerConv, name: str, quantizers: QuantizerFactory) -> None:
        # PyG makes the skip's matrix where it is not used, too.
        self.has_root = bool(source.root_weight)
        super().__init__(source, name, quantizers)
        self.lin_beta = source.lin_beta

    @property
    def own(self) -> Any:
        """The linear layer of the skip, where it is used."""
        return super().own if self.has_root else None

    @property
    def gate(self) -> Tensor | None:
        """What weights the skip, ``[1, 3 * out]``, where it is used."""
        used = self.has_root and self.lin_beta is not None
        weight: Tensor | None = self.lin_beta.weight if used else None
        return weight

    def gathered(self, adj_t: CsrPattern, nodes: Sequence[Tensor]) -> Tensor:
        """Values, by the attention of queries to keys."""
        queries, keys, values = nodes
        return self.propagate(adj_t, values, queries, keys, *self.edge_matrix())

    def weighted(
        self, adj_t: CsrPattern, rows: slice, attention: Tensor, nodes: Tensor, *inputs: Tensor
    ) -> Tensor:
        """Values, and what edges add: their features are summed before they are transformed."""
        out = super().weighted(adj_t, rows, attention, nodes)
        for matrix in inputs[2:]:
            edges = self.edge_rows(rows, attention.dtype).unsqueeze(1) * attention.unsqueeze(2)
            sums = edges.new_zeros(adj_t.shape[0], *edges.shape[1:]).index_add(0, adj_t.row, edges)
            out = out + torch.einsum("nhd,hcd->nhc", sums, matrix)
        return out

    def finished(self, gathered: Tensor, own: Tensor | None) -> Tensor:
        """With the skip, which is added as it is computed."""
        if own is None:
            return gathered
        if self.gate is None:
            return gathered + own
        parts = torch.cat([gathered, own, gathered - own], dim=-1)
        share = torch.nn.functional.linear(parts, self.gate).sigmoid()
        return share * own + (1 - share) * gathered

    def attention(self, adj_t: CsrPattern, rows: slice, *inputs: Tensor) -> Tensor:
        """Softmax of the scaled products of ``inputs``, queries and keys."""
        queries, keys, *matrix = inputs
        queries = queries[rows].contiguous()
        scores = adj_t.sddmm(queries, keys)
        for each in matrix:
            asked = torch.einsum("nhc,hcd->nhd", queries, each).index_select(0, adj_t.row)
            scores = scores + (asked * self.edge_rows(rows, scores.dtype).unsqueeze(1)).sum(dim=-1)
        return adj_t.row_softmax(scores / math.sqrt(self.channels))

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Its matrices, their biases, and the gate."""
        own = None if self.own is None else self.own.bias
        gate = None if self.gate is None else self.gate.flatten()
        return self.parts_of(packing, {"own_bias": own, "gate": gate}, {})

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        return transformer_spec(
            self.name,
            self.in_features,
            self.channels,
            self.heads,
            concat=self.concat,
            bias=self.made[0].bias is not None,
            root_weight=self.own is not None,
            gate=self.gate is not None,
            edge_features=self.edge_dim or 0,
        )
