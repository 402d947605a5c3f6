"""The four memory figures: hand-computed references, known counts and properties."""

import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.models import AGNN, GAT, GCN, GIN, SAGE
from sgq_auto.packed import FeatureSpec, Footprint, FootprintModel, GraphSpec, LayerSpec, ModelSpec
from sgq_auto.packed.allocation import DEFAULT_LADDER, BitAllocation
from sgq_auto.packed.codes.bit_packing import packed_bytes
from sgq_auto.packed.runtime.layers.gin import gin_spec
from sgq_auto.packed.runtime.layers.linear import linear_spec
from sgq_auto.packed.runtime.layers.neighbor_sums import neighbor_spec
from sgq_auto.packed.sizes.buffers import inference_buffers
from sgq_auto.packed.sizes.reference_storage import PygStorage
from sgq_auto.packed.sizes.tensor_storage import PackedStorage
from sgq_auto.quantize import prepare, trace_spec

# Three nodes in two buckets, four edges and three self-loops, five stored feature values.
_GRAPH = GraphSpec(
    bucket_nodes=(2, 1),
    bucket_in_edges=(5, 2),
    bucket_out_edges=(4, 3),
    max_in_degree=2,
    features=FeatureSpec(4, False, (3, 2), (False, False)),
)
_GCN_LAYER = LayerSpec(
    name="conv1",
    in_features=4,
    weight_shape=(2, 4),
    transformed_features=2,
    heads=1,
    attention_from_degrees=True,
    vector_elements=2,
    gathered_features=2,
    source_copies=1,
    attention_copies=1,
)
_GCN = ModelSpec(
    (_GCN_LAYER, replace(_GCN_LAYER, name="conv2", in_features=2, weight_shape=(2, 2)))
)
_GAT_LAYER = replace(
    _GCN_LAYER, heads=2, attention_from_degrees=False, target_copies=1, attention_copies=3
)
_AGNN = ModelSpec(
    (
        LayerSpec("lin1", in_features=4, weight_shape=(2, 4), vector_elements=2),
        LayerSpec(
            "prop1",
            in_features=2,
            heads=1,
            normalized_features=2,
            gathered_features=2,
            source_copies=2,
            target_copies=1,
            attention_copies=2,
        ),
        LayerSpec("lin2", in_features=2, weight_shape=(2, 2), vector_elements=2),
    )
)
_SAGE = ModelSpec(
    (
        neighbor_spec("conv1", 4, 2, root_weight=True, bias=True),
        neighbor_spec("conv2", 2, 2, root_weight=False, bias=True),
    )
)
_GIN = ModelSpec(
    (
        gin_spec("conv1", 4, 2, bias=True),
        linear_spec("conv1.nn.2", 2, 2, bias=True),
    )
)
_MODELS = {
    "gcn": FootprintModel(_GCN, _GRAPH),
    "gat": FootprintModel(ModelSpec((_GAT_LAYER, _GCN.layers[1])), _GRAPH),
    "agnn": FootprintModel(_AGNN, _GRAPH),
    "sage": FootprintModel(_SAGE, _GRAPH),
    "gin": FootprintModel(_GIN, _GRAPH),
}


def _model(kind: type[nn.Module], graph: Graph) -> FootprintModel:
    plain = kind(graph.features.num_features, graph.num_classes)
    return FootprintModel(trace_spec(prepare(plain, graph), graph), graph.spec)


def test_full_precision_reference_by_hand() -> None:
    # features 48, edge_index 64; per layer W1 32 / W2 16, bias 8, XW 24, attention 28; hidden 24
    assert _MODELS["gcn"].full_precision() == Footprint(
        resident_bytes=48 + 64 + (32 + 8 + 24 + 28) + 24 + (16 + 8 + 24 + 28),
        stored_bytes=48 + 64 + 32 + 8 + 16 + 8,
        # The first transformation: everything stored, and XW.
        peak_bytes=48 + 64 + 32 + 8 + 16 + 8 + 24,
        # Layer 1: 3*4 + 3*2 + 7*2 + 7; layer 2: 3*2 + 3*2 + 7*2 + 7.
        sgquant_bytes=4 * (39 + 33),
    )


def test_sparse_fp32_reference_by_hand() -> None:
    # features 5 * 8 + 4 * 4, int32 CSR (4 + 4) * 4, GCN's coefficients once
    footprint = _MODELS["gcn"].sparse_fp32()
    assert footprint.stored_bytes == 56 + 32 + 32 + 8 + 16 + 8
    assert footprint.resident_bytes == footprint.stored_bytes + 24 + 28 + 24 + 24


def test_packed_by_hand() -> None:
    model = _MODELS["gcn"]
    allocation = BitAllocation.uniform(model.sites(), 2)
    assert model.packed_parts(allocation) == {
        # Values, a bitmap, and where each of two blocks starts.
        "features": 2 + 2 + 3 * 4,
        # The code of 4 edges among 9 places, two blocks, degrees up to 2, a bucket map.
        "graph": 2 + 3 * 4 + 1 + 1,
        "weights": 2 + 8 + 1 + 8,
        "scales": 2 * 8 * (2 + 2 + 2 + 2),
        "embedding": 3 * 2,
        "attention": 0,
    }
    footprint = model.packed(allocation)
    assert footprint.resident_bytes == 185
    assert footprint.stored_bytes == 154
    assert footprint.sgquant_bytes == 72 * 2 // 8


