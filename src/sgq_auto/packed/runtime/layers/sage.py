"""GraphSAGE with means or sums (Hamilton et al. 2017)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sgq_auto.packed.header_fields import choice, flag
from sgq_auto.packed.runtime.layers.layer import LayerEntry
from sgq_auto.packed.runtime.layers.neighbors import Aggregation, NeighborLayer, neighbor_spec
from sgq_auto.packed.sizes.specs import LayerSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class SageLayer(NeighborLayer):
    """Means or sums over neighbours, with or without the node's own term."""

    kind = "sage"

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """Its aggregation, and whether a node has a term of its own."""
        sizes = entry.name, entry.in_features, entry.out_features
        spec = neighbor_spec(*sizes, root_weight=flag(node, "root_weight"), bias=entry.bias)
        return spec, {"aggregation": choice(Aggregation, node, "aggregation")}

    def described(self) -> dict[str, Any]:
        """Its aggregation, and whether a node has a term of its own."""
        return {"aggregation": self.aggregation, "root_weight": self.root is not None}
