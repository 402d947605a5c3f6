"""The sum of a graph isomorphism layer with features of edges (Hu et al. 2020)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.backends.numpy_values import segments_of
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import PackedWeight
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.header_fields import flag
from sgq_auto.packed.runtime.edge_features import (
    EdgeFeatures,
    read_edge_features,
    said_of_edges,
    unpacked,
)
from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.layers.layer import Float32, LayerEntry, LayerParts, PackedLayer
from sgq_auto.packed.runtime.neighbor_reductions import NeighborRows
from sgq_auto.packed.runtime.weight_products import Source
from sgq_auto.packed.sizes.shape_specs import LayerSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class GineSumLayer(PackedLayer):
    """``y_i = (1 + eps) x_i + sum_j relu(x_j + e_ij W_e + b_e)`` over neighbours.

    Attributes:
        eps: The weight of a node itself, less 1.
        edge_matrix: ``W_e``, ``[edge features, in]``; ``None`` where edges have as many features
            as nodes, which are added as they are.
        edge_bias: ``b_e``, fp32 ``[in]``, or ``None``.
    """

    kind = "gine_sum"

    eps: float
    edge_matrix: PackedWeight | None = None
    edge_bias: Float32 | None = None

    @property
    def out_features(self) -> int:
        """A sum keeps its width."""
        return self.spec.in_features

    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """A bounded number of messages is made at a time; none of them is held."""
        rows, features = NeighborRows(inference, source), EdgeFeatures(inference)
        matrix = None if self.edge_matrix is None else unpacked(inference.engine, self.edge_matrix)
        width = max(rows.width, self.spec.edge_features)

        def added(chunk: Chunk, entries: slice) -> Floats:
            edges = features.coded(chunk, entries.start, entries.stop - entries.start)
            edges = edges if matrix is None else edges @ matrix
            return edges if self.edge_bias is None else edges + self.edge_bias

        def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            own = np.arange(chunk.row, chunk.stop, dtype=np.int32)
            out = (1 + self.eps) * rows.taken(own)
            for part in segments_of(rowptr, width):
                messages = rows.taken(columns[part.entries])
                messages += added(chunk, part.entries)
                np.maximum(messages, 0, out=messages)
                out[part.rows] += np.add.reduceat(messages, part.begins, axis=0)
            sink(chunk, self.finish(out))

        inference.for_edges(gather, width=rows.width, loops=False)

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """How many features edges have, and what they are transformed by."""
        if entry.out_features != entry.in_features or entry.bias:
            raise ArtifactError(f"{entry.name}: a sum keeps its width and has no bias")
        features, matrix = read_edge_features(node), flag(node, "edge_matrix")
        bias = flag(node, "edge_bias")
        if not features or (not matrix and (bias or features != entry.in_features)):
            raise ArtifactError(f"{entry.name}: edge_features does not fit the layer")
        return gine_sum_spec(entry.name, entry.in_features, features, matrix=matrix, bias=bias), {}

    def described(self) -> dict[str, Any]:
        """What :meth:`parse` reads."""
        own = {
            "edge_matrix": self.edge_matrix is not None,
            "edge_bias": self.edge_bias is not None,
        }
        return own | said_of_edges(self.spec.edge_features, None, loops=False)

    @classmethod
    def weight_shapes(cls, spec: LayerSpec) -> dict[str, tuple[int, int]]:
        """The matrix of edges."""
        return {"edge_matrix": spec.weight_shape} if spec.weight_shape else {}

    def weights(self) -> dict[str, PackedWeight]:
        """The matrix of edges."""
        return {} if self.edge_matrix is None else {"edge_matrix": self.edge_matrix}

    def vectors(self) -> dict[str, Float32]:
        """Epsilon, and the bias of edges."""
        own = {} if self.edge_bias is None else {"edge_bias": self.edge_bias}
        return super().vectors() | {"eps": np.array([self.eps], dtype=np.float32)} | own

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """Epsilon, the matrix and the bias of edges besides."""
        return super().arguments(parts) | {
            "eps": float(parts.vectors["eps"].item()),
            "edge_matrix": parts.weights.get("edge_matrix"),
            "edge_bias": parts.vectors.get("edge_bias"),
        }


def gine_sum_spec(
    name: str, in_features: int, edge_features: int, *, matrix: bool, bias: bool
) -> LayerSpec:
    """Sizes of the sum; the layer's network are layers of their own."""
    vectors: list[tuple[str, tuple[int, ...]]] = [("eps", (1,))]
    vectors += [("edge_bias", (in_features,))] if bias else []
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(in_features, edge_features) if matrix else None,
        keeps_input=True,
        vector_elements=1 + (in_features if bias else 0),
        vectors=tuple(vectors),
        gathered_features=in_features,
        gathers_itself=False,
        source_copies=1,
        edge_features=edge_features,
    )
