"""How many bytes one tensor takes under each way of holding it.

Packed at the bits of an allocation, which is what this project ships; the references in
:mod:`sgq_auto.packed.sizes.reference_storage` answer the same questions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sgq_auto.packed.allocation import (
    EDGE_WEIGHTS,
    FEATURES,
    FULL_PRECISION,
    BitAllocation,
    Component,
    Site,
)
from sgq_auto.packed.codes.bit_packing import packed_bytes
from sgq_auto.packed.sizes.data_flow import Carried, DataFlow, PooledSpec
from sgq_auto.packed.sizes.shape_specs import GraphSpec, LayerSpec, embedding_sites

_FP32 = 4
_SCALE_AND_OFFSET = 2 * _FP32


class TensorStorage(Protocol):
    """Bytes of each kind of tensor, scales left to :meth:`scales`."""

    def features(self) -> int:
        """The node features."""

    def feature_scaling(self) -> int:
        """What their columns are scaled by."""

    def graph(self) -> int:
        """The adjacency."""

    def stored_graph(self) -> int:
        """The adjacency on disk."""

    def block_index(self) -> int:
        """An index into a coded pattern, made when it is loaded."""

    def degrees(self) -> int:
        """In-degrees that a model computes its coefficients from, made when it is loaded."""

    def edge_weights(self, *, normalized: bool) -> int:
        """The weights of the edges; ``normalized`` if layers read coefficients of them alone."""

    def stored_edge_weights(self) -> int:
        """The same on disk."""

    def edge_weight_scales(self) -> int:
        """Their scales and offsets."""

    def weighted_degrees(self) -> int:
        """Roots of summed weights that coefficients are computed from, made when needed."""

    def bucket_map(self) -> int:
        """The degree bucket of every node."""

    def embedding(self, layer: str, width: int, *, per_graph: bool = False) -> int:
        """An embedding of ``width`` columns that belongs to a layer or a skip connection."""

    def pooled(self, pooled: PooledSpec) -> int:
        """What is held while rows of nodes are pooled to rows of graphs."""

    def input(self, layer: LayerSpec, *, shared: bool) -> int:
        """The input of ``layer``; ``shared`` if an earlier layer reads that very tensor."""

    def outside_vectors(self, flow: DataFlow) -> int:
        """Parameters of what happens between the layers."""

    def carried(self, tensor: Carried) -> int:
        """A tensor that the model keeps for itself while layers run."""

    def attention(self, layer: LayerSpec, *, first: bool) -> int:
        """The attention coefficients of ``layer``; ``first`` for the model's first such layer."""

    def weight(self, layer: LayerSpec) -> int:
        """One weight matrix of ``layer``."""

    def scales(self, layer: LayerSpec, *, reads_features: bool) -> int:
        """Every scale and offset of ``layer``, those of features that it reads among them."""

    def embedding_scales(self, layer: str, *, per_graph: bool = False) -> int:
        """Scales and offsets of one embedding of a layer, of a skip connection or the features."""


