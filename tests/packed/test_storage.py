"""Predicted sizes against bytes that are really packed."""

import numpy as np
import pytest

from sgq_auto.allocation import BitAllocation
from sgq_auto.graphs import BucketSettings, PreparedData, SparseFeatures, prepare_graph
from sgq_auto.graphs.sources import SyntheticSource
from sgq_auto.graphs.splits import PerClassSplit
from sgq_auto.packed import FeatureSpec, GraphSpec, LayerSpec, ModelSpec, index_bits, pack_codes
from sgq_auto.packed.storage import PackedStorage

_LAYER = LayerSpec("conv1", in_features=6, weight_shape=(3, 6), transformed_features=3, heads=2)


def _storage(spec: GraphSpec, bits: int) -> PackedStorage:
    sites = ModelSpec((_LAYER,)).sites(spec.num_buckets)
    return PackedStorage(spec, BitAllocation.uniform(sites, bits))


def _sparse_spec(values: int, features: int, *, constant: bool) -> GraphSpec:
    feature_spec = FeatureSpec(features, False, (values, 0), (constant, True), max_row_values=3)
    return GraphSpec((4, 1), (9, 1), (9, 1), 3, feature_spec)


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_cora_features_take_the_bytes_of_packed_rows_and_columns(
    cora: PreparedData, bits: int
) -> None:
    features = cora.graph.features
    assert isinstance(features, SparseFeatures)
    lengths = features.pattern.rowptr.diff().numpy()
    columns = features.pattern.col.numpy()
    rows = pack_codes(lengths, index_bits(int(lengths.max())))
    indices = pack_codes(columns, index_bits(features.num_features - 1))
    assert _storage(cora.graph.spec, bits).features(_LAYER) == rows.nbytes + indices.nbytes
    assert rows.nbytes + indices.nbytes < 75_000


def test_cora_adjacency_and_order_take_the_bytes_of_packed_ones(cora: PreparedData) -> None:
    graph = cora.graph
    sources, targets = graph.edge_index().numpy()
    lengths = np.bincount(targets, minlength=graph.num_nodes)
    rows = pack_codes(lengths, index_bits(int(lengths.max())))
    node_bits = index_bits(graph.num_nodes - 1)
    storage = _storage(graph.spec, 4)
    assert storage.graph() == rows.nbytes + pack_codes(sources, node_bits).nbytes
    assert storage.node_order() == pack_codes(graph.node_order.numpy(), node_bits).nbytes


@pytest.mark.parametrize("bits", [1, 3, 6, 8, 13, 16])
def test_embedding_and_attention_take_the_bytes_of_packed_buckets(
    cora: PreparedData, bits: int
) -> None:
    spec = cora.graph.spec
    storage = _storage(spec, bits)

    def packed(counts: tuple[int, ...], width: int) -> int:
        return sum(pack_codes(np.zeros((n, width), dtype=int), bits).nbytes for n in counts)

    assert storage.embedding(_LAYER, 7) == packed(spec.bucket_nodes, 7)
    assert storage.attention(_LAYER, first=True) == packed(spec.bucket_in_edges, 2)
    assert storage.weight(_LAYER) == pack_codes(np.zeros(18, dtype=int), bits).nbytes


def test_full_precision_takes_four_bytes_and_no_scale(cora: PreparedData) -> None:
    storage = _storage(cora.graph.spec, 32)
    assert storage.embedding(_LAYER, 7) == 2708 * 7 * 4
    assert storage.weight(_LAYER) == 18 * 4
    assert storage.scales(_LAYER) == 0


def test_scales_are_eight_bytes_a_group_that_holds_something() -> None:
    # Input and transformed embedding: bucket 0 and 1 each; attention: the same; 3 output channels.
    assert _storage(_sparse_spec(5, 6, constant=False), 4).scales(_LAYER) == (4 + 2 + 3) * 8
    empty = GraphSpec((4, 0), (9, 0), (9, 0), 3, FeatureSpec(6, True, (24, 0), (False, True), 6))
    assert _storage(empty, 4).scales(_LAYER) == (2 + 1 + 3) * 8


def test_sparse_features_take_the_smaller_index() -> None:
    # 5 nodes: row lengths 10 bits; 5 columns of 3 bits; the bitmap has 5 x 6 bits.
    assert _storage(_sparse_spec(5, 6, constant=False), 4).features(_LAYER) == 3 + 2 + 2
    # 12 columns of 3 bits take 5 bytes; the bitmap still 4.
    assert _storage(_sparse_spec(12, 6, constant=False), 4).features(_LAYER) == 6 + 4


def test_equal_values_need_no_codes_unless_they_stay_full_precision() -> None:
    spec = _sparse_spec(5, 6, constant=True)
    sizes = [_storage(spec, bits).features(_LAYER) for bits in range(1, 17)]
    assert sizes == [4] * 16
    assert _storage(spec, 32).features(_LAYER) == 5 * 4 + 4


def test_dense_features_are_codes_alone() -> None:
    raw = SyntheticSource(90, 200, 6, 3, words_per_node=None).load()
    split = PerClassSplit(5, num_val=20).split(raw)
    graph = prepare_graph(raw, split, BucketSettings(), normalize_rows=False).graph
    expected = sum(
        pack_codes(np.zeros(n * 6, dtype=int), 3).nbytes for n in graph.spec.bucket_nodes
    )
    assert graph.spec.features.dense
    assert _storage(graph.spec, 3).features(_LAYER) == expected


def test_one_occupied_bucket_needs_no_node_order() -> None:
    spec = GraphSpec((5, 0), (9, 0), (9, 0), 3, FeatureSpec(6, True, (30, 0), (False, True), 6))
    assert _storage(spec, 4).node_order() == 0
