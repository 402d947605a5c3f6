"""The quantized twin of PyG's ``SAGEConv``."""

from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import SAGEConv

from sgq_auto.compute import FixedMatrix
from sgq_auto.graphs import CsrPattern
from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.packed.runtime.layers.sage import SageLayer, sage_spec
from sgq_auto.quantize.layer import linear
from sgq_auto.quantize.layers.fixed_layer import FixedLayer
from sgq_auto.quantize.layers.neighbors import aggregation_of, is_aggregated, neighbor_matrix
from sgq_auto.quantize.packing import Packing
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class QuantizedSAGEConv(FixedLayer):
    """``y_i = mean_j Q(Q(x) Q(W_l)^T)_j + Q(x)_i Q(W_r)^T + b`` over neighbours (or their sum).

    Neighbours are transformed before they are gathered, which gives what PyG's other order gives,
    and is narrow where features are wide. A node's own term is added as it is computed, so it is
    no embedding that anything holds.
    """

    packs_as = SageLayer

    def __init__(self, source: SAGEConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers)
        self.aggregation = aggregation_of(source)
        self.lin_l = source.lin_l
        self.lin_r = source.lin_r if source.root_weight else None
        rows = source.out_channels * (1 if self.lin_r is None else 2)
        self.weight_quantizer = quantizers.weight(name, rows)
        self.transformed_quantizer = quantizers.embedding(name)

    @classmethod
    def covers(cls, source: SAGEConv) -> bool:
        """Whether it takes means or sums of one kind of nodes, without more options."""
        simple = not source.normalize and not source.project
        return simple and isinstance(source.in_channels, int) and is_aggregated(source)

    @property
    def bias(self) -> Tensor | None:
        """What is added to every node."""
        bias: Tensor | None = self.lin_l.bias
        return bias

    @property
    def weight(self) -> Tensor:
        """``W_l`` ``[out, in]``, and below it ``W_r`` if there is one."""
        weights = [lin.weight for lin in (self.lin_l, self.lin_r) if lin is not None]
        return torch.cat(weights)

    def forward(self, x: Tensor, edge_index: Any, size: Any = None) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        adj_t = self.pattern(edge_index, size=size)
        transformed = linear(self.quantize_input(x), self.weight_quantizer(self.weight))
        neighbors, *own = transformed.split(self.lin_l.weight.size(0), dim=1)
        out = self.gather(adj_t, self.transformed_quantizer(neighbors.contiguous()))
        for term in (*own, self.bias):
            out = out if term is None else out + term
        return out

    def matrix(self, adj_t: CsrPattern, dtype: torch.dtype) -> FixedMatrix:
        """What aggregates a node's neighbours."""
        return neighbor_matrix(adj_t, self.aggregation, dtype)

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Both weights, which are quantized together, and the bias."""
        weights = {"weight": self.lin_l.weight}
        if self.lin_r is not None:
            weights["root_weight"] = self.lin_r.weight
        settings = {"aggregation": self.aggregation}
        vectors = {"bias": self.bias}
        return packing.parts(self, weights=weights, vectors=vectors, settings=settings)

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        return sage_spec(
            self.name,
            self.in_features,
            self.lin_l.weight.size(0),
            root_weight=self.lin_r is not None,
            bias=self.bias is not None,
        )
