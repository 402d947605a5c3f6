"""Sizes of models that are no chain, by hand: inputs, what is carried, shared layers, hops."""

from dataclasses import replace

import pytest

from sgq_auto.packed import FeatureSpec, FootprintModel, GraphSpec, LayerSpec, ModelSpec
from sgq_auto.packed.allocation import BitAllocation, Site
from sgq_auto.packed.runtime.layers.attention_based.transformer import transformer_spec
from sgq_auto.packed.runtime.layers.linear import linear_spec
from sgq_auto.packed.runtime.layers.multi_hop.appnp import appnp_spec
from sgq_auto.packed.runtime.layers.multi_hop.sgc import sgc_spec
from sgq_auto.packed.sizes.buffers import inference_buffers
from sgq_auto.packed.sizes.data_flow import Carried, DataFlow
from sgq_auto.packed.sizes.reference_storage import PygStorage
from sgq_auto.packed.sizes.tensor_storage import PackedStorage
from sgq_auto.quantize.layers.generic import generic_spec

# Eight nodes in one bucket, 16 edges and 8 self-loops, two dense features.
_GRAPH = GraphSpec((8,), (24,), (24,), 3, FeatureSpec(2, True, (16,), (False,)))
_LIN = linear_spec("lin1", 2, 4, bias=False)
_HIDDEN = replace(_LIN, name="lin2", in_features=4, weight_shape=(4, 4))


def _model(layers: tuple[LayerSpec, ...], flow: DataFlow | None = None) -> FootprintModel:
    return FootprintModel(ModelSpec(layers, flow), _GRAPH)


def _buffers(model: FootprintModel, bits: int = 4) -> dict[str, tuple[int, int, int]]:
    allocation = BitAllocation.uniform(model.sites(), bits)
    return {
        b.name: (b.num_bytes, b.first, b.last)
        for b in inference_buffers(model.model, model.graph, PackedStorage(_GRAPH, allocation))
    }


def test_a_chain_is_what_a_model_is_by_default() -> None:
    layers = (_LIN, _HIDDEN)
    assert _buffers(_model(layers)) == _buffers(_model(layers, DataFlow((None, 1))))


def test_what_is_carried_past_a_layer_is_fp32() -> None:
    flow = DataFlow((None, 1), carried=(Carried(8 * 4 * 4, 1, 2, True),), vector_elements=5)
    plain, residual = _model((_LIN, _HIDDEN)), _model((_LIN, _HIDDEN), flow)
    buffers = _buffers(residual)
    # From the end of lin1 to the end of lin2.
    assert buffers["carried.0"] == (128, 0, 2)
    assert buffers["outside.vectors"] == (20, 0, 3)
    allocation = BitAllocation.uniform(plain.sites(), 4)
    grown = residual.packed(allocation).resident_bytes - plain.packed(allocation).resident_bytes
    assert grown == 128 + 20
    # In PyG the residual and lin2's input are one tensor.
    full = residual.full_precision().resident_bytes - plain.full_precision().resident_bytes
    assert full == 20
    own = replace(flow, carried=(Carried(128, 1, 2, False),))
    assert _model((_LIN, _HIDDEN), own).full_precision().resident_bytes == (
        plain.full_precision().resident_bytes + 148
    )


def test_layers_that_read_one_tensor_have_codes_each() -> None:
    again = replace(_HIDDEN, name="lin3")
    flow = DataFlow((None, 1, 1), shared=frozenset({2}))
    model = _model((_LIN, _HIDDEN, again), flow)
    buffers = _buffers(model)
    assert buffers["lin2.input"] == (16, 0, 2)
    assert buffers["lin3.input"] == (16, 0, 4)
    fp32 = {b.name for b in inference_buffers(model.model, model.graph, PygStorage(_GRAPH))}
    assert "lin2.input" in fp32
    assert "lin3.input" not in fp32


