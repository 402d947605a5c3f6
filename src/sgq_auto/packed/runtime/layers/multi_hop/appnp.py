"""A propagation by personalised PageRank (Klicpera et al. 2019)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.allocation import Component
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.header_fields import number
from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.layers.layer import (
    LayerEntry,
    LayerParts,
    reading_weights,
    reads_weights,
)
from sgq_auto.packed.runtime.layers.multi_hop.hops import HopLayer, hops_of
from sgq_auto.packed.runtime.layers.normalized_sums import NormalizedSum
from sgq_auto.packed.runtime.weight_products import Source
from sgq_auto.packed.sizes.shape_specs import LayerSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class AppnpLayer(HopLayer):
    """``z <- (1 - alpha) Q(A) Q(z) + alpha x``, ``K`` times from ``z = x`` on.

    Attributes:
        attention: Ranges of the coefficients, bucket by bucket of their target.
        alpha: The share of what a node starts with.
    """

    kind = "appnp"
    feature_fault = "an APPNP layer cannot read the node features"

    attention: Ranges
    alpha: float

    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """Its input is held in codes to the end, for every hop reads it."""
        if not isinstance(source, CodeMatrix):
            raise TypeError("an APPNP layer reads an embedding, not the node features")
        normalized = NormalizedSum(inference, self.spec, self.attention)

        def hop(_position: int, hidden: CodeMatrix, target: Sink) -> None:
            def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
                start = inference.engine.read(source, chunk.row, chunk.stop)
                out = (1 - self.alpha) * normalized(chunk, rowptr, columns, hidden)
                out += self.alpha * start
                target(chunk, out)

            inference.for_edges(gather, width=2 * hidden.width)

        self.run_hops(inference, source, hop, sink)

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """Its hops, its alpha, and whether it reads weights of edges."""
        if entry.out_features != entry.in_features or entry.bias:
            raise ArtifactError(f"{entry.name}: an APPNP layer keeps its width and has no bias")
        weighted, hops = reads_weights(node), hops_of(node)
        spec = appnp_spec(entry.name, entry.in_features, hops=hops, edge_weights=weighted)
        return spec, {"alpha": number(node, "alpha")}

    def described(self) -> dict[str, Any]:
        """Its hops, its alpha, and whether it reads weights of edges, if it does."""
        return {"hops": self.spec.hops, "alpha": self.alpha, **reading_weights(self.spec)}

    def made(self) -> dict[Component, Ranges]:
        """The coefficients."""
        return {Component.ATTENTION: self.attention}

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """The ranges of its coefficients besides."""
        return super().arguments(parts) | {"attention": parts.made[Component.ATTENTION]}


def appnp_spec(name: str, in_features: int, *, hops: int, edge_weights: bool = False) -> LayerSpec:
    """Sizes of a propagation that passes messages ``hops`` times and reads its input each time."""
    return LayerSpec(
        name=name,
        in_features=in_features,
        keeps_input=True,
        further_hops=hops - 1,
        heads=1,
        attention_from_degrees=True,
        gathered_features=in_features,
        source_copies=1,
        attention_copies=1,
        edge_weights=edge_weights,
    )
