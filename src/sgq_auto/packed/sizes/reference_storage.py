"""The two references: as PyG holds tensors in fp32, and as careful fp32 code would."""

from dataclasses import dataclass

from sgq_auto.packed.sizes.data_flow import Carried, DataFlow, PooledSpec
from sgq_auto.packed.sizes.shape_specs import GraphSpec, LayerSpec

_FP32 = 4
_INT32 = 4
_INT64 = 8


@dataclass(frozen=True)
class PygStorage:
    """What PyG holds: dense fp32 features, fp32 everything, an int64 ``edge_index``."""

    spec: GraphSpec

    def features(self) -> int:
        """``N * F`` fp32."""
        return self.spec.num_nodes * self.spec.features.num_features * _FP32

    def feature_scaling(self) -> int:
        """Features are held as they are."""
        return 0

    def graph(self) -> int:
        """``edge_index``: two int64 an edge."""
        return 2 * self.spec.num_edges * _INT64

    def stored_graph(self) -> int:
        """The same on disk."""
        return self.graph()

    def block_index(self) -> int:
        """Nothing is coded."""
        return 0

    def degrees(self) -> int:
        """Coefficients are held themselves."""
        return 0

    def edge_weights(self, *, normalized: bool) -> int:  # noqa: ARG002
        """``edge_weight``, or ``edge_attr``: fp32."""
        return self.spec.num_edges * self.spec.edge_columns * _FP32

    def stored_edge_weights(self) -> int:
        """The same on disk."""
        return self.edge_weights(normalized=False)

    def edge_weight_scales(self) -> int:
        """Full precision has no scales."""
        return 0

    def weighted_degrees(self) -> int:
        """Coefficients are held themselves."""
        return 0

    def bucket_map(self) -> int:
        """Nodes have no buckets."""
        return 0

    def outside_vectors(self, flow: DataFlow) -> int:
        """The parameters of norms, fp32."""
        return _FP32 * flow.vector_elements

    def embedding(self, layer: str, width: int, *, per_graph: bool = False) -> int:  # noqa: ARG002
        """fp32, ``width`` a node or a graph."""
        return sum(self.spec.rows(per_graph=per_graph)) * width * _FP32

    def pooled(self, pooled: PooledSpec) -> int:  # noqa: ARG002
        """What is pooled is what a layer reads, which is counted."""
        return 0

    def input(self, layer: LayerSpec, *, shared: bool) -> int:
        """``N * width`` fp32, once for all layers that read it."""
        if shared:
            return 0
        return self.embedding(layer.name, layer.in_features, per_graph=layer.per_graph)

    def carried(self, tensor: Carried) -> int:
        """fp32, unless it is held as a layer's input."""
        return 0 if tensor.is_input else tensor.num_bytes

    def attention(self, layer: LayerSpec, *, first: bool) -> int:  # noqa: ARG002
        """One fp32 an edge and head, self-loops included where the layer has them."""
        return sum(self.spec.gathered_edges(layer)) * layer.heads * _FP32

    def weight(self, layer: LayerSpec) -> int:
        """fp32 weights."""
        return sum(rows * columns for rows, columns in layer.weight_shapes) * _FP32

    def scales(self, layer: LayerSpec, *, reads_features: bool) -> int:  # noqa: ARG002
        """Full precision has no scales."""
        return 0

    def embedding_scales(self, layer: str, *, per_graph: bool = False) -> int:  # noqa: ARG002
        """None either."""
        return 0


@dataclass(frozen=True)
class SparseFp32Storage(PygStorage):
    """fp32 held with care: sparse features, int32 CSR, GCN's normalisation computed once."""

    def features(self) -> int:
        """CSR with int32 indices where features are sparse."""
        features = self.spec.features
        if features.dense:
            return super().features()
        stored = sum(features.bucket_values)
        return stored * (_FP32 + _INT32) + (self.spec.num_nodes + 1) * _INT32

    def graph(self) -> int:
        """CSR with int32 indices."""
        return (self.spec.num_edges + self.spec.num_nodes + 1) * _INT32

    def edge_weights(self, *, normalized: bool) -> int:
        """Nothing beside coefficients that were made of them."""
        return 0 if normalized else super().edge_weights(normalized=normalized)

    def attention(self, layer: LayerSpec, *, first: bool) -> int:
        """Coefficients that degrees determine are shared by all layers."""
        if layer.attention_from_degrees and not first:
            return 0
        return super().attention(layer, first=first)
