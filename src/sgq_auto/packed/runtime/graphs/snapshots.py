"""Many snapshots of the features of one graph: some are predicted together, as blocks of a graph.

One snapshot of a small graph takes longer to begin than to compute.
"""

from collections.abc import Iterator

import numpy as np

from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.coded_rows import EliasFanoRows
from sgq_auto.packed.runtime.graphs.edge_weights import PackedEdgeWeights
from sgq_auto.packed.runtime.graphs.packed_features import PackedFeatures
from sgq_auto.packed.runtime.graphs.packed_graph import PackedGraph
from sgq_auto.packed.runtime.graphs.prediction_input import NewInput, check_features

# Nodes of the snapshots that are predicted together.
_MOST_NODES = 1 << 12


def snapshot_blocks(x: Array, graph: PackedGraph, like: PackedFeatures) -> Iterator[NewInput]:
    """Some snapshots after the other, each time as the blocks of one graph.

    Args:
        x: ``[T, N, F]`` features.
        graph: The graph, its edges coded.
        like: The features whose ranges these are quantized by.

    Raises:
        ValueError: If they are no features of the graph.
    """
    nodes, width = graph.spec.num_nodes, like.spec.num_features
    if x.shape[1:] != (nodes, width):
        raise ValueError(f"x has shape {x.shape}; it must be [snapshots, {nodes}, {width}]")
    if x.shape[0]:
        check_features(x.reshape(-1, width), width)
    edges, weights = _listed(graph)
    together = max(1, _MOST_NODES // nodes)
    tiled, tiled_weights, count = edges, weights, 0
    for first in range(0, x.shape[0], together):
        part = x[first : first + together]
        if len(part) != count:
            count = len(part)
            tiled = np.concatenate([edges + k * nodes for k in range(count)], axis=1)
            tiled_weights = None if weights is None else np.concatenate([weights] * count)
        new = NewInput.of(part.reshape(-1, width), tiled, graph.split_points, like)
        held = graph.weights
        assert held is None or isinstance(held, PackedEdgeWeights)
        several = held is not None and held.columns > 1
        given = (None, tiled_weights) if several else (tiled_weights, None)
        yield new.weighted(tiled, given[0], held, from_zero=False, edge_attr=given[1])


def _listed(graph: PackedGraph) -> tuple[Array, Array | None]:
    """The edges ``[2, E]`` of a graph by its nodes, and what their weights' codes stand for."""
    assert isinstance(graph.edges, EliasFanoRows)
    target, source = graph.edges.coordinates()
    order = graph.node_order().astype(np.int64)
    edges: Array = np.stack([order[source], order[target]])
    held = graph.weights
    return edges, held.values() if isinstance(held, PackedEdgeWeights) else None
