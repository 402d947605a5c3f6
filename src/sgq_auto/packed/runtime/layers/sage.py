"""GraphSAGE with means or sums (Hamilton et al. 2017)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.header_fields import choice, flag
from sgq_auto.packed.runtime.layers.layer import LayerEntry
from sgq_auto.packed.runtime.layers.neighbor_sums import (
    Aggregation,
    NeighborLayer,
    neighbor_spec,
    unit_rows,
)
from sgq_auto.packed.sizes.shape_specs import LayerSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class SageLayer(NeighborLayer):
    """Means or sums over neighbours, with or without the node's own term.

    Attributes:
        normalize: Whether each row of its output is divided by its length.
    """

    kind = "sage"

    normalize: bool = False

    def finish(self, x: Floats) -> Floats:
        """The bias, and rows of length 1 where they are to be."""
        finished = super().finish(x)
        return unit_rows(finished) if self.normalize else finished

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """Its aggregation, and whether a node has a term of its own.

        Files of earlier versions say nothing of ``normalize``: those layers do not.
        """
        normalize = "normalize" in node and flag(node, "normalize")
        sizes = entry.name, entry.in_features, entry.out_features
        spec = neighbor_spec(*sizes, root_weight=flag(node, "root_weight"), bias=entry.bias)
        aggregation = choice(Aggregation, node, "aggregation")
        return spec, {"aggregation": aggregation, "normalize": normalize}

    def described(self) -> dict[str, Any]:
        """What :meth:`parse` reads; what earlier versions do not know, only where it differs."""
        own = {"normalize": True} if self.normalize else {}
        return {"aggregation": self.aggregation, "root_weight": self.root is not None} | own
