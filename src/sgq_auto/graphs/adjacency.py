"""From an edge list to sorted CSR, in time and memory linear in the edges.

Everything is counting sorts: a transposition visits rows in order, so its rows come out sorted,
and two of them sort a matrix. Their random writes bound them, a few seconds for 10^8 edges.
"""

import numpy as np

from sgq_auto.compute.kernel_compiler import Array
from sgq_auto.compute.kernels.layout import (
    group_by_target,
    merge_repeats_and_add_loops,
    scatter_rows,
)

Csr = tuple[Array, Array]


def csr_with_loops(edge_index: Array, num_nodes: int) -> Csr:
    """Rows = targets, columns = sources, one self-loop a node; repeated edges count once.

    Args:
        edge_index: ``[2, E]`` integers, source and target.
        num_nodes: Number of nodes.

    Returns:
        ``rowptr int64 [N + 1]`` and ``col int32 [entries]``, columns sorted within rows.
    """
    rowptr = _starts(np.bincount(edge_index[1], minlength=num_nodes))
    col = np.empty(edge_index.shape[1], np.int32)
    group_by_target(edge_index[0], edge_index[1], rowptr[:-1].copy(), col)
    same = np.arange(num_nodes, dtype=np.int32)
    for _ in range(2):
        rowptr, col = _transpose(rowptr, col, same, same)
    kept = np.empty(col.size + num_nodes, np.int32)
    kept_rowptr = np.zeros(num_nodes + 1, np.int64)
    merge_repeats_and_add_loops(rowptr, col, kept_rowptr, kept)
    return kept_rowptr, kept[: kept_rowptr[-1]].copy()


def reorder_nodes(rowptr: Array, col: Array, order: Array) -> Csr:
    """The CSR matrix whose node ``i`` is node ``order[i]`` of the given one, columns sorted."""
    position = np.empty(order.size, np.int32)
    position[order] = np.arange(order.size, dtype=np.int32)
    same = np.arange(order.size, dtype=np.int32)
    transposed = _transpose(rowptr, col, order.astype(np.int32), position)
    return _transpose(*transposed, same, same)


def is_symmetric(rowptr: Array, col: Array) -> bool:
    """Whether a square CSR matrix with sorted rows is its own transpose."""
    same = np.arange(rowptr.size - 1, dtype=np.int32)
    transposed = _transpose(rowptr, col, same, same)
    return all(np.array_equal(a, b) for a, b in zip((rowptr, col), transposed, strict=True))


def _transpose(rowptr: Array, col: Array, order: Array, position: Array) -> Csr:
    """The transpose of the matrix with rows in ``order`` and column ``c`` at ``position[c]``."""
    counts = np.zeros(order.size, np.int64)
    counts[position] = np.bincount(col, minlength=order.size)
    starts = _starts(counts)
    out = np.empty_like(col)
    scatter_rows(rowptr, col, order, position, starts[:-1].copy(), out)
    return starts, out


def _starts(counts: Array) -> Array:
    return np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
