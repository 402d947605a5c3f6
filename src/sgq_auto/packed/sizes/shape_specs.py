"""What sizes depend on: the shape of a model and of a graph, without their values."""

from collections.abc import Iterator
from dataclasses import dataclass

from sgq_auto.packed.allocation import EDGE_WEIGHTS, FEATURES, Component, Site
from sgq_auto.packed.codes.bit_packing import index_bits, packed_bytes
from sgq_auto.packed.codes.coded_rows import ROW_BLOCK
from sgq_auto.packed.codes.elias_fano import EliasFano
from sgq_auto.packed.sizes.data_flow import DataFlow
from sgq_auto.packed.sizes.edge_weight_spec import EdgeWeightSpec
from sgq_auto.packed.sizes.feature_spec import FeatureSpec as FeatureSpec

_BLOCK_START_BYTES = 4


@dataclass(frozen=True)
class LayerSpec:
    """One quantized layer, as its footprint sees it.

    Attributes:
        name: The layer's name inside the model, like ``conv1``.
        in_features: Width of the input embedding.
        weight_shape: ``(out, in)`` of the quantized weight matrix, or ``None`` without one.
        transformed_features: Width of the embedding ``X W`` that is held before the gather, 0 if
            the layer gathers its input or does not gather at all.
        further_weights: Shapes of more weight matrices, of the same bits.
        further_inputs: Embeddings beside the first among its input, each with ranges of its own.
        keeps_input: Whether its input and weights are needed until messages have arrived.
        further_hops: Embeddings of the gathered width that are made between hops, for layers that
            propagate several times; each has ranges of its own.
        root_weight: Whether a second such matrix transforms what a node itself holds (GraphSAGE).
        heads: Attention coefficients per edge, 0 if no edge has one: neighbours are then summed or
            averaged, which the graph alone determines.
        attention_from_degrees: Whether the coefficients follow from the degrees alone (GCN), so
            that a packed model derives them, quantized or not, and stores none.
        edge_weights: Whether it reads the weights of the graph's edges.
        edge_features: Features of each edge that it reads; 0 if none.
        per_graph: Whether its rows are graphs, of which something was pooled, and not nodes.
        vector_elements: Parameters that stay fp32: biases, attention vectors, temperatures.
        vectors: Name and shape of some of them: the tensors of a packed layer besides its bias.
        normalized_features: Width of a normalised embedding that the SGQuant authors count
            besides (AGNN).
        gathered_features: Width of one gathered per-edge copy, 0 if the layer does not propagate.
        gathers_itself: Whether a node is among those that it gathers.
        source_copies: Gathered copies of the source node's embedding, in the SGQuant accounting.
        target_copies: The same for the target node's.
        attention_copies: Per-edge coefficient tensors in the SGQuant accounting (raw, activated,
            normalised).
    """

    name: str
    in_features: int
    weight_shape: tuple[int, int] | None = None
    further_weights: tuple[tuple[int, int], ...] = ()
    further_inputs: int = 0
    keeps_input: bool = False
    root_weight: bool = False
    transformed_features: int = 0
    further_hops: int = 0
    heads: int = 0
    attention_from_degrees: bool = False
    vector_elements: int = 0
    vectors: tuple[tuple[str, tuple[int, ...]], ...] = ()
    normalized_features: int = 0
    gathered_features: int = 0
    gathers_itself: bool = True
    source_copies: int = 0
    target_copies: int = 0
    attention_copies: int = 0
    edge_weights: bool = False
    edge_features: int = 0
    per_graph: bool = False

    @property
    def propagates(self) -> bool:
        """Whether the layer passes messages along the edges."""
        return self.gathered_features > 0

    @property
    def reads_edges(self) -> bool:
        """Whether it reads weights or features of the graph's edges."""
        return self.edge_weights or self.edge_features > 0

    @property
    def hops(self) -> int:
        """How many times in a row it passes messages."""
        return 1 + self.further_hops if self.propagates else 0

    @property
    def hop_buffers(self) -> int:
        """How many of the embeddings between hops are held, beside what the first hop gathers.

        A hop reads the one before and writes the next one, so two are enough; the transformed
        embedding is one of these two once the first hop has read it.
        """
        return min(self.further_hops, 1 if self.transformed_features else 2)

    @property
    def num_weights(self) -> int:
        """How many weight matrices of :attr:`weight_shape` it has."""
        return 0 if self.weight_shape is None else 1 + self.root_weight

    @property
    def weight_shapes(self) -> tuple[tuple[int, int], ...]:
        """``(rows, columns)`` of every weight matrix."""
        if self.weight_shape is None:
            return ()
        return (self.weight_shape,) * self.num_weights + self.further_weights

    def components(self, *, reads_features: bool) -> tuple[Component, ...]:
        """The components of this layer that can be quantized.

        Args:
            reads_features: Whether its input is the node features, which have sites of their own.
        """
        own = self.transformed_features or self.further_hops
        return (
            *([Component.EMBEDDING] if own or not reads_features else []),
            *([Component.ATTENTION] if self.heads else []),
            *([Component.WEIGHT] if self.weight_shape else []),
        )


