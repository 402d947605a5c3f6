"""A prepared graph in the user's own order of nodes is the same graph."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sgq_auto.errors import InputError
from sgq_auto.graphs import BucketSettings, PreparedData, RawGraph, prepare_graph
from sgq_auto.graphs.csr_products import CsrPattern, entries_of_rows
from sgq_auto.graphs.splits import PublicSplit
from sgq_auto.graphs.store import load_graph, save_graph


def _prepared(raw: RawGraph) -> PreparedData:
    split = PublicSplit().split(raw)
    return prepare_graph(raw, split, BucketSettings((0, 1)), normalize_rows=True)


def test_rows_are_the_users_nodes(odd_raw: RawGraph) -> None:
    data = _prepared(odd_raw)
    original = data.in_original_order()
    graph = original.graph
    nodes, split = odd_raw.num_nodes, odd_raw.split
    assert split is not None
    assert graph.node_order.tolist() == list(range(nodes))
    dense = odd_raw.x.toarray()
    expected = dense / dense.sum(1, keepdims=True).clip(min=1)
    np.testing.assert_allclose(graph.features.dense().numpy(), expected, rtol=1e-6)
    simple = {(s, t) for s, t in odd_raw.edge_index.T.tolist() if s != t}
    assert [tuple(e) for e in graph.edge_index().T.tolist()] == sorted(simple)
    for labelled, part in ((graph.train, split.train), (graph.val, split.val)):
        assert labelled.nodes.tolist() == sorted(part.tolist())
        assert labelled.labels.tolist() == odd_raw.y[np.sort(part)].tolist()
    assert original.held_out.nodes.tolist() == sorted(split.test.tolist())


def test_sizes_do_not_depend_on_the_order(odd_raw: RawGraph) -> None:
    data = _prepared(odd_raw)
    original = data.in_original_order()
    assert original.graph.spec == data.graph.spec
    assert original.graph.bucket_edges == data.graph.bucket_edges


def test_it_is_another_graph_for_a_study(synthetic: PreparedData) -> None:
    original = synthetic.in_original_order()
    assert original.graph.fingerprint != synthetic.graph.fingerprint
    assert original.in_original_order().graph is original.graph


def test_it_is_stored_whole(odd_raw: RawGraph, tmp_path: Path) -> None:
    graph = _prepared(odd_raw).in_original_order().graph
    save_graph(graph, tmp_path / "graph.safetensors")
    loaded = load_graph(tmp_path / "graph.safetensors")
    assert loaded.fingerprint == graph.fingerprint
    assert loaded.spec == graph.spec


@pytest.mark.parametrize("fault", ["range", "twice", "other", "type"])
def test_a_forged_order_is_refused(fault: str, synthetic: PreparedData, tmp_path: Path) -> None:
    graph = synthetic.in_original_order().graph
    assert graph.bucket_rows is not None
    rows = graph.bucket_rows.clone()
    if fault == "range":
        rows[0] = graph.num_nodes
    if fault == "twice":
        rows[0] = rows[1]
    if fault == "other":
        rows = rows.flip(0)
    if fault == "type":
        rows = rows.int()
    path = tmp_path / "graph.safetensors"
    save_graph(replace(graph, bucket_rows=rows), path)
    with pytest.raises(InputError, match="bucket_"):
        load_graph(path)


def test_the_users_edges_are_kept_in_their_order(odd_raw: RawGraph) -> None:
    edges = _prepared(odd_raw).edge_index
    assert edges is not None
    expected = list(dict.fromkeys((s, t) for s, t in odd_raw.edge_index.T.tolist() if s != t))
    assert [tuple(e) for e in edges.T.tolist()] == expected


@pytest.mark.parametrize("rows", [[2, 0, 2], [], [1]])
def test_entries_of_rows(rows: list[int]) -> None:
    pattern = CsrPattern.from_arrays(np.array([0, 2, 2, 5]), np.array([0, 1, 0, 1, 2]), (3, 3))
    starts = {0: [0, 1], 1: [], 2: [2, 3, 4]}
    found = entries_of_rows(pattern.rowptr, torch.tensor(rows, dtype=torch.int64))
    assert found.tolist() == [entry for row in rows for entry in starts[row]]


def test_edges_that_are_left_out_are_counted(odd_raw: RawGraph) -> None:
    loops = sum(s == t for s, t in odd_raw.edge_index.T.tolist())
    repeats = odd_raw.edge_index.shape[1] - len(set(map(tuple, odd_raw.edge_index.T.tolist())))
    # A loop that is there twice is no repeated edge: no loop is kept.
    repeats -= loops - len({s for s, t in odd_raw.edge_index.T.tolist() if s == t})
    said = [note for note in _prepared(odd_raw).notes if "left out" in note]
    if loops + repeats:
        (note,) = said
        assert f"{repeats} repeated edges and {loops} self-loops" in note
    else:
        assert said == []