def test_agnn_peak_by_hand() -> None:
    # Step 0 holds all that is stored and the propagation's input, which lin1 writes.
    stored = 48 + 64 + 32 + 8 + 16 + 8
    assert _MODELS["agnn"].full_precision().peak_bytes == stored + 24


def test_sage_by_hand() -> None:
    model = _MODELS["sage"]
    # features 48, edge_index 64; W_l and W_r 32 each / W 16, bias 8, transformed neighbours 24,
    # hidden 24. Means follow from the graph: no coefficients.
    stored = 48 + 64 + (2 * 32 + 8) + (16 + 8)
    assert model.full_precision() == Footprint(
        resident_bytes=stored + 24 + 24 + 24,
        stored_bytes=stored,
        # The first propagation: everything stored, what it gathers and what it makes is counted
        # when the next layer reads it.
        peak_bytes=48 + 64 + (2 * 32 + 8) + (16 + 8) + 24,
        # Layer 1: 3*4 + 2*3*2 + 4*2; layer 2: 3*2 + 3*2 + 4*2; 4 edges without self-loops.
        sgquant_bytes=4 * (32 + 20),
    )
    parts = model.packed_parts(BitAllocation.uniform(model.sites(), 2))
    # Two bits: two weights of 8 codes and one of 4, and biases; no degrees beside the edges.
    assert (parts["weights"], parts["attention"]) == (2 + 2 + 8 + 1 + 8, 0)
    assert parts["graph"] == _MODELS["gcn"].packed_parts(_uniform("gcn", 2))["graph"] - 1
    # Two buckets of the features or the hidden embedding, two of the transformed, the channels.
    assert parts["scales"] == 8 * ((2 + 2 + 4) + (2 + 2 + 2))


def test_gin_by_hand() -> None:
    model = _MODELS["gin"]
    # W 32, bias 8, epsilon 4, transformed 24; then W 16, bias 8, input 24.
    stored = 48 + 64 + (32 + 8 + 4) + (16 + 8)
    footprint = model.full_precision()
    assert footprint.resident_bytes == stored + 24 + 24
    assert footprint.stored_bytes == stored
    # 3*4 + 3*2 + 4*2, and 3*2 + 3*2 of the linear layer.
    assert footprint.sgquant_bytes == 4 * (26 + 12)
    # Sparse features take 56, int32 CSR 32.
    assert model.sparse_fp32().resident_bytes == footprint.resident_bytes + (56 - 48) + (32 - 64)


def _uniform(name: str, bits: int) -> BitAllocation:
    return BitAllocation.uniform(_MODELS[name].sites(), bits)


def test_layers_without_coefficients_leave_those_of_others_alone() -> None:
    """The careful fp32 reference shares GCN's coefficients, wherever its first GCN layer is."""
    both = ModelSpec((_SAGE.layers[0], replace(_GCN.layers[1], name="conv2")))
    with_gcn = FootprintModel(both, _GRAPH).sparse_fp32().resident_bytes
    without = FootprintModel(_SAGE, _GRAPH).sparse_fp32().resident_bytes
    assert with_gcn == without + 28


def test_gat_on_cora_has_the_published_element_counts(cora: PreparedData) -> None:
    model = _model(GAT, cora.graph)
    assert model.sgquant_elements() == {"conv1": 6_070_004, "conv2": 417_756}
    assert model.full_precision().sgquant_bytes == 4 * (6_070_004 + 417_756)
    one_bit = BitAllocation.uniform(model.sites(), 1)
    assert model.packed(one_bit).sgquant_bytes == (6_070_004 + 417_756) // 8


@pytest.mark.parametrize("kind", [GCN, GAT, AGNN, SAGE, GIN])
def test_sites_are_every_component_of_every_layer(
    kind: type[nn.Module], synthetic: PreparedData
) -> None:
    names = {str(site) for site in _model(kind, synthetic.graph).sites()}
    buckets, weighted = range(4), ["conv1", "conv2"]
    embedded, attending = ["features", *weighted], list(weighted)
    if kind is AGNN:
        weighted, attending = ["lin1", "lin2"], ["prop1", "prop2"]
        embedded = ["features", *attending, "lin2"]
    elif kind is GIN:
        weighted = ["conv1", "conv1.nn.2", "conv2", "conv2.nn.2"]
        embedded, attending = ["features", *weighted], []
    elif kind is SAGE:
        attending = []
    assert names == {f"{layer}.weight" for layer in weighted} | {
        *(f"{layer}.embedding.{b}" for layer in embedded for b in buckets),
        *(f"{layer}.attention.{b}" for layer in attending for b in buckets),
    }


