"""The quantized twin of PyG's ``GATv2Conv``."""

from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import GATv2Conv

from sgq_auto.graphs import CsrPattern
from sgq_auto.packed import LayerSpec
from sgq_auto.quantize.layers.attention_based.attention import StackedLayer
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class QuantizedGATv2Conv(StackedLayer):
    """Attention ``softmax_j a LeakyReLU(l_j + r_i)`` over quantized ``l`` and ``r``.

    Both are products of the quantized input, coded together; ``l`` is also what is gathered.
    """

    linear_names = ("lin_l", "lin_r")

    def __init__(self, source: GATv2Conv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(source, name, quantizers)
        self.negative_slope = source.negative_slope
        self.att = source.att
        self.bias = source.bias
        # Its scores are computed from an edge tensor of all channels.
        self.max_coefficients = type(self).max_coefficients // self.channels
        self.attention_quantizer = quantizers.attention(name)

    @classmethod
    def covers(cls, source: GATv2Conv) -> bool:
        """Whether it has no edge features, no residual, self-loops, and one kind of nodes."""
        return source.res is None and source.add_self_loops and super().covers(source)

    @property
    def linears(self) -> list[Any]:
        """Those of sources and targets, or one where both share it."""
        left, right = super().linears
        return [left] if left is right else [left, right]

    def from_products(self, adj_t: CsrPattern, products: Tensor) -> Tensor:
        """Both embeddings, their attention, and what it gathers."""
        nodes = self.embeddings(products)
        sources, targets = nodes[0], nodes[-1]
        out = self.join_heads(self.propagate(adj_t, sources, targets, sources))
        return out if self.bias is None else out + self.bias

    def attention(self, adj_t: CsrPattern, rows: slice, *inputs: Tensor) -> Tensor:
        """Softmax of the scores of ``inputs``, targets and sources ``[N, heads, channels]``."""
        targets, sources = inputs
        pairs = targets[rows].index_select(0, adj_t.row) + sources.index_select(0, adj_t.col)
        activated = torch.nn.functional.leaky_relu(pairs, self.negative_slope)
        return adj_t.row_softmax((activated * self.att).sum(dim=-1))

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        return gatv2_spec(
            self.name,
            self.in_features,
            self.channels,
            self.heads,
            shared=len(self.linears) == 1,
            concat=self.concat,
            bias=self.bias is not None,
        )


def gatv2_spec(
    name: str,
    in_features: int,
    channels: int,
    heads: int,
    *,
    shared: bool,
    concat: bool,
    bias: bool,
) -> LayerSpec:
    """Sizes of graph attention of the second version (Brody et al. 2022).

    Sources and targets are transformed by matrices of their own, unless those are ``shared``.
    """
    width = heads * channels
    rows = width if shared else 2 * width
    out = width if concat else channels
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(rows, in_features),
        transformed_features=rows,
        heads=heads,
        vector_elements=width + (rows + out if bias else 0),
        gathered_features=width,
        source_copies=1,
        target_copies=1,
        attention_copies=2,
    )
