"""The quantized twin of PyG's ``GCN2Conv``."""

from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import GCN2Conv

from sgq_auto.compute import FixedMatrix
from sgq_auto.graphs import CsrPattern
from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.packed.runtime.layers.multi_hop.gcn2 import Gcn2Layer, gcn2_spec
from sgq_auto.packed.runtime.layers.neighbor_sums import Aggregation
from sgq_auto.quantize.forward.held_arguments import HeldArgument
from sgq_auto.quantize.layers.fixed_layer import NormalizedLayer, neighbor_matrix
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantized_layer import differing, sum_differs
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class QuantizedGCN2Conv(NormalizedLayer):
    """``y = u ((1 - beta) I + beta Q(W))`` with ``u = (1 - alpha) Q(A) Q(x) + alpha Q(x_0)``.

    ``x_0`` has the codes in which the model keeps it, whatever the number of layers that read it.
    """

    packs_as = Gcn2Layer
    held_arguments = (HeldArgument("x_0", 1),)

    def __init__(self, source: GCN2Conv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers)
        self.alpha = source.alpha
        self.beta = source.beta
        self.weight1 = source.weight1
        self.weight2 = source.weight2
        rows = sum(weight.size(1) for weight in self._weights)
        self.weight_quantizer = quantizers.weight(name, rows)
        self.normalize = source.normalize
        if self.normalize:
            self.attention_quantizer = quantizers.fixed_attention(name)

    @classmethod
    def lacks(cls, source: GCN2Conv) -> str | None:
        """A normalisation without self-loops."""
        own = differing(source, add_self_loops=True) if source.normalize else None
        return own or sum_differs(source)

    def forward(self, x: Tensor, x_0: Tensor, edge_index: Any, edge_weight: Any = None) -> Tensor:
        """``[N, features]`` and ``[N, features]`` to ``[N, features]``."""
        adj_t = self.weighted_pattern(edge_index, edge_weight)
        own: Tensor = (1 - self.alpha) * self.gather(adj_t, self.quantize_nodes(x))
        start = self.alpha * self.read_held(x_0)
        quantized = self.weight_quantizer(torch.cat(self._weights, dim=1).t().contiguous())
        weight, *initial = quantized.split(own.size(1))
        if not initial:
            return self._mixed(own + start, weight)
        return self._mixed(own, weight) + self._mixed(start, initial[0])

    def matrix(self, adj_t: CsrPattern, dtype: torch.dtype) -> FixedMatrix:
        """The normalised adjacency, or neighbours as they are."""
        if self.normalize:
            return super().matrix(adj_t, dtype)
        weights = None if self.edge_weights is None else self.edge_weights.values.to(dtype)
        return neighbor_matrix(adj_t, Aggregation.SUM, dtype, weights)

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        return gcn2_spec(
            self.name,
            self.in_features,
            initial_weight=self.weight2 is not None,
            normalize=self.normalize,
            edge_weights=self.edge_weights is not None,
        )

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Its weights, which are quantized together, and its shares."""
        names = ("weight", "initial_weight")
        weights = {n: w.t().contiguous() for n, w in zip(names, self._weights, strict=False)}
        settings = {"alpha": self.alpha, "beta": self.beta}
        return packing.parts(self, weights=weights, settings=settings)

    @property
    def _weights(self) -> list[Tensor]:
        """``[in, out]``, as PyG has them."""
        return [self.weight1] if self.weight2 is None else [self.weight1, self.weight2]

    def _mixed(self, x: Tensor, weight: Tensor) -> Tensor:
        mixed: Tensor = (1 - self.beta) * x + self.beta * nn.functional.linear(x, weight)
        return mixed
