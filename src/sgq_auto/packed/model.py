"""A packed model and what one asks of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sgq_auto.allocation import FEATURES, BitAllocation, Component, Site
from sgq_auto.packed.codes import Array
from sgq_auto.packed.convs import AgnnLayer
from sgq_auto.packed.engines import Engine, fastest_engine
from sgq_auto.packed.features import PackedFeatures, pack_features
from sgq_auto.packed.footprint import Footprint, FootprintModel
from sgq_auto.packed.graph import PackedGraph, edges_of, graph_of
from sgq_auto.packed.inference import Inference
from sgq_auto.packed.layers import AttentionConvLayer, ConvLayer, PackedLayer, WeightedLayer
from sgq_auto.packed.neighborhood import neighborhood
from sgq_auto.packed.specs import ModelSpec

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PackedModel:
    """A quantized model with its graph, all in packed codes.

    Attributes:
        graph: The graph it was trained on.
        features: That graph's node features.
        layers: Its layers in order.
        classes: Names of the classes.
        source: Where it came from: study, trial, seed, accuracies.
        engine: Does the arithmetic.
    """

    graph: PackedGraph
    features: PackedFeatures
    layers: tuple[PackedLayer, ...]
    classes: tuple[str, ...]
    source: dict[str, Any] = field(default_factory=dict)
    engine: Engine = field(default_factory=fastest_engine)

    @property
    def num_nodes(self) -> int:
        """Nodes of its graph."""
        return self.graph.spec.num_nodes

    @property
    def footprints(self) -> FootprintModel:
        """Sizes of the model on its graph."""
        return FootprintModel(ModelSpec(tuple(la.spec for la in self.layers)), self.graph.spec)

    @property
    def allocation(self) -> BitAllocation:
        """Bits of every site."""
        sites = _bucket_bits(FEATURES, Component.EMBEDDING, self.layers[0].inputs.bits)
        for position, layer in enumerate(self.layers):
            sites += _bits(layer, reads_features=position == 0)
        return BitAllocation(sites)

    def footprint(self) -> Footprint:
        """What it takes in an artifact and while it predicts."""
        return self.footprints.packed(self.allocation)

    def predict(
        self,
        nodes: Sequence[int] | Array | None = None,
        *,
        x: Array | None = None,
        edge_index: Array | None = None,
        threads: int = 1,
    ) -> Logits:
        """Logits of nodes.

        Args:
            nodes: Which nodes, in this order; ``None`` for all. Only their neighbourhood is
                computed.
            x: ``[N, F]`` features of another graph's nodes, quantized by the ranges of this
                model; needs ``edge_index``.
            edge_index: ``[2, E]`` edges (source, target) of that graph.
            threads: Threads that compute chunks of rows.

        Returns:
            fp32 ``[n, classes]``.

        Raises:
            ValueError: If a node is unknown, the features have another width, or an edge leads
                to a node that is not there.
        """
        if threads < 1:
            raise ValueError(f"threads={threads}: it must be at least 1")
        if (x is None) != (edge_index is None):
            raise ValueError("a new graph is given by x and edge_index together")
        if x is not None and edge_index is not None:
            return self._on(np.asarray(x), np.asarray(edge_index)).predict(nodes, threads=threads)
        if nodes is None:
            return Inference(self.graph, self.features, self.engine, threads).run(self.layers)
        wanted = check_nodes(nodes, self.num_nodes)
        if wanted.size == 0:
            return np.empty((0, len(self.classes)), dtype=np.float32)
        hops = sum(layer.spec.propagates for layer in self.layers)
        graph, features, places = neighborhood(self.graph, self.features, wanted, hops, self.engine)
        return Inference(graph, features, self.engine, threads).run(self.layers)[places]

    def _on(self, x: Array, edge_index: Array) -> "PackedModel":
        """The same model on another graph."""
        width = self.features.spec.num_features
        if x.ndim != 2 or x.shape[1] != width:
            raise ValueError(f"x has shape {x.shape}; it must be [nodes, {width}]")
        if not np.isfinite(x).all():
            raise ValueError("x holds NaN or infinite values; every one must be finite")
        if edge_index.ndim != 2 or edge_index.shape[0] != 2:
            raise ValueError(f"edge_index has shape {edge_index.shape}; it must be [2, edges]")
        if edge_index.dtype.kind not in "iu" and edge_index.size:
            raise ValueError(f"edge_index holds {edge_index.dtype}; it must hold integers")
        if x.shape[0] == 0:
            raise ValueError("x has no row; a graph has at least one node")
        check_nodes(edge_index.ravel(), x.shape[0])
        split_points = self.graph.split_points
        positions, buckets, degrees = edges_of(edge_index, x.shape[0], split_points)
        graph = graph_of(positions, buckets, degrees, split_points, x.shape[0])
        nodes = graph.spec.bucket_nodes
        features = pack_features(
            x[graph.node_order()],
            self.features.spec,
            nodes,
            self.features.values.ranges,
            normalize=self.features.normalize_rows,
        )
        spec = replace(graph.spec, features=features.spec)
        return replace(self, graph=replace(graph, spec=spec), features=features)


def check_nodes(nodes: Sequence[int] | Array, num_nodes: int) -> Array:
    """Node numbers as ``int64``.

    Raises:
        ValueError: If they are no integers, or a node is not there.
    """
    index = np.asarray(nodes)
    if index.size == 0:
        return np.empty(0, dtype=np.int64)
    if index.ndim != 1 or index.dtype.kind not in "iu":
        raise ValueError(f"nodes are a list of integers, not {index.dtype} of shape {index.shape}")
    if index.min() < 0 or index.max() >= num_nodes:
        bad = index.min() if index.min() < 0 else index.max()
        raise ValueError(f"node {bad} is unknown; the {num_nodes} nodes are 0 to {num_nodes - 1}")
    return index.astype(np.int64)


def _bits(layer: PackedLayer, *, reads_features: bool) -> list[tuple[Site, int]]:
    """The bits of a layer's own sites, in the order of its specification."""
    name, sites = layer.spec.name, []
    if not reads_features:
        sites += _bucket_bits(name, Component.EMBEDDING, layer.inputs.bits)
    elif isinstance(layer, ConvLayer):
        sites += _bucket_bits(name, Component.EMBEDDING, layer.transformed.bits)
    if isinstance(layer, AttentionConvLayer | AgnnLayer):
        sites += _bucket_bits(name, Component.ATTENTION, layer.attention.bits)
    if isinstance(layer, WeightedLayer):
        sites.append((Site(name, Component.WEIGHT), layer.weight.bits))
    return sites


def _bucket_bits(layer: str, component: Component, bits: Sequence[int]) -> list[tuple[Site, int]]:
    return [(Site(layer, component, bucket), width) for bucket, width in enumerate(bits)]
