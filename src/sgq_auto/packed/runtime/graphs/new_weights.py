"""Weights of the edges of a graph that is predicted once: checked, and quantized like a model's."""

import numpy as np

from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.coded_rows import ListedRows
from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.runtime.graphs.edge_weights import (
    PackedEdgeWeights,
    both_directions,
    quantized_values,
)
from sgq_auto.packed.runtime.graphs.packed_graph import PackedGraph


def checked_weights(edge_index: Array, weights: Array, *, from_zero: bool) -> Floats:
    """Weights as fp64 ``[E]``.

    Args:
        edge_index: ``[2, E]``, checked.
        weights: One number an edge.
        from_zero: Whether none may be below 0.

    Raises:
        ValueError: If they are not one finite number an edge, 1 at self-loops.
    """
    edges = edge_index.shape[1]
    if weights.shape not in ((edges,), (edges, 1)) or weights.dtype.kind not in "biuf":
        raise ValueError(
            f"edge_weight is {weights.dtype} of shape {weights.shape}; it must hold {edges} "
            "numbers, one for each edge"
        )
    # As the weights of the model's own graph were kept.
    values = weights.reshape(-1).astype(np.float32).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("edge_weight holds NaN or infinite values; every one must be finite")
    if (values[edge_index[0] == edge_index[1]] != 1).any():
        raise ValueError("edge_weight must be 1 at self-loops")
    if from_zero and values.size and values.min() < 0:
        raise ValueError("edge_weight is below 0; this model needs weights from 0 on")
    return values


def listed_weights(
    edge_index: Array, weights: Floats, graph: PackedGraph, like: PackedEdgeWeights
) -> Floats:
    """What the codes of weights stand for, in the order of a graph's edges.

    Args:
        edge_index: ``[2, E]`` the edges as they were given; weights of repeats are summed.
        weights: fp64 ``[E]``.
        graph: The graph that was made of them.
        like: Weights of the same ranges.
    """
    assert isinstance(graph.edges, ListedRows)
    nodes, order = graph.spec.num_nodes, graph.node_order().astype(np.int64)
    row = np.repeat(np.arange(nodes), np.diff(graph.edges.rowptr))
    col = graph.edges.listed
    listed = edge_index[1].astype(np.int64) * nodes + edge_index[0]
    keys, inverse = np.unique(listed, return_inverse=True)
    sums = np.bincount(inverse, weights, minlength=keys.size)
    found = sums[np.searchsorted(keys, order[row] * nodes + order[col])]
    own: Floats = found.astype(np.float32).astype(np.float64)
    bucket_edges = graph.spec.bucket_edges
    values = quantized_values(own, bucket_edges, like.ranges)
    if not (like.symmetric and _are_symmetric(row, col, own, nodes)):
        return values
    shared = both_directions(values[row > col], row, col)
    return quantized_values(shared, bucket_edges, like.ranges)


def _are_symmetric(row: Array, col: Array, weights: Floats, nodes: int) -> bool:
    back = np.argsort(col.astype(np.int64) * nodes + row, kind="stable")
    mirrored = np.array_equal(row[back], col) and np.array_equal(col[back], row)
    return mirrored and bool(np.array_equal(weights[back], weights))