@dataclass(frozen=True)
class ModelSpec:
    """The layers of a model in the order in which they run; ``flow`` is a chain by default."""

    layers: tuple[LayerSpec, ...]
    flow: DataFlow | None = None

    @property
    def dataflow(self) -> DataFlow:
        """How tensors pass between the layers."""
        return self.flow or DataFlow.chain(len(self.layers))

    @property
    def reads_edge_weights(self) -> bool:
        """Whether a layer reads weights or features of the graph's edges."""
        return any(layer.reads_edges for layer in self.layers)

    def sites(self, num_buckets: int) -> tuple[Site, ...]:
        """Every site of features and model; weights and graphs belong to no degree bucket."""
        return tuple(dict.fromkeys(self._sites(num_buckets)))

    def _sites(self, num_buckets: int) -> Iterator[Site]:
        yield from embedding_sites(FEATURES, num_buckets)
        if self.reads_edge_weights:
            for bucket in range(num_buckets):
                yield Site(EDGE_WEIGHTS, Component.ATTENTION, bucket)
        for layer, made in zip(self.layers, self.dataflow.inputs, strict=True):
            for component in layer.components(reads_features=made is None):
                if component is Component.WEIGHT:
                    yield Site(layer.name, component)
                elif component is Component.EMBEDDING:
                    yield from embedding_sites(layer.name, num_buckets, per_graph=layer.per_graph)
                else:
                    for bucket in range(num_buckets):
                        yield Site(layer.name, component, bucket)
        for skip in self.dataflow.skips:
            yield from embedding_sites(skip.name, num_buckets, per_graph=skip.per_graph)


def embedding_sites(layer: str, num_buckets: int, *, per_graph: bool = False) -> Iterator[Site]:
    """The sites of an embedding: one a degree bucket, or one where its rows are graphs."""
    for bucket in (None,) if per_graph else range(num_buckets):
        yield Site(layer, Component.EMBEDDING, bucket)


