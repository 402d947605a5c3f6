"""An attention-based propagation (Thekumparampil et al. 2018)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.allocation import Component
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats, Ranges
from sgq_auto.packed.header_fields import flag
from sgq_auto.packed.runtime.edge_features import RowPart
from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.layers.attention_based.attention import Attention
from sgq_auto.packed.runtime.layers.layer import (
    Float32,
    LayerEntry,
    LayerParts,
    PackedLayer,
    Shapes,
)
from sgq_auto.packed.runtime.weight_products import Source
from sgq_auto.packed.sizes.shape_specs import LayerSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class AgnnLayer(PackedLayer):
    """``y_i = sum_j Q(softmax_j(beta cos(x_i, x_j))) x_j``.

    Attributes:
        attention: Ranges of the coefficients, bucket by bucket of their target.
        beta: The temperature; 1 where it is not learned.
    """

    kind = "agnn"
    feature_fault = "an AGNN layer cannot read the node features"

    attention: Ranges
    beta: float

    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """What it reads is what it gathers, so it holds nothing but its coefficients."""
        if not isinstance(source, CodeMatrix):
            raise TypeError("an AGNN layer reads an embedding, not the node features")
        engine = inference.engine

        def scores(chunk: Chunk, rowptr: Array, columns: Array, _: RowPart | None) -> Floats:
            return self.beta * engine.cosines(rowptr, columns, chunk.row, source)[:, None]

        attention = Attention.of(inference, self.spec, self.attention, scores)

        def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            out = attention.weighted_sum(chunk, rowptr, columns, source)
            sink(chunk, self.finish(out))

        inference.for_edges(gather, width=source.width)

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """Whether its temperature is learned."""
        learns_beta = flag(node, "beta")
        if entry.out_features != entry.in_features or entry.bias:
            raise ArtifactError(f"{entry.name}: an AGNN layer keeps its width and has no bias")
        return agnn_spec(entry.name, entry.in_features, learns_beta=learns_beta), {}

    def described(self) -> dict[str, Any]:
        """Whether its temperature is learned."""
        return {"beta": bool(self.vector_shapes(self.spec))}

    @classmethod
    def vector_shapes(cls, spec: LayerSpec) -> Shapes:
        """The temperature, where it is learned."""
        return {"beta": (1,)} if spec.vector_elements else {}

    def vectors(self) -> dict[str, Float32]:
        """The temperature, where it is learned."""
        return {
            name: np.full(shape, self.beta, dtype=np.float32)
            for name, shape in self.vector_shapes(self.spec).items()
        }

    def made(self) -> dict[Component, Ranges]:
        """The coefficients."""
        return {Component.ATTENTION: self.attention}

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """The ranges of its coefficients and the temperature besides."""
        beta = float(parts.vectors["beta"].item()) if "beta" in parts.vectors else 1.0
        attention = parts.made[Component.ATTENTION]
        return super().arguments(parts) | {"attention": attention, "beta": beta}


def agnn_spec(name: str, in_features: int, *, learns_beta: bool) -> LayerSpec:
    """Sizes of an attention-based propagation."""
    return LayerSpec(
        name=name,
        in_features=in_features,
        heads=1,
        vector_elements=1 if learns_beta else 0,
        normalized_features=in_features,
        gathered_features=in_features,
        source_copies=2,
        target_copies=1,
        attention_copies=2,
    )
