"""A graph convolution (Kipf and Welling 2017)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.layers.layer import (
    AttentionConvLayer,
    LayerEntry,
    reading_weights,
    reads_weights,
)
from sgq_auto.packed.runtime.layers.normalized_sums import NormalizedSum
from sgq_auto.packed.runtime.weight_products import Source
from sgq_auto.packed.sizes.shape_specs import LayerSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class GcnLayer(AttentionConvLayer):
    """``y_i = sum_j Q(1 / sqrt(d_i d_j)) h_j + b``, the coefficients derived from degrees.

    Or ``Q(w_ij / sqrt(d_i d_j))``, derived from the weights of edges and their sums.
    """

    kind = "gcn"

    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """The coefficients of a chunk are made when it is gathered, so none are held."""
        hidden = self.embed(inference, source)
        normalized = NormalizedSum(inference, self.spec, self.attention)

        def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            sink(chunk, self.finish(normalized(chunk, rowptr, columns, hidden)))

        inference.for_edges(gather, width=hidden.width)

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """Its widths, its bias, and whether it reads weights of edges."""
        sizes, weighted = (entry.name, entry.in_features, entry.out_features), reads_weights(node)
        return gcn_spec(*sizes, bias=entry.bias, edge_weights=weighted), {}

    def described(self) -> dict[str, Any]:
        """Whether it reads weights of edges, if it does."""
        return reading_weights(self.spec)


def gcn_spec(
    name: str, in_features: int, out_features: int, *, bias: bool, edge_weights: bool = False
) -> LayerSpec:
    """Sizes of a graph convolution."""
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(out_features, in_features),
        transformed_features=out_features,
        heads=1,
        attention_from_degrees=True,
        vector_elements=out_features if bias else 0,
        gathered_features=out_features,
        source_copies=1,
        attention_copies=1,
        edge_weights=edge_weights,
    )
