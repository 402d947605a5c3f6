"""What layers share whose attention has several heads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.header_fields import count, flag
from sgq_auto.packed.runtime.edge_features import EdgeFeatures, said_of_edges, unpacked
from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.layers.attention_based.attention import Attention
from sgq_auto.packed.runtime.layers.layer import (
    AttentionConvLayer,
    Float32,
    LayerEntry,
    LayerParts,
)
from sgq_auto.packed.runtime.weight_products import Source
from sgq_auto.packed.sizes.shape_specs import LayerSpec

# What a layer calls its further matrices, and their names in a file.
_MATRICES = {"root": "root_weight", "edge_matrix": "edge_matrix"}


@dataclass(frozen=True)
class Heads:
    """Heads of attention, as a header tells them.

    Attributes:
        heads: How many.
        channels: Width of each.
        concat: Whether they are concatenated; else they are averaged.
    """

    heads: int
    channels: int
    concat: bool

    @property
    def width(self) -> int:
        """Width of all of them."""
        return self.heads * self.channels

    @property
    def out_features(self) -> int:
        """Width of what becomes of them."""
        return self.width if self.concat else self.channels

    def further_weights(
        self, in_features: int, edge_features: int, *, own: bool
    ) -> tuple[tuple[int, int], ...]:
        """``(out, in)`` of a node's own matrix, where there is one, and of that of edges."""
        root = ((self.out_features, in_features),) if own else ()
        return root + (((self.width, edge_features),) if edge_features else ())

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> "Heads":
        """What the entry of a layer says.

        Raises:
            ArtifactError: If the width of the layer does not fit its heads.
        """
        concat, out, heads = flag(node, "concat"), entry.out_features, count(node, "heads", 1)
        if concat and out % heads:
            raise ArtifactError(f"{entry.name}: {out} features are no multiple of {heads} heads")
        return cls(heads, out // heads if concat else out, concat)


@dataclass(frozen=True, eq=False, kw_only=True)
class MultiHeadLayer(AttentionConvLayer):
    """``y_i = sum_j Q(p_ij) h_j + x_i W_r + b`` over heads, with or without a node's own term.

    Attributes:
        concat: Whether heads are concatenated; else they are averaged.
        root: ``W_r``, ``[in, out]``, or ``None`` without a node's own term.
        made_bias: What is added to embeddings before they are quantized, fp32; or ``None``.
        edge_matrix: What features of edges are transformed by, ``[edge features, heads *
            channels]``; ``None`` where it reads none.
        loop_fill: What self-loops have for features; ``None`` for the mean of a node's edges.
    """

    concat: bool
    root: PackedWeight | None = None
    made_bias: Float32 | None = None
    edge_matrix: PackedWeight | None = None
    loop_fill: float | None = None

    @property
    def heads(self) -> Heads:
        """Its heads."""
        heads = self.spec.heads
        return Heads(heads, self.spec.gathered_features // heads, self.concat)

    @property
    def out_features(self) -> int:
        """Width of its output."""
        return self.heads.out_features

    def embed(self, inference: Inference, source: Source) -> CodeMatrix:
        """What it gathers and makes scores of, packed."""
        if self.made_bias is None:
            return super().embed(inference, source)
        width, bias = self.spec.transformed_features, self.made_bias
        hidden = inference.embedding(f"{self.spec.name}.transformed", width, self.transformed)
        write = inference.writer(hidden)
        inference.transform(self.weight, source, lambda chunk, x: write(chunk, x + bias))
        return hidden

    def edges(self, inference: Inference) -> tuple[EdgeFeatures, Floats] | None:
        """Features of edges, and their matrix ``[edge features, heads, channels]``, if any."""
        if self.edge_matrix is None:
            return None
        matrix = unpacked(inference.engine, self.edge_matrix)
        features = EdgeFeatures(inference, self.spec.gathers_itself, self.loop_fill)
        return features, matrix.reshape(len(matrix), self.spec.heads, -1)

    def said_of_edges(self) -> dict[str, Any]:
        """What a header says of them; nothing where it reads none."""
        loops = self.spec.gathers_itself
        return said_of_edges(self.spec.edge_features, self.loop_fill, loops=loops)

    def gather(
        self,
        inference: Inference,
        source: Source,
        sink: Sink,
        attention: Attention,
        hidden: CodeMatrix,
        *,
        first: int = 0,
        edges: tuple[EdgeFeatures, Floats] | None = None,
    ) -> None:
        """Write the layer's output: rows of ``hidden``, its columns from ``first`` on, summed.

        A node's own term is made when its neighbours are gathered, so it is never held. Of
        ``edges``, their features are summed, and transformed after that.
        """
        span = first, self.spec.gathered_features
        own = None if self.root is None else inference.product(source, self.root)
        sums_width = 0 if edges is None else self.spec.heads * self.spec.edge_features

        def work(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            out = attention.weighted_sum(chunk, rowptr, columns, hidden, span)
            if edges is not None:
                sums = attention.edge_sums(chunk, rowptr, edges[0])
                out += np.einsum("nhd,dhc->nhc", sums, edges[1]).reshape(out.shape)
            out = self._joined(out)
            if own is not None:
                out = self.with_own(out, own(chunk))
            sink(chunk, self.finish(out))

        inference.for_edges(
            work,
            self.spec.heads,
            width=max(hidden.width, sums_width, 0 if own is None else own.row_values),
            loops=attention.loops,
            other_costs=0 if own is None else own.costs,
        )

    def with_own(self, gathered: Floats, own: Floats) -> Floats:
        """What a node gathered, and its own term; both ``[rows, out]``."""
        gathered += own
        return gathered

    def _joined(self, x: Floats) -> Floats:
        if self.concat:
            return x
        joined: Floats = x.reshape(len(x), self.spec.heads, -1).mean(axis=1)
        return joined

    @classmethod
    def weight_shapes(cls, spec: LayerSpec) -> dict[str, tuple[int, int]]:
        """A second matrix, where a node has a term of its own, and the one of edges."""
        of_edges = ["edge_matrix"] if spec.edge_features else []
        root = ["root_weight"] if len(spec.further_weights) > len(of_edges) else []
        named = zip(root + of_edges, spec.further_weights, strict=True)
        return super().weight_shapes(spec) | dict(named)

    def weights(self) -> dict[str, PackedWeight]:
        """The root weight and the matrix of edges besides, where there are such."""
        own = {} if self.root is None else {"root_weight": self.root}
        own |= {} if self.edge_matrix is None else {"edge_matrix": self.edge_matrix}
        return super().weights() | own

    def vectors(self) -> dict[str, Float32]:
        """The bias of its embeddings besides, where they have one."""
        own = {} if self.made_bias is None else {"made_bias": self.made_bias}
        return super().vectors() | own

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """The further matrices and the bias of its embeddings besides, where it has them."""
        own = {key: parts.weights.get(name) for key, name in _MATRICES.items()}
        return super().arguments(parts) | own | {"made_bias": parts.vectors.get("made_bias")}


def slope_of(node: Mapping[str, Any]) -> float:
    """The factor of negative scores, as the entry of a layer says."""
    value = node.get("slope")
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e6:
        raise ArtifactError(f"slope is {value!r}; it must be a finite number")
    return float(value)
