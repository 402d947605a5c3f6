"""Graph attention of the second version (Brody et al. 2022)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgq_auto.packed.backends import HeadParts
from sgq_auto.packed.backends.numpy_values import parts_of
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.header_fields import flag
from sgq_auto.packed.runtime.edge_features import (
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
class GatV2Layer(MultiHeadLayer):
    """``y_i = sum_j Q(softmax_j a LeakyReLU(l_j + r_i)) l_j + x_i W_r + b`` over heads.

    ``l`` and ``r`` are one packed embedding, ``l`` first; or the same, where they share weights.
    Where edges have features, ``W_e e_ij`` is added to ``l_j + r_i``.

    Attributes:
        score_vectors: ``a``, fp32 ``[heads, channels]``.
        negative_slope: Factor of negative sums.
    """

    kind = "gatv2"

    score_vectors: Float32
    negative_slope: float

    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """All coefficients are packed before the first row is gathered, as the sizes say."""
        hidden, engine = self.embed(inference, source), inference.engine
        vectors, heads = self.score_vectors.astype(np.float64), self.heads
        targets = hidden.width - heads.width
        parts = HeadParts(targets, 0, heads.heads, heads.channels)
        edges = self.edges(inference)

        def scores(chunk: Chunk, rowptr: Array, columns: Array, part: RowPart | None) -> Floats:
            if edges is not None:
                features = edges[0].of(chunk, rowptr, columns, part)
                return self._edge_scores(
                    inference, chunk, rowptr, columns, hidden, features, edges[1]
                )
            entries = rowptr, columns, chunk.row
            return engine.leaky_dots(*entries, hidden, parts, vectors, self.negative_slope)

        attention = Attention.of(inference, self.spec, self.attention, scores)
        self.gather(inference, source, sink, attention, hidden)

    def _edge_scores(
        self,
        inference: Inference,
        chunk: Chunk,
        rowptr: Array,
        columns: Array,
        hidden: CodeMatrix,
        features: Floats,
        matrix: Floats,
    ) -> Floats:
        """Scores of a chunk's entries with features ``[entries, edge features]`` of their own."""
        engine, width = inference.engine, self.heads.width
        rows = np.arange(chunk.row, chunk.stop, dtype=np.int32).repeat(np.diff(rowptr))
        vectors, flat = self.score_vectors.astype(np.float64), matrix.reshape(len(matrix), -1)
        out = np.empty((columns.size, self.heads.heads))
        for start, stop in parts_of(columns.size, 2 * hidden.width + width):
            sums = engine.take(hidden, rows[start:stop])[:, -width:] + features[start:stop] @ flat
            sums += engine.take(hidden, columns[start:stop])[:, :width]
            sums = np.where(sums > 0, sums, self.negative_slope * sums)
            heads = sums.reshape(stop - start, *vectors.shape)
            np.einsum("ehc,hc->eh", heads, vectors, out=out[start:stop])
        return out

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """Its heads, what they share, and the slope of negative sums."""
        heads = Heads.parse(entry, node)
        spec = gatv2_spec(
            entry.name,
            entry.in_features,
            heads.channels,
            heads.heads,
            shared=flag(node, "share_weights"),
            concat=heads.concat,
            bias=entry.bias,
            made_bias=flag(node, "made_bias"),
            residual=flag(node, "root_weight"),
            self_loops=flag(node, "self_loops"),
            edge_features=read_edge_features(node),
        )
        own = {"negative_slope": slope_of(node), "concat": heads.concat}
        return spec, own | read_loop_fill(node, loops=spec.gathers_itself)

    def described(self) -> dict[str, Any]:
        """What :meth:`parse` reads."""
        return {
            "heads": self.spec.heads,
            "concat": self.concat,
            "slope": self.negative_slope,
            "share_weights": self.spec.transformed_features == self.spec.gathered_features,
            "made_bias": self.made_bias is not None,
            "root_weight": self.root is not None,
            "self_loops": self.spec.gathers_itself,
            **self.said_of_edges(),
        }

    def vectors(self) -> dict[str, Float32]:
        """The vector of every head besides."""
        return super().vectors() | {"score_vectors": self.score_vectors}

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """The vector of every head besides."""
        return super().arguments(parts) | {"score_vectors": parts.vectors["score_vectors"]}


def gatv2_spec(
    name: str,
    in_features: int,
    channels: int,
    heads: int,
    *,
    shared: bool,
    concat: bool,
    bias: bool,
    made_bias: bool,
    residual: bool = False,
    self_loops: bool = True,
    edge_features: int = 0,
) -> LayerSpec:
    """Sizes of graph attention of the second version.

    Sources and targets are transformed by matrices of their own, unless those are ``shared``;
    ``made_bias`` says whether both have a bias, ``bias`` whether the output has.
    """
    given = Heads(heads, channels, concat)
    width, out = given.width, given.out_features
    rows = width if shared else 2 * width
    vectors: list[tuple[str, tuple[int, ...]]] = [("score_vectors", (heads, channels))]
    vectors += [("made_bias", (rows,))] if made_bias else []
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(rows, in_features),
        further_weights=given.further_weights(in_features, edge_features, own=residual),
        keeps_input=residual,
        transformed_features=rows,
        heads=heads,
        vector_elements=width + (rows if made_bias else 0) + (out if bias else 0),
        vectors=tuple(vectors),
        gathered_features=width,
        gathers_itself=self_loops,
        source_copies=1,
        target_copies=1,
        attention_copies=2,
        edge_features=edge_features,
    )
