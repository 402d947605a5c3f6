"""Edge lists to sorted CSR, against SciPy."""

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from sgq_auto.graphs.adjacency import csr_with_loops, reorder_nodes


def _edges(nodes: int, count: int, seed: int, dtype: type) -> np.ndarray:
    return np.random.default_rng(seed).integers(nodes, size=(2, count)).astype(dtype)


def _dense(rowptr: np.ndarray, col: np.ndarray) -> np.ndarray:
    nodes = rowptr.size - 1
    ones = np.ones(col.size)
    return scipy.sparse.csr_matrix((ones, col, rowptr), shape=(nodes, nodes)).toarray()


@given(
    st.integers(1, 30),
    st.integers(0, 120),
    st.integers(0, 999),
    st.sampled_from([np.int32, np.int64]),
)
def test_every_edge_once_and_a_loop_a_node(nodes: int, count: int, seed: int, dtype: type) -> None:
    edges = _edges(nodes, count, seed, dtype)
    rowptr, col = csr_with_loops(edges, nodes)
    expected = np.eye(nodes)
    expected[edges[1], edges[0]] = 1
    np.testing.assert_array_equal(_dense(rowptr, col), expected)
    for row in range(nodes):
        assert (np.diff(col[rowptr[row] : rowptr[row + 1]]) > 0).all()


@given(st.integers(1, 30), st.integers(0, 120), st.integers(0, 999))
def test_reordered_nodes_keep_their_edges(nodes: int, count: int, seed: int) -> None:
    csr = csr_with_loops(_edges(nodes, count, seed, np.int64), nodes)
    order = np.random.default_rng(seed).permutation(nodes)
    rowptr, col = reorder_nodes(*csr, order)
    np.testing.assert_array_equal(_dense(rowptr, col), _dense(*csr)[order][:, order])
    for row in range(nodes):
        assert (np.diff(col[rowptr[row] : rowptr[row + 1]]) > 0).all()


@pytest.mark.parametrize("nodes", [1, 5])
def test_graphs_without_edges_have_their_loops(nodes: int) -> None:
    rowptr, col = csr_with_loops(np.zeros((2, 0), np.int64), nodes)
    assert col.tolist() == list(range(nodes))
    assert rowptr.tolist() == list(range(nodes + 1))
