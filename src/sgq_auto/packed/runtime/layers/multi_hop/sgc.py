"""A simplified graph convolution (Wu et al. 2019)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.layers.gcn import gcn_spec
from sgq_auto.packed.runtime.layers.layer import (
    AttentionConvLayer,
    LayerEntry,
    reading_weights,
    reads_weights,
)
from sgq_auto.packed.runtime.layers.multi_hop.hops import HopLayer, hops_of
from sgq_auto.packed.runtime.layers.normalized_sums import NormalizedSum
from sgq_auto.packed.runtime.weight_products import Source
from sgq_auto.packed.sizes.shape_specs import LayerSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class SgcLayer(HopLayer, AttentionConvLayer):
    """``y = Q(A)^K h + b`` with ``h = Q(x W)``, what each hop makes quantized."""

    kind = "sgc"

    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """The product comes first, for its rows are shorter; then each hop gathers the last."""
        normalized = NormalizedSum(inference, self.spec, self.attention)
        last = len(self.hops)

        def hop(position: int, hidden: CodeMatrix, target: Sink) -> None:
            def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
                out = normalized(chunk, rowptr, columns, hidden)
                target(chunk, self.finish(out) if position == last else out)

            inference.for_edges(gather, width=hidden.width)

        self.run_hops(inference, self.embed(inference, source), hop, sink)

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """Its hops, and whether it reads weights of edges."""
        sizes, weighted = (entry.name, entry.in_features, entry.out_features), reads_weights(node)
        hops = hops_of(node)
        return sgc_spec(*sizes, hops=hops, bias=entry.bias, edge_weights=weighted), {}

    def described(self) -> dict[str, Any]:
        """Its hops, and whether it reads weights of edges, if it does."""
        return {"hops": self.spec.hops, **reading_weights(self.spec)}


def sgc_spec(
    name: str,
    in_features: int,
    out_features: int,
    *,
    hops: int,
    bias: bool,
    edge_weights: bool = False,
) -> LayerSpec:
    """Sizes of a graph convolution that passes messages ``hops`` times."""
    gcn = gcn_spec(name, in_features, out_features, bias=bias, edge_weights=edge_weights)
    return replace(gcn, further_hops=hops - 1)
