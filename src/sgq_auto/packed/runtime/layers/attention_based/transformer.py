"""Graph transformer layers (Shi et al. 2021)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.backends import HeadParts
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.header_fields import flag
from sgq_auto.packed.runtime.edge_features import RowPart, read_edge_features
from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.layers.attention_based.attention import Attention
from sgq_auto.packed.runtime.layers.attention_based.multi_head import Heads, MultiHeadLayer
from sgq_auto.packed.runtime.layers.layer import Float32, LayerEntry, LayerParts
from sgq_auto.packed.runtime.weight_products import Source
from sgq_auto.packed.sizes.shape_specs import LayerSpec

# The exponential of less is a number.
_LARGEST_EXPONENT = 700.0


@dataclass(frozen=True, eq=False, kw_only=True)
class TransformerLayer(MultiHeadLayer):
    """``y_i = sum_j Q(softmax_j(q_i k_j / sqrt(channels))) v_j + s_i`` over neighbours and heads.

    Queries, keys and values are one packed embedding, side by side. ``s_i = x_i W_r + b_r`` is a
    node's own term. Where there is a gate, the sum of both is weighted: ``b s_i + (1 - b) m_i``,
    with ``m`` what is gathered and ``b = sigmoid(g [m, s, m - s])``. Where edges have features,
    ``W_e e_ij`` is added to keys and to values.

    Attributes:
        own_bias: ``b_r``, fp32 ``[out]``, or ``None``.
        gate: ``g``, fp32 ``[3 * out]``, or ``None``.
    """

    kind = "transformer"

    own_bias: Float32 | None = None
    gate: Float32 | None = None

    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """All coefficients are packed before the first row is gathered, as the sizes say."""
        hidden, engine, heads = self.embed(inference, source), inference.engine, self.heads
        parts = HeadParts(0, heads.width, heads.heads, heads.channels)
        edges = self.edges(inference)

        def scores(chunk: Chunk, rowptr: Array, columns: Array, part: RowPart | None) -> Floats:
            dots = engine.pair_dots(rowptr, columns, chunk.row, hidden, parts)
            if edges is not None:
                # Queries are transformed in place of edges, of which there are more.
                queries = engine.read(hidden, chunk.row, chunk.stop)[:, : heads.width]
                features = edges[0].of(chunk, rowptr, columns, part)
                for head, own in enumerate(np.split(queries, heads.heads, axis=1)):
                    asked = np.repeat(own @ edges[1][:, head].T, np.diff(rowptr), axis=0)
                    dots[:, head] += np.einsum("ed,ed->e", asked, features)
            dots /= math.sqrt(heads.channels)
            return dots

        attention = Attention.of(inference, self.spec, self.attention, scores)
        first = 2 * heads.width
        self.gather(inference, source, sink, attention, hidden, first=first, edges=edges)

    def with_own(self, gathered: Floats, own: Floats) -> Floats:
        """Both summed, or weighted by the gate."""
        if self.own_bias is not None:
            own += self.own_bias
        if self.gate is None:
            return super().with_own(gathered, own)
        first, second, third = self.gate.astype(np.float64).reshape(3, -1)
        scores = gathered @ (first + third) + own @ (second - third)
        share = 1 / (1 + np.exp(np.clip(-scores, -_LARGEST_EXPONENT, _LARGEST_EXPONENT)))
        mixed: Floats = gathered + share[:, None] * (own - gathered)
        return mixed

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """Its heads, and what a node has of its own."""
        heads, gated = Heads.parse(entry, node), flag(node, "gate")
        root, biases = flag(node, "root_weight"), flag(node, "made_bias")
        if entry.bias:
            raise ArtifactError(f"{entry.name}: a transformer layer has no bias of its output")
        if gated and not root:
            raise ArtifactError(f"{entry.name}: a gate needs root_weight")
        spec = transformer_spec(
            entry.name,
            entry.in_features,
            heads.channels,
            heads.heads,
            concat=heads.concat,
            bias=biases,
            root_weight=root,
            gate=gated,
            edge_features=read_edge_features(node),
        )
        return spec, {"concat": heads.concat}

    def described(self) -> dict[str, Any]:
        """What :meth:`parse` reads."""
        return {
            "heads": self.spec.heads,
            "concat": self.concat,
            "made_bias": self.made_bias is not None,
            "root_weight": self.root is not None,
            "gate": self.gate is not None,
            **self.said_of_edges(),
        }

    def vectors(self) -> dict[str, Float32]:
        """The bias of a node's own term and the gate besides, where it has them."""
        own = {"own_bias": self.own_bias, "gate": self.gate}
        return super().vectors() | {key: v for key, v in own.items() if v is not None}

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """The bias of a node's own term and the gate besides, where it has them."""
        own = {key: parts.vectors.get(key) for key in ("own_bias", "gate")}
        return super().arguments(parts) | own


def transformer_spec(
    name: str,
    in_features: int,
    channels: int,
    heads: int,
    *,
    concat: bool,
    bias: bool,
    root_weight: bool = True,
    gate: bool = False,
    edge_features: int = 0,
) -> LayerSpec:
    """Sizes of a graph transformer layer: queries, keys, values, and a node's own term."""
    given = Heads(heads, channels, concat)
    width, out = given.width, given.out_features
    vectors: list[tuple[str, tuple[int, ...]]] = [("made_bias", (3 * width,))] if bias else []
    vectors += [("own_bias", (out,))] if bias and root_weight else []
    vectors += [("gate", (3 * out,))] if gate else []
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(3 * width, in_features),
        further_weights=given.further_weights(in_features, edge_features, own=root_weight),
        keeps_input=root_weight,
        transformed_features=3 * width,
        heads=heads,
        vector_elements=sum(math.prod(shape) for _, shape in vectors),
        vectors=tuple(vectors),
        gathered_features=width,
        gathers_itself=False,
        source_copies=2,
        target_copies=1,
        attention_copies=2,
        edge_features=edge_features,
    )
