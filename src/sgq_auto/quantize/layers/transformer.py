"""The quantized twin of PyG's ``TransformerConv``."""

import math
from typing import Any

from torch import Tensor
from torch_geometric.nn import TransformerConv

from sgq_auto.graphs import CsrPattern
from sgq_auto.packed import LayerSpec
from sgq_auto.quantize.layer import stacked_linear, sums_messages
from sgq_auto.quantize.layers.attention import MultiHeadLayer
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class QuantizedTransformerConv(MultiHeadLayer):
    """``y_i = W_s Q(x)_i + sum_j Q(p_ij) v_j``, ``p_ij = softmax_j(q_i k_j / sqrt(channels))``.

    Queries, keys and values are products of the quantized input, coded together. A node attends to
    its neighbours, not to itself.
    """

    def __init__(self, source: TransformerConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(source, name, quantizers)
        self.lin_query = source.lin_query
        self.lin_key = source.lin_key
        self.lin_value = source.lin_value
        self.lin_skip = source.lin_skip
        rows = sum(lin.weight.size(0) for lin in self._linears())
        self.weight_quantizer = quantizers.weight(name, rows)
        self.transformed_quantizer = quantizers.embedding(name)
        self.attention_quantizer = quantizers.neighbor_attention(name)

    @classmethod
    def covers(cls, source: TransformerConv) -> bool:
        """Whether it has no edge features, no gate, a skip, and one kind of nodes."""
        simple = source.lin_edge is None and source.lin_beta is None and source.root_weight
        return simple and isinstance(source.in_channels, int) and sums_messages(source)

    def forward(
        self,
        x: Tensor,
        edge_index: Any,
        edge_attr: Any = None,
        return_attention_weights: Any = None,
    ) -> Tensor:
        """``[N, in]`` to ``[N, heads * out]``, or ``[N, out]`` where heads are averaged."""
        adj_t = self.pattern(
            edge_index, edge_attr=edge_attr, return_attention_weights=return_attention_weights
        ).without_loops
        products = stacked_linear(self.quantize_input(x), self._linears(), self.weight_quantizer)
        width = self.heads * self.channels
        transformed, skip = products[:, : 3 * width], products[:, 3 * width :]
        quantized = self.transformed_quantizer(transformed.contiguous())
        nodes = quantized.unflatten(1, (3, self.heads, self.channels))
        queries, keys, values = (part.contiguous() for part in nodes.unbind(1))
        out = self.propagate(adj_t, values, queries, keys)
        return self.join_heads(out) + skip

    def attention(self, adj_t: CsrPattern, rows: slice, *inputs: Tensor) -> Tensor:
        """Softmax of the scaled products of ``inputs``, queries and keys."""
        queries, keys = inputs
        scores = adj_t.sddmm(queries[rows].contiguous(), keys) / math.sqrt(self.channels)
        return adj_t.row_softmax(scores)

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        return transformer_spec(
            self.name,
            self.in_features,
            self.channels,
            self.heads,
            concat=self.concat,
            bias=self.lin_query.bias is not None,
        )

    def _linears(self) -> list[Any]:
        return [self.lin_query, self.lin_key, self.lin_value, self.lin_skip]


def transformer_spec(
    name: str, in_features: int, channels: int, heads: int, *, concat: bool, bias: bool
) -> LayerSpec:
    """Sizes of a graph transformer layer (Shi et al. 2021): queries, keys, values and a skip."""
    width = heads * channels
    rows = 3 * width + (width if concat else channels)
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(rows, in_features),
        keeps_input=True,
        transformed_features=3 * width,
        heads=heads,
        vector_elements=rows if bias else 0,
        gathered_features=width,
        gathers_itself=False,
        source_copies=2,
        target_copies=1,
        attention_copies=2,
    )
