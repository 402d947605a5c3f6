"""The convolution of higher-order graph networks (Morris et al. 2019): PyG's ``GraphConv``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sgq_auto.packed.header_fields import choice
from sgq_auto.packed.runtime.layers.layer import LayerEntry, reading_weights, reads_weights
from sgq_auto.packed.runtime.layers.neighbor_sums import Aggregation, NeighborLayer, neighbor_spec
from sgq_auto.packed.sizes.shape_specs import LayerSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class GraphConvLayer(NeighborLayer):
    """``y_i = sum_j h_j + x_i W_root + b`` over neighbours (or their mean); it has both weights.

    Of weighted edges it takes ``w_ij h_j``; a mean divides by the number of neighbours even so.
    """

    kind = "graph_conv"

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """Its aggregation, and whether it reads weights of edges."""
        sizes = entry.name, entry.in_features, entry.out_features
        weighted = reads_weights(node)
        spec = neighbor_spec(*sizes, root_weight=True, bias=entry.bias, edge_weights=weighted)
        return spec, {"aggregation": choice(Aggregation, node, "aggregation")}

    def described(self) -> dict[str, Any]:
        """Its aggregation, and whether it reads weights of edges, if it does."""
        return {"aggregation": self.aggregation, **reading_weights(self.spec)}