@dataclass(frozen=True)
class GraphSpec:
    """A prepared graph's counts, per degree bucket where nodes or edges are quantized by bucket.

    Attributes:
        bucket_nodes: Nodes per bucket.
        bucket_in_edges: Edges per bucket of their target, one self-loop a node included.
        bucket_out_edges: The same edges per bucket of their source.
        max_in_degree: Largest in-degree, without the self-loop.
        features: The node features.
        symmetric: Whether every edge goes both ways.
        weights: The weights of its edges; ``None`` without any.
        inductive: Whether it is only the largest of the graphs that a model is for: an artifact
            holds nothing of it, and has a scale for every group, as other graphs may need.
        fixed: Whether these graphs are one with features that change: its edges are held.
        num_graphs: How many graphs it is the blocks of.
    """

    bucket_nodes: tuple[int, ...]
    bucket_in_edges: tuple[int, ...]
    bucket_out_edges: tuple[int, ...]
    max_in_degree: int
    features: FeatureSpec
    symmetric: bool = False
    weights: EdgeWeightSpec | None = None
    inductive: bool = False
    num_graphs: int = 1
    fixed: bool = False

    @property
    def holds_edges(self) -> bool:
        """Whether a model has the edges of this graph; the features too, if not inductive."""
        return self.fixed or not self.inductive

    def scaled(self, counts: tuple[int, ...]) -> tuple[int, ...]:
        """Counts of scale groups, above 0 for each that has a scale.

        Args:
            counts: Rows of each group in this graph.
        """
        return counts if self.holds_edges else (1,) * len(counts)

    def rows(self, *, per_graph: bool) -> tuple[int, ...]:
        """Rows of each scale group of an embedding: of each degree bucket, or all graphs."""
        return (self.num_graphs,) if per_graph else self.bucket_nodes

    def embedding_rows(self, layer: str, *, per_graph: bool) -> Iterator[tuple[Site, int]]:
        """The sites of an embedding of ``layer``, and the rows of each."""
        sites = embedding_sites(layer, self.num_buckets, per_graph=per_graph)
        return zip(sites, self.rows(per_graph=per_graph), strict=True)

    @property
    def num_buckets(self) -> int:
        """Number of degree buckets, empty ones included."""
        return len(self.bucket_nodes)

    @property
    def num_nodes(self) -> int:
        """Number of nodes."""
        return sum(self.bucket_nodes)

    @property
    def num_edges_with_loops(self) -> int:
        """Number of edges, one self-loop a node included."""
        return sum(self.bucket_in_edges)

    @property
    def num_edges(self) -> int:
        """Number of edges between different nodes."""
        return self.num_edges_with_loops - self.num_nodes

    @property
    def bucket_edges(self) -> tuple[int, ...]:
        """Edges between different nodes, per bucket of their target."""
        both = zip(self.bucket_in_edges, self.bucket_nodes, strict=True)
        return tuple(edges - nodes for edges, nodes in both)

    def gathered_edges(self, layer: LayerSpec) -> tuple[int, ...]:
        """Edges per bucket of their target that a layer gathers along."""
        if layer.gathers_itself:
            return self.bucket_in_edges
        return self.bucket_edges

    @property
    def pattern(self) -> EliasFano:
        """Places of the edges in the adjacency, target by target, without self-loops."""
        return EliasFano(self.num_edges, self.num_nodes**2)

    @property
    def stored_pattern(self) -> EliasFano:
        """What the artifact holds of them: one triangle where every edge goes both ways."""
        if not self.symmetric:
            return self.pattern
        return EliasFano(self.num_edges // 2, self.num_nodes * (self.num_nodes - 1) // 2)

    @property
    def edge_columns(self) -> int:
        """Numbers that each edge has, where edges have weights or features."""
        return 1 if self.weights is None else self.weights.columns

    @property
    def block_index_bytes(self) -> int:
        """Bytes of the index to every :data:`ROW_BLOCK` rows of a coded pattern."""
        blocks = sum(-(-nodes // ROW_BLOCK) for nodes in self.bucket_nodes)
        return _BLOCK_START_BYTES * (blocks + 1)

    @property
    def bucket_map_bytes(self) -> int:
        """Bytes of the bucket of every node, from which follows which node a row is.

        Nothing where one bucket holds all nodes: rows are nodes then.
        """
        occupied = sum(count > 0 for count in self.bucket_nodes)
        return packed_bytes(self.num_nodes, index_bits(self.num_buckets - 1)) if occupied > 1 else 0

    @property
    def degree_bytes(self) -> int:
        """Bytes of the in-degree of every node."""
        return packed_bytes(self.num_nodes, index_bits(self.max_in_degree))
