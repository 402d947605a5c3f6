"""Predicted sizes against bytes that are really packed."""

import numpy as np
import pytest

from sgq_auto.graphs import BucketSettings, PreparedData, SparseFeatures, prepare_graph
from sgq_auto.graphs.sources import SyntheticSource
from sgq_auto.graphs.splits import PerClassSplit
from sgq_auto.packed import FeatureSpec, GraphSpec, LayerSpec, ModelSpec, index_bits, pack_codes
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.packed.codes.elias_fano import EliasFano
from sgq_auto.packed.sizes.tensor_storage import PackedStorage

_LAYER = LayerSpec("conv1", in_features=6, weight_shape=(3, 6), transformed_features=3, heads=2)


def _storage(spec: GraphSpec, bits: int) -> PackedStorage:
    sites = ModelSpec((_LAYER,)).sites(spec.num_buckets)
    return PackedStorage(spec, BitAllocation.uniform(sites, bits))


def _sparse_spec(values: int, features: int, *, constant: bool) -> GraphSpec:
    feature_spec = FeatureSpec(features, False, (values, 0), (constant, True))
    return GraphSpec((4, 1), (9, 1), (9, 1), 3, feature_spec)


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_cora_features_take_the_bytes_of_their_code(cora: PreparedData, bits: int) -> None:
    features = cora.graph.features
    assert isinstance(features, SparseFeatures)
    rows, columns = features.pattern.row.numpy(), features.pattern.col.numpy()
    positions = rows.astype(np.int64) * features.num_features + columns
    layout = EliasFano(positions.size, cora.graph.num_nodes * features.num_features)
    code = layout.encode_parts([positions])
    size = sum(part.nbytes for part in code)
    assert _storage(cora.graph.spec, bits).features() == size
    # 8.2 bits a word; an index of the column alone would take 11.
    assert size * 8 / positions.size < 8.3


def test_cora_adjacency_takes_the_bytes_of_its_code_and_half_of_them_on_disk(
    cora: PreparedData,
) -> None:
    graph = cora.graph
    sources, targets = graph.edge_index().numpy()
    nodes = graph.num_nodes
    both = np.sort(targets * nodes + sources)
    lower = sources < targets
    half = np.sort(targets[lower] * (targets[lower] - 1) // 2 + sources[lower])
    assert half.size * 2 == both.size
    storage = _storage(graph.spec, 4)
    for positions, universe, size in (
        (both, nodes**2, storage.graph()),
        (half, nodes * (nodes - 1) // 2, storage.stored_graph()),
    ):
        code = EliasFano(positions.size, universe).encode_parts([positions])
        assert sum(part.nbytes for part in code) == size
    lengths = np.bincount(targets, minlength=nodes)
    assert storage.degrees() == pack_codes(lengths, index_bits(int(lengths.max()))).nbytes
    assert storage.bucket_map() == pack_codes(np.zeros(nodes, dtype=int), 2).nbytes


@pytest.mark.parametrize("bits", [1, 3, 6, 8, 13, 16])
def test_embedding_and_attention_take_the_bytes_of_packed_buckets(
    cora: PreparedData, bits: int
) -> None:
    spec = cora.graph.spec
    storage = _storage(spec, bits)

    def packed(counts: tuple[int, ...], width: int) -> int:
        return sum(pack_codes(np.zeros((n, width), dtype=int), bits).nbytes for n in counts)

    assert storage.embedding(_LAYER.name, 7) == packed(spec.bucket_nodes, 7)
    assert storage.attention(_LAYER, first=True) == packed(spec.bucket_in_edges, 2)
    assert storage.weight(_LAYER) == pack_codes(np.zeros(18, dtype=int), bits).nbytes


def test_full_precision_takes_four_bytes_and_no_scale(cora: PreparedData) -> None:
    storage = _storage(cora.graph.spec, 32)
    assert storage.embedding(_LAYER.name, 7) == 2708 * 7 * 4
    assert storage.weight(_LAYER) == 18 * 4
    assert storage.scales(_LAYER, reads_features=True) == 0


def test_scales_are_eight_bytes_a_group_that_holds_something() -> None:
    # Input and transformed embedding: bucket 0 and 1 each; attention: the same; 3 output channels.
    storage = _storage(_sparse_spec(5, 6, constant=False), 4)
    for reads_features in (True, False):
        assert storage.scales(_LAYER, reads_features=reads_features) == (4 + 2 + 3) * 8
    empty = GraphSpec((4, 0), (9, 0), (9, 0), 3, FeatureSpec(6, True, (24, 0), (False, True)))
    assert _storage(empty, 4).scales(_LAYER, reads_features=False) == (2 + 1 + 3) * 8


def test_sparse_features_take_the_smaller_index() -> None:
    # 5 nodes of 6 features: 5 values, 2 low bits each, and a bitmap of 5 + 29 // 4 bits.
    assert _storage(_sparse_spec(5, 6, constant=False), 4).features() == 3 + 2 + 2
    # 12 values would take 1 low bit each and a bitmap of 26; one bit an entry is less.
    assert _storage(_sparse_spec(12, 6, constant=False), 4).features() == 6 + 4


def test_equal_values_need_no_codes_unless_they_stay_full_precision() -> None:
    spec = _sparse_spec(5, 6, constant=True)
    sizes = [_storage(spec, bits).features() for bits in range(1, 17)]
    assert len(set(sizes)) == 1
    assert _storage(spec, 32).features() == 5 * 4 + sizes[0]


def test_dense_features_are_codes_alone() -> None:
    raw = SyntheticSource(90, 200, 6, 3, words_per_node=None).load()
    split = PerClassSplit(5, num_val=20).split(raw)
    graph = prepare_graph(raw, split, BucketSettings(), normalize_rows=False).graph
    expected = sum(
        pack_codes(np.zeros(n * 6, dtype=int), 3).nbytes for n in graph.spec.bucket_nodes
    )
    assert graph.spec.features.dense
    assert _storage(graph.spec, 3).features() == expected


def test_one_occupied_bucket_needs_no_map() -> None:
    spec = GraphSpec((5, 0), (9, 0), (9, 0), 3, FeatureSpec(6, True, (30, 0), (False, True)))
    assert _storage(spec, 4).bucket_map() == 0
