"""Graph attention (Velickovic et al. 2018)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.header_fields import count, flag
from sgq_auto.packed.runtime.layers.attention_based.attention import Attention
from sgq_auto.packed.runtime.layers.layer import (
    AttentionConvLayer,
    Float32,
    LayerEntry,
    LayerParts,
    Shapes,
)
from sgq_auto.packed.runtime.products import Source
from sgq_auto.packed.runtime.workspace import Inference, Sink
from sgq_auto.packed.sizes.specs import LayerSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class GatLayer(AttentionConvLayer):
    """``y_i = sum_j Q(softmax_j LeakyReLU(a_s h_j + a_d h_i)) h_j + b`` over heads.

    Attributes:
        source_vectors: ``a_s``, fp32 ``[heads, channels]``.
        target_vectors: ``a_d``, fp32 ``[heads, channels]``.
        negative_slope: Factor of negative scores.
        concat: Whether heads are concatenated; else they are averaged.
    """

    kind = "gat"

    source_vectors: Float32
    target_vectors: Float32
    negative_slope: float
    concat: bool

    @property
    def out_features(self) -> int:
        """Width of its output."""
        heads = 1 if self.concat else self.spec.heads
        return self.spec.transformed_features // heads

    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """All coefficients are packed before the first row is gathered, as the sizes say."""
        hidden, engine = self.embed(inference, source), inference.engine
        vectors = [v.astype(np.float64) for v in (self.source_vectors, self.target_vectors)]

        def scores(chunk: Chunk, rowptr: Array, columns: Array) -> Floats:
            found = engine.row_dots(columns, hidden, vectors[0])
            rows = np.arange(chunk.row, chunk.stop, dtype=np.int32)
            found += np.repeat(engine.row_dots(rows, hidden, vectors[1]), np.diff(rowptr), axis=0)
            return np.where(found > 0, found, self.negative_slope * found)

        attention = Attention.of(inference, self.spec, self.attention, scores)

        def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            out = attention.weighted_sum(chunk, rowptr, columns, hidden)
            if not self.concat:
                out = out.reshape(len(out), self.spec.heads, -1).mean(axis=1)
            sink(chunk, self.finish(out))

        inference.for_edges(gather, self.spec.heads, width=hidden.width)

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """Its heads, whether they are concatenated, and the slope of negative scores."""
        concat, out, heads = flag(node, "concat"), entry.out_features, count(node, "heads", 1)
        if concat and out % heads:
            raise ArtifactError(f"{entry.name}: {out} features are no multiple of {heads} heads")
        channels = out // heads if concat else out
        sizes = entry.name, entry.in_features, channels, heads
        spec = gat_spec(*sizes, concat=concat, bias=entry.bias)
        return spec, {"negative_slope": _slope(node), "concat": concat}

    def described(self) -> dict[str, Any]:
        """Its heads, whether they are concatenated, and the slope of negative scores."""
        return {"heads": self.spec.heads, "concat": self.concat, "slope": self.negative_slope}

    @classmethod
    def vector_shapes(cls, spec: LayerSpec) -> Shapes:
        """Both vectors of every head."""
        shape = (spec.heads, spec.transformed_features // spec.heads)
        return {"source_vectors": shape, "target_vectors": shape}

    def vectors(self) -> dict[str, Float32]:
        """Both vectors of every head besides the bias."""
        own = {"source_vectors": self.source_vectors, "target_vectors": self.target_vectors}
        return super().vectors() | own

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """Both vectors of every head besides."""
        own = {key: parts.vectors[key] for key in cls.vector_shapes(parts.spec)}
        return super().arguments(parts) | own


def gat_spec(
    name: str, in_features: int, channels: int, heads: int, *, concat: bool, bias: bool
) -> LayerSpec:
    """Sizes of graph attention of ``heads`` with ``channels`` each."""
    width = heads * channels
    out = width if concat else channels
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(width, in_features),
        transformed_features=width,
        heads=heads,
        vector_elements=2 * width + (out if bias else 0),
        gathered_features=width,
        source_copies=1,
        target_copies=1,
        attention_copies=3,
    )


def _slope(node: Mapping[str, Any]) -> float:
    value = node.get("slope")
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e6:
        raise ArtifactError(f"slope is {value!r}; it must be a finite number")
    return float(value)
