"""What edges have: one number each, a weight, or several, which are their features.

From a list of edges to the entries of a sparse matrix. Both are treated alike here, and features
are called weights of several columns.
"""

from typing import Any

import numpy as np

from sgq_auto.errors import InputError

Array = np.ndarray[Any, Any]


def both_ways(edge_index: Array, weights: Array | None, where: str) -> tuple[Array, Array | None]:
    """An undirected graph's edges in both directions, from a list that has one or both of them.

    Weights of rows that repeat an edge in the same direction are summed, as PyG's ``coalesce``
    does. Rows that have an edge in both directions are one edge, and must agree.

    Args:
        edge_index: ``[2, E]`` integers.
        weights: ``[E]`` or ``[E, columns]``, or ``None`` without any.
        where: What messages call the list.

    Returns:
        The edges and their weights.

    Raises:
        InputError: If two directions of an edge have different weights.
    """
    # Nodes that are not there are refused where the whole graph is checked.
    if weights is None or edge_index.min(initial=0) < 0:
        return np.concatenate([edge_index, edge_index[::-1]], axis=1), _twice(weights)
    nodes = int(edge_index.max(initial=0)) + 1
    keys, sums = _summed(edge_index[1].astype(np.int64) * nodes + edge_index[0], weights)
    sums = sums.astype(np.float32)
    target, source = np.divmod(keys, nodes)
    back = source * nodes + target
    place = np.minimum(np.searchsorted(keys, back), max(keys.size - 1, 0))
    has_both = keys[place] == back if keys.size else np.empty(0, bool)
    differs = np.flatnonzero(has_both & _rows_differ(sums, sums[place])) if keys.size else keys
    if differs.size:
        k, what = int(differs[0]), "weight" if sums.ndim == 1 else "features"
        raise InputError(
            f"{where}: the edge from {source[k]} to {target[k]} has {what} {_said(sums[k])}, and "
            f"the one back {_said(sums[place[k]])}; edges are read as undirected: give both the "
            f"same {what}, or keep directions with dataset.source.undirected=false"
        )
    alone = ~has_both
    edges = np.stack([source, target])
    edges = np.concatenate([edges, edges[::-1][:, alone]], axis=1)
    return edges, np.concatenate([sums, sums[alone]])


def _twice(weights: Array | None) -> Array | None:
    return None if weights is None else np.concatenate([weights, weights])


def weights_of_entries(
    edge_index: Array, weights: Array, rowptr: Array, col: Array, order: Array
) -> Array:
    """Weights at the entries of a CSR matrix that has one self-loop a row.

    Weights of repeated edges are summed, which is what layers that sum messages make of them, and
    what PyG's ``coalesce`` does. Self-loops have weight 1.

    Args:
        edge_index: ``[2, E]`` source and target, by original nodes.
        weights: ``[E]`` or ``[E, columns]``.
        rowptr: ``[N + 1]``, where each row's entries start.
        col: ``[entries]``.
        order: ``[N]``, the original node of each row.

    Returns:
        ``float32 [entries]``, or ``[entries, columns]`` of several columns, 1 at self-loops.
    """
    nodes = np.asarray(order, dtype=np.int64)
    row, column = nodes.repeat(np.diff(rowptr)), nodes[col]
    wanted = row * nodes.size + column
    loops = row == column
    found = weights_of_edges(edge_index, weights, column[~loops], row[~loops], nodes.size)
    out = np.ones((wanted.size, *found.shape[1:]), np.float32)
    out[~loops] = found
    return out


def weights_of_edges(
    edge_index: Array, weights: Array, source: Array, target: Array, num_nodes: int
) -> Array:
    """``float32``, weights of edges that are all in a list; those of repeats are summed.

    Of one column they are ``[edges]``, of several ``[edges, columns]``.

    Args:
        edge_index: ``[2, E]`` the list.
        weights: ``[E]`` or ``[E, columns]``.
        source: Sources of the edges that are asked for.
        target: Their targets.
        num_nodes: Number of nodes.
    """
    listed = edge_index[1].astype(np.int64) * num_nodes + edge_index[0]
    keys, sums = _summed(listed, weights)
    found: Array = sums[np.searchsorted(keys, target.astype(np.int64) * num_nodes + source)]
    return found.astype(np.float32)


