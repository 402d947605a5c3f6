"""Features of nodes that have none: their degrees, one column a degree."""

from typing import Any

import numpy as np
import scipy.sparse

from sgq_auto.graphs.raw_graph import IntArray


def in_degrees(edge_index: IntArray, num_nodes: int) -> IntArray:
    """``int64 [N]``: in-degrees without repeats and self-loops."""
    sources, targets = edge_index[:, edge_index[0] != edge_index[1]]
    ones = np.ones(sources.size, np.bool_)
    adjacency = scipy.sparse.csr_matrix((ones, (targets, sources)), shape=(num_nodes, num_nodes))
    degrees: IntArray = adjacency.getnnz(axis=1).astype(np.int64)
    return degrees


def one_hot_degrees(
    edge_index: IntArray, num_nodes: int, largest: int | None = None
) -> scipy.sparse.csr_matrix:
    """``float32 [N, degrees]``, sparse: 1 in the column of a node's in-degree.

    Args:
        edge_index: ``[2, E]``, source and target.
        num_nodes: Nodes.
        largest: Degrees from here on share the last column; ``None`` has a column for every degree
            that occurs, as graph classification without features usually does (Xu et al. 2019).
    """
    degrees = in_degrees(edge_index, num_nodes)
    last = int(degrees.max(initial=0)) if largest is None else largest
    ones: np.ndarray[Any, Any] = np.ones(num_nodes, np.float32)
    rows = np.arange(num_nodes + 1)
    columns = np.minimum(degrees, last)
    return scipy.sparse.csr_matrix((ones, columns, rows), shape=(num_nodes, last + 1))
