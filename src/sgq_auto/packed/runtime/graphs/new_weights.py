"""Weights of the edges of a graph that is predicted once: checked, and quantized like a model's.

Features of edges are weights of several columns.
"""

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


def given_values(
    edge_index: Array,
    edge_weight: Array | None,
    edge_attr: Array | None,
    like: PackedEdgeWeights | None,
    *,
    from_zero: bool,
) -> Floats | None:
    """Weights or features of given edges, checked; ``None`` for a model that reads none.

    Args:
        edge_index: ``[2, E]``, checked.
        edge_weight: One number an edge.
        edge_attr: Several; one column is a weight too.
        like: What the model holds of its own; ``None`` where it reads none.
        from_zero: Whether no weight may be below 0.

    Raises:
        ValueError: If what it reads is missing, something else is given, or it cannot be.
    """
    if edge_weight is not None and edge_attr is not None:
        raise ValueError("edge_weight and edge_attr are both given: give one of them")
    given, name = (edge_weight, "edge_weight") if edge_attr is None else (edge_attr, "edge_attr")
    if like is None:
        if given is None:
            return None
        what = "weights" if edge_attr is None else "features"
        raise ValueError(f"this model reads no {what} of edges: leave out {name}")
    if like.columns > 1:
        if edge_attr is None:
            what = f"{like.columns} features of each edge"
            raise ValueError(f"this model reads {what}: give edge_attr [E, {like.columns}]")
        return checked_features(edge_index.shape[1], np.asarray(edge_attr), like.columns)
    if given is None:
        raise ValueError("this model reads weights of edges: give edge_weight")
    return checked_weights(edge_index, np.asarray(given), from_zero=from_zero)


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


def checked_features(edges: int, features: Array, columns: int) -> Floats:
    """Features of edges as fp64 ``[E, columns]``.

    Args:
        edges: How many edges there are.
        features: Numbers of each.
        columns: How many the model reads.

    Raises:
        ValueError: If they are not so many finite numbers an edge.
    """
    if features.shape != (edges, columns) or features.dtype.kind not in "biuf":
        raise ValueError(
            f"edge_attr is {features.dtype} of shape {features.shape}; it must hold numbers, "
            f"[{edges}, {columns}]: {columns} for each of the {edges} edges"
        )
    values = features.astype(np.float32).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("edge_attr holds NaN or infinite values; every one must be finite")
    return values


def listed_weights(
    edge_index: Array, weights: Floats, graph: PackedGraph, like: PackedEdgeWeights
) -> Floats:
    """What the codes of weights stand for, in the order of a graph's edges.

    Args:
        edge_index: ``[2, E]`` the edges as they were given; weights of repeats are summed.
        weights: fp64 ``[E]`` or ``[E, columns]``.
        graph: The graph that was made of them.
        like: Weights of the same ranges.
    """
    assert isinstance(graph.edges, ListedRows)
    nodes, order = graph.spec.num_nodes, graph.node_order().astype(np.int64)
    row = np.repeat(np.arange(nodes), np.diff(graph.edges.rowptr))
    col = graph.edges.listed
    listed = edge_index[1].astype(np.int64) * nodes + edge_index[0]
    keys, inverse = np.unique(listed, return_inverse=True)
    sums = np.zeros((keys.size, *weights.shape[1:]))
    np.add.at(sums, inverse, weights)
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
