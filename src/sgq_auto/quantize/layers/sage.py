"""The quantized twin of PyG's ``SAGEConv``."""

from typing import Any

from torch import Tensor
from torch_geometric.nn import SAGEConv

from sgq_auto.packed.runtime.layers.sage import SageLayer
from sgq_auto.quantize.layers.fixed_layer import NeighborLayer, is_aggregated


class QuantizedSAGEConv(NeighborLayer):
    """Means or sums over neighbours, and a node's own term unless ``root_weight=False``."""

    packs_as = SageLayer
    linear_names = ("lin_l", "lin_r")

    @classmethod
    def covers(cls, source: SAGEConv) -> bool:
        """Whether it takes means or sums of one kind of nodes, without more options."""
        simple = not source.normalize and not source.project
        return simple and isinstance(source.in_channels, int) and is_aggregated(source)

    def forward(self, x: Tensor, edge_index: Any, size: Any = None) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        return self.aggregate(x, self.pattern(edge_index, size=size))
