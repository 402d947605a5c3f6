"""Graph attention (Velickovic et al. 2018)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.header_fields import flag
from sgq_auto.packed.runtime.edge_features import (
    EdgeFeatures,
    RowPart,
    read_edge_features,
    read_loop_fill,
)
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

    Where edges have features, ``a_e W_e e_ij`` is added to the scores.

    Attributes:
        source_vectors: ``a_s``, fp32 ``[heads, channels]``.
        target_vectors: ``a_d``, fp32 ``[heads, channels]``.
        negative_slope: Factor of negative scores.
        edge_vectors: ``a_e``, fp32 ``[heads, channels]``; ``None`` without features of edges.
    """

    kind = "gat"

    source_vectors: Float32
    target_vectors: Float32
    negative_slope: float
    edge_vectors: Float32 | None = None

    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """All coefficients are packed before the first row is gathered, as the sizes say."""
        hidden, engine = self.embed(inference, source), inference.engine
        vectors = [v.astype(np.float64) for v in (self.source_vectors, self.target_vectors)]
        edges = self._edge_shares(inference)

        def scores(chunk: Chunk, rowptr: Array, columns: Array, part: RowPart | None) -> Floats:
            found = engine.row_dots(columns, hidden, vectors[0])
            rows = np.arange(chunk.row, chunk.stop, dtype=np.int32)
            found += np.repeat(engine.row_dots(rows, hidden, vectors[1]), np.diff(rowptr), axis=0)
            if edges is not None:
                found += edges[0].of(chunk, rowptr, columns, part) @ edges[1]
            return np.where(found > 0, found, self.negative_slope * found)

        attention = Attention.of(inference, self.spec, self.attention, scores)
        self.gather(inference, source, sink, attention, hidden)

    def _edge_shares(self, inference: Inference) -> tuple[EdgeFeatures, Floats] | None:
        """Features of edges, and what each adds to the scores ``[edge features, heads]``."""
        edges = self.edges(inference)
        if edges is None or self.edge_vectors is None:
            return None
        vectors = self.edge_vectors.astype(np.float64)
        return edges[0], np.einsum("dhc,hc->dh", edges[1], vectors)

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """Its heads, and the slope of negative scores.

        Files of earlier versions say nothing of self-loops and of a node's own term: those layers
        have the loops, and no such term.
        """
        heads = Heads.parse(entry, node)
        loops = "self_loops" not in node or flag(node, "self_loops")
        spec = gat_spec(
            entry.name,
            entry.in_features,
            heads.channels,
            heads.heads,
            concat=heads.concat,
            bias=entry.bias,
            residual="root_weight" in node and flag(node, "root_weight"),
            self_loops=loops,
            edge_features=read_edge_features(node),
        )
        own = {"negative_slope": slope_of(node), "concat": heads.concat}
        return spec, own | read_loop_fill(node, loops=loops)

    def described(self) -> dict[str, Any]:
        """What :meth:`parse` reads; what earlier versions do not know, only where it differs."""
        own: dict[str, Any] = {} if self.root is None else {"root_weight": True}
        own |= {} if self.spec.gathers_itself else {"self_loops": False}
        given = {"heads": self.spec.heads, "concat": self.concat, "slope": self.negative_slope}
        return given | own | self.said_of_edges()

    def vectors(self) -> dict[str, Float32]:
        """The vectors of every head besides."""
        own = {"source_vectors": self.source_vectors, "target_vectors": self.target_vectors}
        own |= {} if self.edge_vectors is None else {"edge_vectors": self.edge_vectors}
        return super().vectors() | own

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """The vectors of every head besides."""
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
    edge_features: int = 0,
) -> LayerSpec:
    """Sizes of graph attention of ``heads`` with ``channels`` each."""
    given = Heads(heads, channels, concat)
    width, out = given.width, given.out_features
    names = ["source_vectors", "target_vectors", *(["edge_vectors"] if edge_features else [])]
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(width, in_features),
        further_weights=given.further_weights(in_features, edge_features, own=residual),
        keeps_input=residual,
        transformed_features=width,
        heads=heads,
        vector_elements=len(names) * width + (out if bias else 0),
        vectors=tuple((name, (heads, channels)) for name in names),
        gathered_features=width,
        gathers_itself=self_loops,
        source_copies=1,
        target_copies=1,
        attention_copies=3,
        edge_features=edge_features,
    )
