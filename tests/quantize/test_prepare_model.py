"""Preparing models: names, refusals, calibrated ranges and codes inside a whole model."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import GCNConv

from sgq_auto.errors import InputError
from sgq_auto.graphs import BucketSettings, Graph, PreparedData, RawGraph, prepare_graph
from sgq_auto.graphs.splits import PublicSplit
from sgq_auto.models import AGNN, GAT, GCN, GIN, SAGE
from sgq_auto.packed import FootprintModel
from sgq_auto.packed.allocation import BitAllocation, Component, Site
from sgq_auto.quantize import (
    ConstantQuantizer,
    FakeQuantizer,
    RangeMode,
    plain_state,
    prepare,
    trace_spec,
)
from sgq_auto.quantize.layers.fixed_layer import normalized_adjacency
from sgq_auto.training import predict

_KINDS = (GCN, GAT, AGNN, SAGE, GIN)


class OneLayer(nn.Module):
    """A model of one convolution."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        out: Tensor = self.conv(x, edge_index)
        return out


def _plain(kind: type[nn.Module], graph: Graph) -> nn.Module:
    torch.manual_seed(0)
    return kind(graph.features.num_features, graph.num_classes)


def _footprints(model: nn.Module, graph: Graph) -> FootprintModel:
    return FootprintModel(trace_spec(prepare(model, graph), graph), graph.spec)


def _mixed_bits(model: nn.Module, graph: Graph) -> BitAllocation:
    sites = _footprints(model, graph).sites()
    return BitAllocation({site: (1, 2, 3, 4, 6, 8)[k % 6] for k, site in enumerate(sites)})


@pytest.mark.parametrize("kind", _KINDS)
def test_weights_go_both_ways(kind: type[nn.Module], synthetic: PreparedData) -> None:
    graph = synthetic.graph
    model = _plain(kind, graph)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    prepared = prepare(model, graph, _mixed_bits(model, graph))
    assert not prepared.training
    state = plain_state(prepared, model)
    assert state.keys() == before.keys()
    for name, tensor in before.items():
        assert torch.equal(state[name], tensor)
    with torch.no_grad():
        for parameter in prepared.parameters():
            parameter.add_(1)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
    model.load_state_dict(plain_state(prepared, model))
    changed = dict(model.named_parameters())
    assert all(torch.equal(changed[name], before[name] + 1) for name in changed)


@pytest.mark.parametrize("mode", RangeMode)
@pytest.mark.parametrize("kind", _KINDS)
def test_every_scale_group_holds_at_most_2_to_the_b_values(
    kind: type[nn.Module], mode: RangeMode, cora: PreparedData
) -> None:
    graph = cora.graph
    model = _plain(kind, graph)
    prepared = prepare(model, graph, _mixed_bits(model, graph), mode)
    seen: list[str] = []

    def check(module: FakeQuantizer, _inputs: Any, out: Tensor) -> None:
        seen.append(type(module).__name__)
        assert bool(out.isfinite().all())
        ends = module.groups.ends
        sizes = ends.diff(prepend=ends.new_zeros(1)).tolist()
        for levels, part in zip(module.levels.tolist(), out.split(sizes), strict=True):
            assert part.unique().numel() <= levels + 1

    for module in prepared.modules():
        if isinstance(module, FakeQuantizer):
            module.register_forward_hook(check)
    for training in (False, True):
        prepared.train(training)
        prepared(graph.features, graph.adj_t)
    # Two passes over weights, transformed and hidden embeddings and trained attention.
    trained = {GCN: 5, GAT: 7, AGNN: 7, SAGE: 5, GIN: 9}[kind]
    assert len(seen) == 2 * trained
    constants = [m for m in prepared.modules() if isinstance(m, ConstantQuantizer)]
    assert len(constants) == (3 if kind is GCN else 1)
    fixed = (graph.features.values, normalized_adjacency(graph.adj_t))
    for module in constants:
        module(next(x for x in fixed if x.size(0) == module.groups.rows))
    assert len(seen) == 2 * trained + len(constants)


