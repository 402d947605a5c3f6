"""Checks of raw graphs: each refusal is one line that names the array."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from sgq_auto.errors import InputError
from sgq_auto.graphs import RawGraph

_X = np.ones((3, 2), dtype=np.float32)
_EDGES = np.array([[0, 1], [1, 2]])
_GOOD = RawGraph("mine", _X, _EDGES, np.array([0, 1, 2]))


def test_good_graphs_pass() -> None:
    _GOOD.check()
    replace(_GOOD, x=scipy.sparse.csr_matrix(_X)).check()
    replace(_GOOD, edge_index=np.empty((2, 0), dtype=np.int64)).check()
    replace(_GOOD, class_names=("a", "b", "ü 1")).check()
    assert (_GOOD.num_nodes, _GOOD.num_classes) == (3, 3)


@pytest.mark.parametrize(
    ("array", "value"),
    [
        ("x", np.ones(3, dtype=np.float32)),
        ("x", np.ones((3, 2, 1), dtype=np.float32)),
        ("x", np.ones((0, 2), dtype=np.float32)),
        ("x", np.ones((3, 0), dtype=np.float32)),
        ("x", np.full((3, 2), np.nan, dtype=np.float32)),
        ("x", np.full((3, 2), np.inf, dtype=np.float32)),
        ("x", scipy.sparse.csr_matrix(np.diag([1.0, np.nan, 2.0]))),
        ("edge_index", _EDGES.T.reshape(-1)),
        ("edge_index", np.zeros((3, 2), dtype=np.int64)),
        ("edge_index", np.array([[0, 1], [1, 3]])),
        ("edge_index", np.array([[0, -1], [1, 2]])),
        ("y", np.array([0, 1])),
        ("y", np.zeros((3, 1), dtype=np.int64)),
        ("y", np.array([0, -2, 1])),
        ("y", np.array([-1, -1, -1])),
        ("class_names", ("a", "b")),
        ("class_names", ("a", "b", "c", "d")),
        ("class_names", ("a", "b", 2)),
        ("class_names", ("a", "b", "")),
        ("class_names", ("a", "b", "two\nlines")),
        ("class_names", ("a", "b", "a")),
    ],
)
def test_bad_arrays_are_refused_by_name(array: str, value: Any) -> None:
    with pytest.raises(InputError, match=rf"^mine: {array} [^\n]*$"):
        replace(_GOOD, **{array: value}).check()


def test_edges_out_of_range_are_told_with_the_range() -> None:
    with pytest.raises(InputError, match=r"nodes 0 to 7; the 3 nodes are 0 to 2$"):
        replace(_GOOD, edge_index=np.array([[0], [7]])).check()


@pytest.mark.parametrize("is_sparse", [False, True])
def test_a_value_that_is_not_finite_is_named_by_its_place(*, is_sparse: bool) -> None:
    x = _X.copy()
    x[1, 1], x[2, 0] = np.inf, np.nan
    raw = replace(_GOOD, x=scipy.sparse.csr_matrix(x) if is_sparse else x)
    with pytest.raises(InputError, match="the first in row 1, column 1"):
        raw.check()
