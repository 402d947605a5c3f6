"""The quantized twin of PyG's ``GINEConv``."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torch_geometric.nn import GINEConv

from sgq_auto.graphs import CsrPattern
from sgq_auto.graphs.csr_products import RowChunk
from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.gine_sum import GineSumLayer, gine_sum_spec
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.quantize.layers.edge_features import EdgeFeatureLayer
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantized_layer import sum_differs
from sgq_auto.quantize.quantizers.factory import QuantizerFactory

# Values of a chunk of messages: every edge tensor of a training step stays below 128 MiB.
_CHUNK_VALUES = 1 << 25


class QuantizedGINEConv(nn.Module):
    """``y_i = MLP((1 + eps) x_i + sum_j relu(x_j + e_ij W_e + b_e))``.

    What is summed is a quantized layer, :class:`QuantizedEdgeSum`; the network stays as it is, to
    be swapped like any other part of a model.
    """

    def __init__(self, source: GINEConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__()
        self._parameters |= source._parameters
        self._buffers |= source._buffers
        self.sum = QuantizedEdgeSum(source, name, quantizers)
        # Under its own name, so that parameters go both ways; it is no layer of its own here.
        self.lin = None if source.lin is None else _held(source.lin)
        self.nn = source.nn

    @classmethod
    def lacks(cls, source: GINEConv) -> str | None:
        """What is no sum."""
        return sum_differs(source)

    def forward(
        self, x: Tensor, edge_index: Any, edge_attr: Any = None, size: Any = None
    ) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        out: Tensor = self.nn(self.sum(x, edge_index, edge_attr, size))
        return out


class QuantizedEdgeSum(EdgeFeatureLayer):
    """``y_i = (1 + eps) Q(x)_i + sum_j relu(Q(x)_j + Q(e)_ij Q(W_e) + b_e)`` over neighbours.

    Without a matrix, edges have as many features as nodes, which are added as they are.
    """

    packs_as = GineSumLayer
    eps: Tensor

    def __init__(self, source: GINEConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers)
        self._parameters |= source._parameters
        self._buffers |= source._buffers
        self.weight, self.bias = None, None
        if source.lin is not None:
            self.weight, self.bias = source.lin.weight, source.lin.bias
            self.edge_quantizer = quantizers.weight(name, source.lin.weight.size(0))
            self.edge_dim = source.lin.weight.size(1)

    def forward(
        self, x: Tensor, edge_index: Any, edge_attr: Any = None, size: Any = None
    ) -> Tensor:
        """``[N, features]`` to ``[N, features]``."""
        if self.weight is None:
            self.edge_dim = x.size(1)
        adj_t = self.featured_pattern(edge_index, edge_attr, size=size).without_loops
        nodes = self.quantize_nodes(x)
        matrix = () if self.weight is None else (self.edge_quantizer(self.weight),)
        limit = _CHUNK_VALUES // nodes.size(1)
        if adj_t.num_entries <= limit:
            summed = self._messages(RowChunk(adj_t, slice(None), 0), nodes, *matrix)
        else:
            chunks = self.quantizers.bound.once(
                f"{self.name}.chunks", lambda: tuple(adj_t.row_chunks(limit))
            )
            parts = [
                checkpoint(self._messages, c, nodes, *matrix, use_reentrant=False) for c in chunks
            ]
            summed = torch.cat(parts)
        return summed + (1 + self.eps) * nodes

    def _messages(self, chunk: RowChunk, nodes: Tensor, *matrix: Tensor) -> Tensor:
        """What the rows of a chunk are sent, summed."""
        pattern: CsrPattern = chunk.pattern
        edges = self.edge_rows(chunk.rows, nodes.dtype)
        if matrix:
            edges = nn.functional.linear(edges, matrix[0], self.bias)
        messages = (nodes.index_select(0, pattern.col) + edges).relu()
        sums = nodes.new_zeros(pattern.shape[0], nodes.size(1))
        return sums.index_add(0, pattern.row, messages)

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Epsilon, and what edges are transformed by."""
        parts = packing.parts(self, vectors={"eps": self.eps, "edge_bias": self.bias})
        return parts if self.weight is None else self.with_edge_matrix(parts, self.weight)

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        return gine_sum_spec(
            self.name,
            self.in_features,
            self.edge_dim or 0,
            matrix=self.weight is not None,
            bias=self.bias is not None,
        )


def _held(layer: nn.Module) -> nn.Module:
    """A module that has the parameters of a layer and does nothing."""
    held = nn.Module()
    held._parameters = layer._parameters
    return held
