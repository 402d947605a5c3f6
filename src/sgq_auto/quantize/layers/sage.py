"""The quantized twins of PyG's ``SAGEConv``."""

from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torch_geometric.nn import SAGEConv

from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.packed.runtime.layers.sage import SageLayer
from sgq_auto.quantize.layers.fixed_layer import NeighborLayer, aggregation_differs
from sgq_auto.quantize.layers.gathering import GatheringConv
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantized_layer import differing
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class QuantizedSAGEConv(NeighborLayer):
    """Means or sums over neighbours, and a node's own term unless ``root_weight=False``."""

    packs_as = SageLayer
    linear_names = ("lin_l", "lin_r")

    def __init__(self, source: SAGEConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(source, name, quantizers)
        self.normalize = bool(source.normalize)

    @classmethod
    def lacks(cls, source: SAGEConv) -> str | None:
        """What is neither a sum nor a mean of one kind of nodes, and a projection before it."""
        return differing(source, project=False) or aggregation_differs(source)

    def forward(self, x: Tensor, edge_index: Any, size: Any = None) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        out = self.aggregate(x, self.pattern(edge_index, size=size))
        return nn.functional.normalize(out, p=2.0, dim=-1) if self.normalize else out

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Whether it normalises, besides."""
        parts = super().packed_parts(packing)
        return replace(parts, settings={**parts.settings, "normalize": self.normalize})


class GatheringSAGEConv(GatheringConv):
    """GraphSAGE with other reductions than one mean or sum, or that projects first."""

    linear_names = ("lin_l", "lin_r")

    def _keep(self, source: SAGEConv) -> None:
        self.normalize = bool(source.normalize)
        if source.project:
            self.lin = source.lin

    @property
    def projection(self) -> Any:
        """The linear layer that projects, or ``None``."""
        return getattr(self, "lin", None)

    def forward(self, x: Tensor, edge_index: Any, size: Any = None) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        return self.aggregate(x, self.pattern(edge_index, size=size))
