"""The quantized twins of PyG's ``GraphConv``."""

from typing import Any

from torch import Tensor
from torch_geometric.nn import GraphConv

from sgq_auto.packed.runtime.layers.graph_conv import GraphConvLayer
from sgq_auto.quantize.layers.fixed_layer import NeighborLayer, aggregation_differs
from sgq_auto.quantize.layers.gathering import GatheringConv


class QuantizedGraphConv(NeighborLayer):
    """Sums or means over neighbours, and always a node's own term."""

    packs_as = GraphConvLayer
    linear_names = ("lin_rel", "lin_root")

    @classmethod
    def lacks(cls, source: GraphConv) -> str | None:
        """What is neither a sum nor a mean of one kind of nodes."""
        return aggregation_differs(source)

    def forward(
        self, x: Tensor, edge_index: Any, edge_weight: Any = None, size: Any = None
    ) -> Tensor:
        """``[N, in]`` to ``[N, out]``, neighbours times the weights of their edges, if given."""
        return self.aggregate(x, self.weighted_pattern(edge_index, edge_weight, size=size))


class GatheringGraphConv(GatheringConv):
    """``GraphConv`` with other reductions than one mean or sum."""

    linear_names = ("lin_rel", "lin_root")

    def forward(
        self, x: Tensor, edge_index: Any, edge_weight: Any = None, size: Any = None
    ) -> Tensor:
        """``[N, in]`` to ``[N, out]``; edge weights are refused, for the graph has none."""
        return self.aggregate(x, self.pattern(edge_index, edge_weight=edge_weight, size=size))