def test_features_are_held_until_they_were_last_read() -> None:
    second = replace(_LIN, name="lin3")
    flow = DataFlow((None, 1, None))
    assert _buffers(_model((_LIN, _HIDDEN, second), flow))["features"][2] == 4
    flow = DataFlow((None, 1), feature_reads=2)
    assert _buffers(_model((_LIN, _HIDDEN), flow))["features"][2] == 2
    # Without a layer that reads them, and a first one that reads what was made of them.
    flow = DataFlow((0, 1), feature_reads=0)
    model = _model((_LIN, _HIDDEN), flow)
    assert _buffers(model)["features"][2] == 0
    assert Site("lin1", next(iter(model.sites())).component, 0) in model.sites()


def test_a_layer_that_runs_twice_is_stored_once() -> None:
    model = _model((_LIN, _HIDDEN, _HIDDEN))
    once = _model((_LIN, _HIDDEN))
    assert model.sites() == once.sites()
    allocation = BitAllocation.uniform(once.sites(), 4)
    assert model.packed(allocation).stored_bytes == once.packed(allocation).stored_bytes
    assert _buffers(model)["lin2.2.input"] == (16, 2, 4)


@pytest.mark.parametrize("hops", [1, 2, 3, 7])
def test_two_embeddings_are_enough_for_any_number_of_hops(hops: int) -> None:
    sgc, appnp = sgc_spec("conv", 2, 4, hops=hops, bias=True), appnp_spec("prop", 4, hops=hops)
    buffers = _buffers(_model((sgc, appnp)))
    # conv's transformed embedding is one of the two; the input of prop is read by every hop.
    assert buffers.get("conv.hops", (0,))[0] == 16 * min(hops - 1, 1)
    assert buffers.get("prop.hops", (0,))[0] == 16 * min(hops - 1, 2)
    assert (sgc.hops, appnp.hops, _LIN.hops) == (hops, hops, 0)


def test_hops_have_ranges_of_their_own() -> None:
    sgc, appnp = sgc_spec("conv", 2, 4, hops=3, bias=True), appnp_spec("prop", 4, hops=3)
    buffers = _buffers(_model((sgc, appnp)))
    assert buffers["conv.hops"] == (16, 1, 1)
    # Features, transformed, two hops, adjacency, four output channels.
    assert buffers["conv.scales"][0] == 8 * (1 + 1 + 2 + 1 + 4)
    assert buffers["prop.hops"] == (2 * 16, 3, 3)
    assert "conv.attention" not in buffers
    # conv: input, output, three gathers along 24 edges and a coefficient an edge.
    elements = _model((sgc, appnp)).sgquant_elements()
    assert elements["conv"] == 8 * 2 + 8 * 4 + 3 * 24 * 4 + 24
    assert elements["prop"] == 8 * 4 + 3 * 24 * 4 + 24


def test_a_transformer_attends_to_neighbours_alone() -> None:
    model = _model((transformer_spec("conv", 2, 3, 2, concat=True, bias=True),))
    buffers = _buffers(model, bits=8)
    assert buffers["conv.attention"][0] == 16 * 2
    assert buffers["conv.transformed"][0] == 8 * 18
    assert buffers["conv.weight"] == (24 * 2, 0, 1)
    assert buffers["features"][2] == 1
    # Queries, keys, values and skip; q_i, k_j and v_j along 16 edges; two coefficients a head.
    assert model.sgquant_elements()["conv"] == 8 * 2 + 8 * 24 + 16 * 6 * 3 + 16 * 2 * 2


def test_any_other_layer_counts_inputs_and_parameters() -> None:
    spec = generic_spec("conv", 6, [(3, 5), (2, 7)], further_inputs=1, vector_elements=4)
    model = _model((_LIN, spec), DataFlow((None, 1)))
    buffers = _buffers(model)
    assert buffers["conv.input"] == (24, 0, 3)
    assert buffers["conv.weight"] == (8 + 7, 0, 3)
    assert buffers["conv.vectors"] == (16, 0, 3)
    # Two inputs and five rows of weights.
    assert buffers["conv.scales"][0] == 8 * (2 + 5)
    assert "conv.attention" not in buffers
    assert model.average_bits(BitAllocation.uniform(model.sites(), 4)) == 4
