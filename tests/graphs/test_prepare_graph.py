"""Prepared graphs: node order, merged edges, buckets, labels, and no test label inside."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from torch import Tensor

from sgq_auto.compute import TorchEngine
from sgq_auto.errors import InputError
from sgq_auto.graphs import (
    BucketSettings,
    DenseFeatures,
    Graph,
    LabelledNodes,
    PreparedData,
    RawGraph,
    SparseFeatures,
    Split,
    prepare_graph,
)
from sgq_auto.graphs.splits import PerClassSplit, PublicSplit

_BUCKETS = BucketSettings(split_points=(0, 1, 2))


def _prepare(raw: RawGraph, buckets: BucketSettings = _BUCKETS) -> PreparedData:
    return prepare_graph(raw, PublicSplit().split(raw), buckets, normalize_rows=False)


def _dense_x(raw: RawGraph) -> np.ndarray:
    return raw.x.toarray() if scipy.sparse.issparse(raw.x) else raw.x


def _adjacency(raw: RawGraph) -> np.ndarray:
    """Targets by sources, repeated edges once, one self-loop a node."""
    adjacency = np.eye(raw.num_nodes, dtype=bool)
    adjacency[raw.edge_index[1], raw.edge_index[0]] = True
    return adjacency


def _tensors(thing: Any) -> Iterator[Tensor]:
    if isinstance(thing, Tensor):
        yield thing
    elif isinstance(thing, list | tuple):
        for part in thing:
            yield from _tensors(part)
    elif is_dataclass(thing):
        for part in vars(thing).values():
            yield from _tensors(part)


def test_edges_follow_their_nodes_and_repeats_merge(odd_raw: RawGraph) -> None:
    graph = _prepare(odd_raw).graph
    order = graph.node_order.numpy()
    dense = np.zeros((12, 12), dtype=int)
    np.add.at(dense, (graph.adj_t.row.numpy(), graph.adj_t.col.numpy()), 1)
    np.testing.assert_array_equal(dense, _adjacency(odd_raw)[order][:, order])


def test_edge_index_has_no_self_loop_and_points_from_source_to_target(odd_raw: RawGraph) -> None:
    graph = _prepare(odd_raw).graph
    edges = {tuple(edge) for edge in graph.node_order[graph.edge_index()].t().tolist()}
    given = {tuple(edge) for edge in odd_raw.edge_index.T.tolist()}
    assert edges == {(source, target) for source, target in given if source != target}
    assert graph.edge_index().size(1) == len(edges) == graph.spec.num_edges


def test_rows_are_sorted_by_bucket_of_in_degree(odd_raw: RawGraph) -> None:
    graph = _prepare(odd_raw).graph
    in_degrees = _adjacency(odd_raw).sum(1) - 1
    buckets = np.minimum(in_degrees, 3)[graph.node_order.numpy()]
    assert (np.diff(buckets) >= 0).all()
    assert np.bincount(buckets, minlength=4).tolist() == list(graph.bucket_nodes)
    assert sorted(graph.node_order.tolist()) == list(range(12))


def test_spec_counts_edges_by_bucket_of_either_end(odd_raw: RawGraph) -> None:
    graph = _prepare(odd_raw).graph
    adjacency = _adjacency(odd_raw)
    buckets = np.minimum(adjacency.sum(1) - 1, 3)
    targets, sources = adjacency.nonzero()
    assert graph.spec.bucket_in_edges == tuple(np.bincount(buckets[targets], minlength=4))
    assert graph.spec.bucket_out_edges == tuple(np.bincount(buckets[sources], minlength=4))
    assert graph.spec.max_in_degree == adjacency.sum(1).max() - 1
    assert graph.bucket_edges == graph.spec.bucket_in_edges


def test_features_and_labels_follow_their_nodes(odd_raw: RawGraph) -> None:
    prepared = _prepare(odd_raw)
    order = prepared.graph.node_order.numpy()
    np.testing.assert_array_equal(prepared.graph.features.dense().numpy(), _dense_x(odd_raw)[order])
    parts = {"train": prepared.graph.train, "val": prepared.graph.val, "test": prepared.held_out}
    for name, labelled in parts.items():
        nodes = order[labelled.nodes.numpy()]
        assert sorted(nodes) == getattr(odd_raw.split, name).tolist()
        np.testing.assert_array_equal(labelled.labels.numpy(), odd_raw.y[nodes])


def test_cora_is_prepared_with_its_known_counts(cora: PreparedData) -> None:
    graph = cora.graph
    assert graph.bucket_nodes == (2010, 551, 107, 40)
    assert (graph.num_nodes, graph.spec.num_edges, graph.num_classes) == (2708, 10556, 7)
    assert (graph.train.nodes.numel(), graph.val.nodes.numel()) == (140, 500)
    assert cora.held_out.nodes.numel() == 1000


def test_cora_labels_follow_their_nodes(cora: PreparedData, cora_raw: RawGraph) -> None:
    order = cora.graph.node_order.numpy()
    np.testing.assert_array_equal(
        cora.held_out.labels.numpy(), cora_raw.y[order[cora.held_out.nodes.numpy()]]
    )


@pytest.mark.parametrize("name", ["Cora", "CiteSeer", "PubMed", "Computers"])
def test_real_graphs_have_their_known_counts(
    name: str, real_graph: Callable[[str], PreparedData]
) -> None:
    graph = real_graph(name).graph
    known = {
        "Cora": (2708, 10556, 1433, 7, 140),
        "CiteSeer": (3327, 9104, 3703, 6, 120),
        "PubMed": (19717, 88648, 500, 3, 60),
        "Computers": (13752, 491722, 767, 10, 200),
    }
    sizes = (graph.num_nodes, graph.spec.num_edges, graph.features.num_features, graph.num_classes)
    assert (*sizes, graph.train.nodes.numel()) == known[name]


def test_no_test_label_can_be_reached_from_the_graph(
    cora: PreparedData, cora_raw: RawGraph
) -> None:
    graph, held_out = cora.graph, cora.held_out
    assert {field.name for field in fields(Graph)}.isdisjoint({"y", "test", "held_out"})
    seen = torch.cat([graph.train.nodes, graph.val.nodes])
    assert not bool(torch.isin(held_out.nodes, seen).any())
    assert graph.spec.num_nodes == 2708  # cached properties are walked too
    assert graph.fingerprint
    y = torch.from_numpy(cora_raw.y)
    in_order = y[graph.node_order]
    secret = {tuple(in_order[held_out.nodes].tolist()), tuple(y.tolist()), tuple(in_order.tolist())}
    tensors = list(_tensors(graph))
    assert len(tensors) > 10
    for tensor in tensors:
        if tensor.numel() in (held_out.nodes.numel(), graph.num_nodes):
            assert tuple(tensor.flatten().tolist()) not in secret


def test_graph_does_not_change_with_test_labels(mixed_raw: RawGraph) -> None:
    other = mixed_raw.y.copy()
    other[mixed_raw.split.test] = (other[mixed_raw.split.test] + 1) % 3
    first, second = _prepare(mixed_raw), _prepare(replace(mixed_raw, y=other))
    assert first.graph.fingerprint == second.graph.fingerprint
    assert first.held_out.fingerprint != second.held_out.fingerprint
    for one, two in zip(_tensors(first.graph), _tensors(second.graph), strict=True):
        torch.testing.assert_close(one, two)


def test_fingerprint_changes_with_everything_a_search_depends_on(mixed_raw: RawGraph) -> None:
    base = _prepare(mixed_raw).graph.fingerprint
    assert _prepare(mixed_raw).graph.fingerprint == base
    x = _dense_x(mixed_raw).copy()
    x[4, 0] += 1
    moved = _dense_x(mixed_raw).copy()
    moved[7] = np.roll(moved[7], 1)
    y = mixed_raw.y.copy()
    y[[0, 1]] = y[[1, 0]]
    nodes = np.arange(12)
    edges = np.concatenate([mixed_raw.edge_index, [[9], [10]]], axis=1)
    changed = {
        "feature": _prepare(replace(mixed_raw, x=scipy.sparse.csr_matrix(x))),
        "column": _prepare(replace(mixed_raw, x=scipy.sparse.csr_matrix(moved))),
        "label": _prepare(replace(mixed_raw, y=y)),
        "edge": _prepare(replace(mixed_raw, edge_index=edges)),
        "split": _prepare(replace(mixed_raw, split=Split(nodes[:5], nodes[5:9], nodes[9:]))),
        "buckets": _prepare(mixed_raw, BucketSettings(split_points=(0, 2))),
        "normalisation": prepare_graph(
            mixed_raw, PublicSplit().split(mixed_raw), _BUCKETS, normalize_rows=True
        ),
    }
    fingerprints = {name: data.graph.fingerprint for name, data in changed.items()}
    assert len({base, *fingerprints.values()}) == 1 + len(fingerprints), fingerprints


def test_fingerprint_changes_with_the_width_of_sparse_features(mixed_raw: RawGraph) -> None:
    x = scipy.sparse.csr_matrix(np.eye(12, dtype=np.float32))
    wider = scipy.sparse.hstack([x, scipy.sparse.csr_matrix((12, 5))]).tocsr()
    narrow_graph = _prepare(replace(mixed_raw, x=x)).graph
    wide_graph = _prepare(replace(mixed_raw, x=wider)).graph
    assert narrow_graph.features.num_features != wide_graph.features.num_features
    assert narrow_graph.fingerprint != wide_graph.fingerprint


def test_edges_and_order_of_input_do_not_change_the_fingerprint(mixed_raw: RawGraph) -> None:
    backwards = replace(mixed_raw, edge_index=mixed_raw.edge_index[:, ::-1].copy())
    assert _prepare(backwards).graph.fingerprint == _prepare(mixed_raw).graph.fingerprint


def test_features_are_stored_sparse_up_to_half_full(mixed_raw: RawGraph) -> None:
    x = np.zeros((12, 4), dtype=np.float32)
    x[:, :2] = 3
    assert isinstance(_prepare(replace(mixed_raw, x=x)).graph.features, SparseFeatures)
    x[0, 2] = 1
    dense = _prepare(replace(mixed_raw, x=x)).graph
    assert isinstance(dense.features, DenseFeatures)
    assert dense.spec.features.dense
    sparse_input = _prepare(replace(mixed_raw, x=scipy.sparse.csr_matrix(x))).graph
    torch.testing.assert_close(dense.features.values, sparse_input.features.values)


def test_feature_spec_counts_values_by_bucket(mixed_raw: RawGraph) -> None:
    x = np.zeros((12, 6), dtype=np.float32)
    x[:, 0] = 1
    x[1, :3] = 5
    x[1, 1] = 2
    graph = _prepare(replace(mixed_raw, x=x)).graph
    spec = graph.spec.features
    assert not spec.dense
    # Node 1 has the largest in-degree, so it is alone in the last bucket.
    assert graph.bucket_nodes[-1] == 1
    assert spec.bucket_values == (*graph.bucket_nodes[:-1], 3)
    assert spec.bucket_constant == (True, True, True, False)


def test_explicit_zeros_are_not_stored(mixed_raw: RawGraph) -> None:
    x = scipy.sparse.csr_matrix(np.eye(12, 40, dtype=np.float32))
    x.data[3] = 0
    graph = _prepare(replace(mixed_raw, x=x)).graph
    assert graph.features.values.numel() == 11
    assert x.nnz == 12


def test_features_of_zeros_are_refused(mixed_raw: RawGraph) -> None:
    with pytest.raises(InputError, match=r"^everything: every feature is zero[^\n]*$"):
        _prepare(replace(mixed_raw, x=np.zeros((12, 4), dtype=np.float32)))


def test_malformed_graphs_and_splits_are_refused(mixed_raw: RawGraph) -> None:
    with pytest.raises(InputError, match="edge_index"):
        _prepare(replace(mixed_raw, edge_index=np.array([[0], [12]])))
    with pytest.raises(InputError, match="disjoint"):
        _prepare(replace(mixed_raw, split=Split(*[np.arange(12)] * 3)))
    with pytest.raises(InputError, match=r"buckets\.split_points"):
        _prepare(mixed_raw, BucketSettings(split_points=(3, 3)))
    with pytest.raises(InputError, match=r"buckets\.quantiles"):
        _prepare(mixed_raw, BucketSettings(quantiles=(0.5, 2.0)))


def test_quantile_buckets_spread_the_nodes(cora_raw: RawGraph, cora: PreparedData) -> None:
    nodes = cora.graph.node_order
    split = Split(*(nodes[part].numpy() for part in (
        cora.graph.train.nodes, cora.graph.val.nodes, cora.held_out.nodes
    )))  # fmt: skip
    buckets = BucketSettings(quantiles=(0.25, 0.5, 0.75))
    graph = prepare_graph(cora_raw, split, buckets, normalize_rows=True).graph
    assert graph.split_points == (2, 3, 5)
    assert max(graph.bucket_nodes) < 0.45 * graph.num_nodes


def test_accuracy_counts_only_its_nodes() -> None:
    labelled = LabelledNodes(torch.tensor([1, 3]), torch.tensor([0, 1]))
    logits = torch.tensor([[0.0, 9.0], [5.0, 1.0], [0.0, 9.0], [5.0, 1.0]])
    assert labelled.accuracy(logits) == 0.5


def test_everything_moves_with_the_graph(cora: PreparedData) -> None:
    moved = cora.graph.to(torch.device("meta"))
    assert isinstance(moved.engine, TorchEngine)
    assert cora.graph.to(torch.device("cpu")) is cora.graph
    tensors = [t for t in _tensors(moved) if t is not moved.node_order]
    assert len(tensors) >= 9
    assert {t.device.type for t in tensors} == {"meta"}


def test_the_same_graph_with_its_nodes_in_another_order_is_another_one(
    synthetic_raw: RawGraph,
) -> None:
    split = PerClassSplit(10, num_val=80, num_test=120).split(synthetic_raw)
    first = prepare_graph(synthetic_raw, split, BucketSettings(), normalize_rows=False)
    order = first.graph.node_order.numpy()
    row = np.argsort(order)
    moved = replace(
        synthetic_raw,
        x=synthetic_raw.x[order],
        y=synthetic_raw.y[order],
        edge_index=row[synthetic_raw.edge_index],
    )
    parts = (np.sort(row[part]) for part in (split.train, split.val, split.test))
    second = prepare_graph(moved, Split(*parts), BucketSettings(), normalize_rows=False)
    assert torch.equal(first.graph.adj_t.col, second.graph.adj_t.col)
    assert first.graph.fingerprint != second.graph.fingerprint
