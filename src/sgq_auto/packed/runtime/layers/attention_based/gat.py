"""Graph attention (Velickovic et al. 2018)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.header_fields import flag
from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.layers.attention_based.attention import Attention
from sgq_auto.packed.runtime.layers.attention_based.multi_head import (
    Heads,
    MultiHeadLayer,
    slope_of,
)
from sgq_auto.packed.runtime.layers.layer import Float32, LayerEntry, LayerParts
from sgq_auto.packed.runtime.weight_products import Source
from sgq_auto.packed.sizes.shape_specs import LayerSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class GatLayer(MultiHeadLayer):
    """``y_i = sum_j Q(softmax_j LeakyReLU(a_s h_j + a_d h_i)) h_j + x_i W_r + b`` over heads.

    Attributes:
        source_vectors: ``a_s``, fp32 ``[heads, channels]``.
        target_vectors: ``a_d``, fp32 ``[heads, channels]``.
        negative_slope: Factor of negative scores.
    """

    kind = "gat"

    source_vectors: Float32
    target_vectors: Float32
    negative_slope: float

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
        self.gather(inference, source, sink, attention, hidden)

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """Its heads, and the slope of negative scores.

        Files of earlier versions say nothing of self-loops and of a node's own term: those layers
        have the loops, and no such term.
        """
        heads = Heads.parse(entry, node)
        spec = gat_spec(
            entry.name,
            entry.in_features,
            heads.channels,
            heads.heads,
            concat=heads.concat,
            bias=entry.bias,
            residual="root_weight" in node and flag(node, "root_weight"),
            self_loops="self_loops" not in node or flag(node, "self_loops"),
        )
        return spec, {"negative_slope": slope_of(node), "concat": heads.concat}

    def described(self) -> dict[str, Any]:
        """What :meth:`parse` reads; what earlier versions do not know, only where it differs."""
        own: dict[str, Any] = {} if self.root is None else {"root_weight": True}
        own |= {} if self.spec.gathers_itself else {"self_loops": False}
        given = {"heads": self.spec.heads, "concat": self.concat, "slope": self.negative_slope}
        return given | own

    def vectors(self) -> dict[str, Float32]:
        """Both vectors of every head besides."""
        own = {"source_vectors": self.source_vectors, "target_vectors": self.target_vectors}
        return super().vectors() | own

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """Both vectors of every head besides."""
        own = {key: parts.vectors[key] for key in cls.vector_shapes(parts.spec)}
        return super().arguments(parts) | own


def gat_spec(
    name: str,
    in_features: int,
    channels: int,
    heads: int,
    *,
    concat: bool,
    bias: bool,
    residual: bool = False,
    self_loops: bool = True,
) -> LayerSpec:
    """Sizes of graph attention of ``heads`` with ``channels`` each."""
    given = Heads(heads, channels, concat)
    width, out = given.width, given.out_features
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(width, in_features),
        further_weights=((out, in_features),) if residual else (),
        keeps_input=residual,
        transformed_features=width,
        heads=heads,
        vector_elements=2 * width + (out if bias else 0),
        vectors=(("source_vectors", (heads, channels)), ("target_vectors", (heads, channels))),
        gathered_features=width,
        gathers_itself=self_loops,
        source_copies=1,
        target_copies=1,
        attention_copies=3,
    )