@given(st.sampled_from(sorted(_MODELS)), st.data())
@settings(max_examples=200)
def test_more_bits_at_one_site_never_take_fewer_bytes(name: str, data: st.DataObject) -> None:
    model = _MODELS[name]
    widths = st.integers(1, 16)
    allocation = BitAllocation({site: data.draw(widths) for site in model.sites()})
    site = data.draw(st.sampled_from(model.sites()))
    wider = BitAllocation({**allocation, site: data.draw(st.integers(allocation[site], 16))})
    small, large = model.packed(allocation).as_dict(), model.packed(wider).as_dict()
    assert all(small[figure] <= large[figure] for figure in small)


@given(st.sampled_from(sorted(_MODELS)), st.data())
def test_peak_and_stored_are_no_more_than_resident(name: str, data: st.DataObject) -> None:
    model = _MODELS[name]
    widths = st.sampled_from([*range(1, 17), 32])
    footprint = model.packed(BitAllocation({s: data.draw(widths) for s in model.sites()}))
    for figures in (footprint, model.full_precision(), model.sparse_fp32()):
        assert 0 < figures.peak_bytes <= figures.resident_bytes
        assert 0 < figures.stored_bytes <= figures.resident_bytes


@pytest.mark.parametrize("kind", [GCN, GAT, AGNN, SAGE, GIN])
def test_bytes_grow_along_the_ladder_on_cora(kind: type[nn.Module], cora: PreparedData) -> None:
    model = _model(kind, cora.graph)
    ladder = [model.packed(BitAllocation.uniform(model.sites(), b)) for b in DEFAULT_LADDER]
    for figure in ("resident_bytes", "stored_bytes", "peak_bytes", "sgquant_bytes"):
        sizes = [getattr(footprint, figure) for footprint in ladder]
        assert sizes == sorted(set(sizes))
        assert sizes[-1] < getattr(model.sparse_fp32(), figure)
    parts = model.packed_parts(BitAllocation.uniform(model.sites(), 4))
    assert sum(parts.values()) == ladder[3].resident_bytes


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_gcn_attention_is_free_and_gat_attention_is_not(bits: int, cora: PreparedData) -> None:
    gcn, gat = _model(GCN, cora.graph), _model(GAT, cora.graph)
    assert gcn.packed_parts(BitAllocation.uniform(gcn.sites(), bits))["attention"] == 0
    parts = gat.packed_parts(BitAllocation.uniform(gat.sites(), bits))
    edges = cora.graph.spec.num_edges_with_loops
    assert 0 <= parts["attention"] - edges * 9 * bits / 8 <= 8


def test_binary_features_cost_the_same_at_any_bits(cora: PreparedData) -> None:
    model = _model(GCN, cora.graph)
    sizes = {
        model.packed_parts(BitAllocation.uniform(model.sites(), bits))["features"]
        for bits in range(1, 17)
    }
    assert len(sizes) == 1


def test_every_buffer_lives_inside_the_inference_and_parts_add_up() -> None:
    for model in _MODELS.values():
        allocation = BitAllocation.uniform(model.sites(), 3)
        last_step = 2 * len(model.model.layers) - 1
        for storage in (PackedStorage(_GRAPH, allocation), PygStorage(_GRAPH)):
            buffers = inference_buffers(model.model, model.graph, storage)
            assert all(0 <= b.first <= b.last <= last_step for b in buffers)
            assert len({b.name for b in buffers}) == len(buffers)
        assert (
            sum(model.packed_parts(allocation).values()) == model.packed(allocation).resident_bytes
        )


def test_average_bits_weighs_by_elements() -> None:
    model = _MODELS["gcn"]
    uniform = BitAllocation.uniform(model.sites(), 5)
    assert model.average_bits(uniform) == 5
    weight = next(s for s in model.sites() if str(s) == "conv1.weight")
    # conv1: 3 * (4 + 2) + 7 + 8 elements; conv2: 3 * (2 + 2) + 7 + 4.
    elements = 33 + 23
    changed = BitAllocation({**uniform, weight: 1})
    assert model.average_bits(changed) == pytest.approx((5 * elements - 4 * 8) / elements)


def test_packed_loads_neither_torch_nor_pyg() -> None:
    code = (
        "import sys, sgq_auto.packed; "
        "print([m for m in ('torch', 'torch_geometric', 'mlflow', 'optuna') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("bits", [1, 2, 8])
def test_hidden_bits_count_codes_scales_and_bucket_map(cora: PreparedData, bits: int) -> None:
    model = _model(GCN, cora.graph)
    allocation = BitAllocation.uniform(model.sites(), bits)
    nodes = cora.graph.num_nodes
    # conv1's transformed embedding, conv2's input and conv2's transformed embedding: 16, 16 and 7.
    codes = sum(packed_bytes(n * w, bits) for n in model.graph.bucket_nodes for w in (16, 16, 7))
    scales, bucket_map = 3 * 4 * 8, packed_bytes(nodes, 2)
    expected = 8 * (codes + scales + bucket_map) / (nodes * 39)
    assert model.hidden_bits(allocation) == pytest.approx(expected)
    assert bits < expected < bits + 0.1
    assert model.hidden_bits(BitAllocation.uniform(model.sites(), 32)) < 32.1
