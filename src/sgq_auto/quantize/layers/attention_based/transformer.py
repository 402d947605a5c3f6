"""The quantized twin of PyG's ``TransformerConv``."""

import math

from torch import Tensor
from torch_geometric.nn import TransformerConv

from sgq_auto.graphs import CsrPattern
from sgq_auto.packed import LayerSpec
from sgq_auto.quantize.layers.attention_based.attention import StackedLayer
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class QuantizedTransformerConv(StackedLayer):
    """``y_i = W_s Q(x)_i + sum_j Q(p_ij) v_j``, ``p_ij = softmax_j(q_i k_j / sqrt(channels))``.

    Queries, keys and values are products of the quantized input, coded together. A node attends to
    its neighbours, not to itself.
    """

    linear_names = ("lin_query", "lin_key", "lin_value", "lin_skip")

    def __init__(self, source: TransformerConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(source, name, quantizers)
        self.attention_quantizer = quantizers.neighbor_attention(name)

    @classmethod
    def covers(cls, source: TransformerConv) -> bool:
        """Whether it has no edge features, no gate, a skip, and one kind of nodes."""
        return source.lin_beta is None and source.root_weight and super().covers(source)

    def from_products(self, adj_t: CsrPattern, products: Tensor) -> Tensor:
        """Queries, keys and values are quantized; the skip is added as it is computed."""
        width = 3 * self.heads * self.channels
        queries, keys, values = self.embeddings(products[:, :width])
        out = self.propagate(adj_t.without_loops, values, queries, keys)
        return self.join_heads(out) + products[:, width:]

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
            bias=self.linears[0].bias is not None,
        )


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