def storing_entries(row: Array, col: Array, rank: Array) -> Array:
    """``int64 [edges]``, of symmetric weights, the edge whose weight is stored for each edge.

    It is the direction whose target comes later in the order of degree buckets.

    Args:
        row: Targets of edges between different nodes, sorted by row, then column.
        col: Their sources; every edge is there in both directions.
        rank: ``[N]``, the place of each row in the order of degree buckets.
    """
    row, col = row.astype(np.int64), col.astype(np.int64)
    back: Array = np.searchsorted(row * rank.size + col, col * rank.size + row)
    return np.where(rank[row] > rank[col], np.arange(row.size), back)


def are_symmetric(row: Array, col: Array, weights: Array, num_nodes: int) -> bool:
    """Whether a symmetric matrix's entries, sorted by row, then column, have symmetric values."""
    back = np.argsort(col.astype(np.int64) * num_nodes + row, kind="stable")
    return bool(np.array_equal(weights[back], weights))


def check_weights(edge_index: Array, weights: Array, where: str) -> None:
    """Check weights: finite, a row an edge; and 1 at self-loops, where there is one column.

    Raises:
        InputError: One line that says what is wrong.
    """
    edges = edge_index.shape[1]
    if not weights.ndim or weights.ndim > 2 or weights.shape[0] != edges or 0 in weights.shape[1:]:
        raise InputError(
            f"{where}: the weights of edges have shape {list(weights.shape)}; they must be "
            f"[{edges}], one for each edge, or [{edges}, columns] if they are features"
        )
    if weights.dtype.kind not in "biuf":
        raise InputError(f"{where}: the weights of edges hold {weights.dtype}; give numbers")
    columns = weights.reshape(edges, -1) if edges else np.empty((0, 1))
    row, column = np.nonzero(~np.isfinite(columns.astype(np.float32)))
    what = "weight" if columns.shape[1] == 1 else "feature"
    if row.size:
        k = int(row[0])
        raise InputError(
            f"{where}: the {what} of the edge from {edge_index[0, k]} to {edge_index[1, k]} is "
            f"{columns[k, column[0]]}; every {what} must be a finite number"
        )
    if columns.shape[1] > 1:
        return
    flat = columns[:, 0]
    other = np.flatnonzero((edge_index[0] == edge_index[1]) & (flat != 1))
    if other.size:
        k = int(other[0])
        raise InputError(
            f"{where}: the self-loop of node {edge_index[0, k]} has weight {flat[k]:g}; layers add "
            "self-loops of weight 1 and no others: remove_self_loops of torch_geometric.utils "
            "removes yours"
        )


def _summed(keys: Array, weights: Array) -> tuple[Array, Array]:
    """Different keys, increasing, and the sum of each one's weights in fp64.

    Of one column the sums are ``[keys]``, of several ``[keys, columns]``.
    """
    unique, inverse = np.unique(keys, return_inverse=True)
    values = (weights[:, None] if weights.ndim == 1 else weights).astype(np.float64)
    sums = [np.bincount(inverse, column, minlength=unique.size) for column in values.T]
    return unique, sums[0] if len(sums) == 1 else np.stack(sums, axis=1)


def _rows_differ(one: Array, other: Array) -> Array:
    """``bool [rows]``, for matrices and for vectors."""
    differs: Array = np.asarray(one != other)
    return differs if differs.ndim == 1 else np.asarray(differs.any(axis=1))


def _said(weights: Array) -> str:
    """The weight, or the features, of one edge in a message."""
    return " ".join(f"{value:g}" for value in np.atleast_1d(weights))