@pytest.mark.sampled
@pytest.mark.parametrize("mode", RangeMode)
@pytest.mark.parametrize("kind", _KINDS)
def test_more_bits_come_closer_to_full_precision(
    kind: type[nn.Module], mode: RangeMode, cora: PreparedData
) -> None:
    graph = cora.graph
    model = _plain(kind, graph)
    sites = _footprints(model, graph).sites()
    full = predict(prepare(model, graph), graph)
    errors = [
        float((predict(prepare(model, graph, bits, mode), graph) - full).abs().mean())
        for bits in (BitAllocation.uniform(sites, b) for b in (2, 4, 8, 16, 32))
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 10 * errors[3]
    assert errors[2] < 0.02 * float(full.abs().mean() + full.std())
    assert errors[4] < 1e-6


@pytest.mark.sampled
@pytest.mark.parametrize("mode", RangeMode)
@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("bits", [1, 2, 8, 16, 32])
def test_odd_graphs_and_empty_buckets_never_give_nan(
    kind: type[nn.Module], mode: RangeMode, bits: int, odd_raw: RawGraph
) -> None:
    split = PublicSplit().split(odd_raw)
    buckets = BucketSettings(split_points=(0, 1, 20, 30))
    graph = prepare_graph(odd_raw, split, buckets, normalize_rows=True).graph
    assert 0 in graph.bucket_nodes
    model = _plain(kind, graph)
    sites = _footprints(model, graph).sites()
    prepared = prepare(model, graph, BitAllocation.uniform(sites, bits), mode).train()
    logits = prepared(graph.features, graph.adj_t)
    logits.square().sum().backward()
    assert bool(logits.isfinite().all())
    gradients = {name: parameter.grad for name, parameter in prepared.named_parameters()}
    assert gradients
    for name, gradient in gradients.items():
        assert gradient is not None, name
        assert bool(gradient.isfinite().all()), name
    assert any(bool(gradient.any()) for gradient in gradients.values() if gradient is not None)


@pytest.mark.parametrize("kind", _KINDS)
def test_as_many_buckets_as_nodes_change_nothing_at_high_precision(
    kind: type[nn.Module], mixed_raw: RawGraph
) -> None:
    split = PublicSplit().split(mixed_raw)
    twelve = BucketSettings(split_points=tuple(range(50, 61)))
    graph = prepare_graph(mixed_raw, split, twelve, normalize_rows=False).graph
    assert len(graph.bucket_nodes) == graph.num_nodes == graph.bucket_nodes[0] == 12
    model = _plain(kind, graph)
    sites = _footprints(model, graph).sites()
    for mode in RangeMode:
        fine = predict(prepare(model, graph, BitAllocation.uniform(sites, 16), mode), graph)
        full = predict(prepare(model, graph), graph)
        torch.testing.assert_close(fine, full, atol=0.02, rtol=0.02)


def test_bits_of_one_bucket_touch_only_its_nodes(cora: PreparedData) -> None:
    graph = cora.graph
    model = OneLayer(GCNConv(graph.features.num_features, graph.num_classes))
    sites = _footprints(model, graph).sites()
    target = Site("conv", Component.EMBEDDING, 3)
    assert target in sites
    bits = BitAllocation({**BitAllocation.uniform(sites, 32), target: 1})
    seen: list[Tensor] = []
    for allocation in (None, bits):
        prepared = prepare(model, graph, allocation, RangeMode.MINMAX)
        handle = prepared.conv.transformed_quantizer.register_forward_hook(
            lambda _module, _inputs, out: seen.append(out)
        )
        prepared(graph.features, graph.adj_t)
        handle.remove()
    first_rows = graph.num_nodes - graph.bucket_nodes[3]
    torch.testing.assert_close(seen[0][:first_rows], seen[1][:first_rows])
    assert seen[1][first_rows:].unique().numel() == 2


def test_missing_bits_are_an_error(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    model = _plain(GCN, graph)
    allocation = _mixed_bits(model, graph)
    with pytest.raises(KeyError):
        prepare(model, graph, BitAllocation(dict(list(allocation.items())[:-1])))


@pytest.mark.parametrize("kind", _KINDS)
def test_layers_are_traced_in_the_order_they_run(
    kind: type[nn.Module], synthetic: PreparedData
) -> None:
    graph = synthetic.graph
    spec = trace_spec(prepare(_plain(kind, graph), graph), graph)
    names = [layer.name for layer in spec.layers]
    others = {
        AGNN: ["lin1", "prop1", "prop2", "lin2"],
        GIN: ["conv1", "conv1.nn.2", "conv2", "conv2.nn.2"],
    }
    assert names == others.get(kind, ["conv1", "conv2"])
    assert spec.layers[0].in_features == 80
    is_linear = [name[:3] == "lin" or ".nn." in name for name in names]
    assert [not layer.propagates for layer in spec.layers] == is_linear
    attention_is_free = [layer.attention_from_degrees for layer in spec.layers]
    assert all(attention_is_free) if kind is GCN else not any(attention_is_free)


def test_models_without_layers_are_refused(synthetic: PreparedData) -> None:
    with pytest.raises(InputError, match=r"^OneLayer has no layer to quantize[^\n]*GCNConv[^\n]*$"):
        prepare(OneLayer(nn.Identity()), synthetic.graph)


class Categories(nn.Module):
    """A model of graphs whose nodes have one category each."""

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(5, 8)
        self.conv = GCNConv(8, 4)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        hidden: Tensor = self.conv(self.emb(x[:, 0]), edge_index)
        return hidden


def test_a_model_that_looks_up_categories_learns_what_to_do_instead(
    synthetic: PreparedData,
) -> None:
    with pytest.raises(InputError, match=r"one-hot columns, and make it a Linear\(categories"):
        prepare(Categories(), synthetic.graph)


def test_a_layer_with_the_name_of_the_features_is_refused(synthetic: PreparedData) -> None:
    model = nn.Sequential()
    model.add_module("features", nn.Linear(3, 2))
    with pytest.raises(InputError, match=r"'features'.*rename it"):
        prepare(model, synthetic.graph)
