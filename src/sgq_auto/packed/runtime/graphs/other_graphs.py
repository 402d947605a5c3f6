"""Models for other graphs: what they hold in place of one, and how they hold one they are given.

A graph that such a model predicts is coded as a model codes a graph of its own, so that what is
held is what a device would hold. Its features are quantized by the ranges of the model.
"""

from dataclasses import replace

import numpy as np

from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import pack_matrix
from sgq_auto.packed.codes.coded_rows import ListedRows
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.runtime.graphs.edge_weights import (
    ListedEdgeWeights,
    PackedEdgeWeights,
    pack_edge_weights,
)
from sgq_auto.packed.runtime.graphs.packed_features import (
    PackedFeatures,
    code_pattern,
    pack_features,
)
from sgq_auto.packed.runtime.graphs.packed_graph import PackedGraph, graph_of
from sgq_auto.packed.sizes.shape_specs import FeatureSpec, GraphSpec


def no_graph(spec: GraphSpec, split_points: tuple[int, ...]) -> PackedGraph:
    """No graph: what a model for other graphs has in its place.

    Args:
        spec: The counts of the largest graph that the model was made for.
        split_points: Degrees that separate the buckets.
    """
    nothing = np.empty(0, dtype=np.int64)
    return replace(graph_of(nothing, nothing, nothing, split_points, 0), spec=spec)


def coded_graph(graph: PackedGraph, weights: PackedEdgeWeights | None) -> PackedGraph:
    """A listed graph as a model holds its own: its edges, degrees and weights coded.

    Args:
        graph: The listed graph.
        weights: Edge weights of the same ranges as its own; ``None`` where it has none.
    """
    edges, nodes, counts = graph.edges, graph.spec.num_nodes, graph.spec.bucket_nodes
    assert isinstance(edges, ListedRows)
    rows = np.repeat(np.arange(nodes), np.diff(edges.rowptr))
    buckets = np.empty(nodes, dtype=np.int64)
    buckets[graph.node_order()] = np.repeat(np.arange(len(counts)), counts)
    degrees = graph.degrees[np.arange(nodes)]
    positions = rows * nodes + edges.listed
    coded = graph_of(positions, buckets, degrees, graph.split_points, nodes)
    spec = replace(coded.spec, num_graphs=graph.spec.num_graphs)
    coded = replace(coded, spec=spec, graph_map=graph.graph_map)
    if weights is None:
        return coded
    assert isinstance(graph.weights, ListedEdgeWeights)
    held = graph.weights.values, coded.spec.bucket_edges, weights.ranges
    return replace(coded, weights=pack_edge_weights(*held, symmetric=weights.symmetric))


def no_features(spec: FeatureSpec, ranges: Ranges, *, normalize: bool) -> PackedFeatures:
    """No features, and the ranges of those of other graphs.

    Args:
        spec: The features of the largest graph that the model was made for.
        ranges: Ranges of each bucket.
        normalize: Whether rows are divided by their sums.
    """
    nothing, width = (0,) * len(ranges.bits), spec.num_features if spec.dense else 1
    values = pack_matrix(np.empty((0, width)), nothing, ranges.bits, ranges)
    return PackedFeatures(spec, None, values, normalize)


def coded_features(x: Array, graph: PackedGraph, like: PackedFeatures) -> PackedFeatures:
    """The features of a graph as a model holds its own, quantized by the ranges of others.

    Args:
        x: ``[N, F]``, nodes in their own order.
        graph: The graph.
        like: The features whose ranges these are quantized by. Equal values of a bucket are held
            without codes where they are so in all graphs that the model was made for.
    """
    spec, nodes = like.spec, graph.spec.bucket_nodes
    made = pack_features(x, graph.node_order(), nodes, like, free=spec.bucket_constant)
    if made.pattern is None:
        return made
    assert isinstance(made.pattern, ListedRows)
    counts = np.diff(made.pattern.rowptr)
    positions = np.repeat(np.arange(counts.size), counts) * spec.num_features + made.pattern.listed
    return replace(made, pattern=code_pattern(positions, counts, spec, nodes))