@dataclass(frozen=True)
class PackedStorage:
    """Bit-packed tensors, each degree bucket a slice of its own, padded to whole bytes."""

    spec: GraphSpec
    allocation: BitAllocation

    def features(self) -> int:
        """Dense codes; or sparse ones, under the smaller of two indices: Elias-Fano or a bitmap."""
        features, nodes, values = self.spec.features, self.spec.num_nodes, self.feature_values()
        if features.dense:
            return values
        if features.uses_bitmap(nodes):
            return values + packed_bytes(nodes * features.num_features, 1)
        return values + features.pattern(nodes).num_bytes

    def feature_scaling(self) -> int:
        """Two numbers for each column, where columns are scaled."""
        return self.spec.features.scaling_bytes

    def feature_values(self) -> int:
        """Their codes alone; none where all of a bucket are equal."""
        return sum(
            0 if constant and self._is_quantized(site) else self._codes(count, site)
            for site, count, constant in zip(
                self._sites(FEATURES, Component.EMBEDDING),
                self.spec.features.bucket_values,
                self.spec.features.bucket_constant,
                strict=True,
            )
        )

    def graph(self) -> int:
        """The edges without self-loops, Elias-Fano coded."""
        return self.spec.pattern.num_bytes

    def stored_graph(self) -> int:
        """Half of them where every edge goes both ways."""
        return self.spec.stored_pattern.num_bytes

    def block_index(self) -> int:
        """Where each block of rows starts."""
        return self.spec.block_index_bytes

    def degrees(self) -> int:
        """Packed in-degrees."""
        return self.spec.degree_bytes

    def edge_weights(self, *, normalized: bool) -> int:  # noqa: ARG002
        """Codes in both directions of an edge, bucket by bucket of their target."""
        counts = self._edge_numbers(self.spec.bucket_edges)
        return self._bucket_codes(EDGE_WEIGHTS, Component.ATTENTION, counts)

    def stored_edge_weights(self) -> int:
        """One direction where both have the same weight."""
        stored = self.spec.weights.stored if self.spec.weights else self.spec.bucket_edges
        return self._bucket_codes(EDGE_WEIGHTS, Component.ATTENTION, self._edge_numbers(stored))

    def _edge_numbers(self, edges: Sequence[int]) -> list[int]:
        """Weights or features of so many edges of each bucket."""
        return [count * self.spec.edge_columns for count in edges]

    def edge_weight_scales(self) -> int:
        """8 bytes a bucket that has edges."""
        counts = self.spec.bucket_edges
        return _SCALE_AND_OFFSET * self._groups(EDGE_WEIGHTS, Component.ATTENTION, counts)

    def weighted_degrees(self) -> int:
        """An fp32 root a node."""
        return self.spec.num_nodes * _FP32

    def bucket_map(self) -> int:
        """Packed buckets: rows are nodes sorted by bucket, so this says which node a row is."""
        return self.spec.bucket_map_bytes

    def embedding(self, layer: str, width: int, *, per_graph: bool = False) -> int:
        """Codes at the bits of its embedding, bucket by bucket, or of all graphs together."""
        rows = self.spec.embedding_rows(layer, per_graph=per_graph)
        return sum(self._codes(n * width, site) for site, n in rows)

    def pooled(self, pooled: PooledSpec) -> int:
        """fp32, added up while the rows of nodes are made."""
        return self.spec.num_graphs * pooled.columns * _FP32

    def input(self, layer: LayerSpec, *, shared: bool) -> int:  # noqa: ARG002
        """Codes of its own: each layer has its ranges and bits."""
        return self.embedding(layer.name, layer.in_features, per_graph=layer.per_graph)

    def outside_vectors(self, flow: DataFlow) -> int:
        """What the operations of a packed model hold, batch norms folded."""
        packed = flow.packed_vector_elements
        return _FP32 * (flow.vector_elements if packed is None else packed)

    def carried(self, tensor: Carried) -> int:
        """fp32: no layer quantizes it."""
        return tensor.num_bytes

    def attention(self, layer: LayerSpec, *, first: bool) -> int:  # noqa: ARG002
        """Codes per edge and head; nothing where degrees determine the coefficients."""
        if layer.attention_from_degrees:
            return 0
        counts = [count * layer.heads for count in self.spec.gathered_edges(layer)]
        return self._bucket_codes(layer.name, Component.ATTENTION, counts)

    def weight(self, layer: LayerSpec) -> int:
        """Codes of the weight matrices, each a stream of its own."""
        site = Site(layer.name, Component.WEIGHT)
        return sum(self._codes(rows * columns, site) for rows, columns in layer.weight_shapes)

    def scales(self, layer: LayerSpec, *, reads_features: bool) -> int:
        """8 bytes a scale group: a tensor's bucket, or an output channel of a weight matrix."""
        own = bool(layer.transformed_features) + layer.further_inputs + layer.further_hops
        embeddings = [FEATURES if reads_features else layer.name, *[layer.name] * own]
        per_graph = layer.per_graph
        size = sum(self.embedding_scales(name, per_graph=per_graph) for name in embeddings)
        groups = 0
        if layer.heads:
            edges = self.spec.gathered_edges(layer)
            groups += self._groups(layer.name, Component.ATTENTION, edges)
        if layer.weight_shape and self._is_quantized(Site(layer.name, Component.WEIGHT)):
            groups += sum(rows for rows, _ in layer.weight_shapes)
        return size + groups * _SCALE_AND_OFFSET

    def embedding_scales(self, layer: str, *, per_graph: bool = False) -> int:
        """Scales and offsets of one embedding of ``layer``, or of the features."""
        sites = embedding_sites(layer, self.spec.num_buckets, per_graph=per_graph)
        counts = self.spec.scaled(self.spec.rows(per_graph=per_graph))
        held = (n > 0 and self._is_quantized(s) for n, s in zip(counts, sites, strict=True))
        return _SCALE_AND_OFFSET * sum(held)

    def _sites(self, layer: str, component: Component) -> list[Site]:
        return [Site(layer, component, b) for b in range(self.spec.num_buckets)]

    def _is_quantized(self, site: Site) -> bool:
        return self.allocation[site] != FULL_PRECISION

    def _codes(self, count: int, site: Site) -> int:
        return packed_bytes(count, self.allocation[site])

    def _bucket_codes(self, layer: str, component: Component, counts: Sequence[int]) -> int:
        sites = self._sites(layer, component)
        return sum(self._codes(n, site) for n, site in zip(counts, sites, strict=True))

    def _groups(self, layer: str, component: Component, counts: Sequence[int]) -> int:
        sites, counts = self._sites(layer, component), self.spec.scaled(tuple(counts))
        return sum(
            n > 0 and self._is_quantized(site) for n, site in zip(counts, sites, strict=True)
        )
