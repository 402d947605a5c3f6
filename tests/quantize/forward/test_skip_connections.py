"""What a model keeps while a layer runs is quantized: by the layer that reads it, or as a site."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from packed.cases import exact_logits, trained
from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.packed.allocation import BitAllocation, Component, Site
from sgq_auto.quantize import convert, prepare, trace_model, trace_spec
from sgq_auto.quantize.forward.model_input import ModelInput

Forward = Callable[[Any, Tensor], Tensor]


class Net(nn.Module):
    """Three linear layers of six columns, combined by a function."""

    def __init__(self, forward: Forward, features: int, classes: int) -> None:
        super().__init__()
        self.lin1, self.lin2 = nn.Linear(features, 6), nn.Linear(6, 6)
        self.lin3 = nn.Linear(6, classes)
        self.combine = forward

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        del edge_index
        return self.combine(self, x)


def _read_by_the_layer(net: Any, x: Tensor) -> Tensor:
    kept = net.lin1(x).relu()
    out: Tensor = net.lin3(net.lin2(kept) + kept)
    return out


def _read_by_no_layer(net: Any, x: Tensor) -> Tensor:
    kept = net.lin1(x)
    out: Tensor = net.lin3(net.lin2(kept.relu()) + kept)
    return out


def _two_of_one_layer(net: Any, x: Tensor) -> Tensor:
    kept = net.lin1(x)
    other = kept.tanh()
    out: Tensor = net.lin3(net.lin2(kept.relu()) + kept * other)
    return out


def _features_themselves(net: Any, x: Tensor) -> Tensor:
    out: Tensor = net.lin3(net.lin2(net.lin1(x)) + x[:, :6])
    return out


def _made_of_features(net: Any, x: Tensor) -> Tensor:
    kept = 2 * x[:, :6] + 1
    out: Tensor = net.lin3(net.lin2(net.lin1(x)) + kept)
    return out


def _added_in_place(net: Any, x: Tensor) -> Tensor:
    kept = net.lin1(x)
    kept += net.lin2(F.relu(kept))
    out: Tensor = net.lin3(kept)
    return out


def _with_dropout(net: Any, x: Tensor) -> Tensor:
    kept = F.dropout(net.lin1(x).relu(), 0.5, net.training)
    out: Tensor = net.lin3(net.lin2(kept) + kept)
    return out


def _prepared(forward: Forward, graph: Graph, bits: int) -> tuple[nn.Module, BitAllocation]:
    torch.manual_seed(0)
    model = Net(forward, graph.features.num_features, graph.num_classes)
    sites = trace_spec(prepare(model, graph), graph).sites(len(graph.bucket_nodes))
    allocation = BitAllocation.uniform(sites, bits)
    return trained(model, graph, allocation), allocation


@pytest.mark.parametrize(
    ("forward", "names"),
    [
        (_read_by_the_layer, set()),
        (_read_by_no_layer, {"lin1.skip"}),
        (_two_of_one_layer, {"lin1.skip", "lin1.skip2"}),
        (_features_themselves, set()),
        (_made_of_features, {"features.skip"}),
        (_added_in_place, {"lin1.skip"}),
        (_with_dropout, set()),
    ],
)
def test_a_site_of_its_own_where_no_layer_has_read_it(
    forward: Forward, names: set[str], synthetic: PreparedData
) -> None:
    graph = synthetic.graph
    prepared, allocation = _prepared(forward, graph, 3)
    layers = {site.layer for site in allocation}
    assert {name for name in layers if "skip" in name} == names
    packed = convert(prepared, graph)
    assert set(packed.skips) == names
    assert packed.allocation == allocation
    made = torch.from_numpy(packed.predict()).double()
    torch.testing.assert_close(made, exact_logits(prepared, graph), atol=1e-4, rtol=1e-4)


def test_it_has_as_many_values_as_its_bits_can_say(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    prepared, _ = _prepared(_read_by_no_layer, graph, 2)
    (skip,) = ModelInput.of(prepared).skips.quantizers
    seen: list[Tensor] = []
    skip.register_forward_hook(lambda _module, _inputs, out: seen.append(out))
    for training in (False, True):
        prepared.train(training)
        prepared(graph.features, graph.adj_t).sum().backward()
    assert len(seen) == 2
    for quantized in seen:
        for part in quantized.split(graph.bucket_nodes):
            assert part.unique().numel() <= 4
    gradients = [p.grad for p in skip.parameters()]
    assert gradients
    assert all(g is not None and bool(g.isfinite().all()) for g in gradients)


def test_dropout_of_what_is_kept_comes_after_its_codes(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    sums: list[Tensor] = []

    def forward(net: Any, x: Tensor) -> Tensor:
        kept = F.dropout(net.lin1(x), 0.5, net.training)
        net.lin2(kept)
        sums.append(kept * 1.0)
        out: Tensor = net.lin3(kept)
        return out

    prepared, _ = _prepared(forward, graph, 1)
    sums.clear()
    prepared.train()
    prepared(graph.features, graph.adj_t)
    for part in sums[0].split(graph.bucket_nodes):
        # Two codes, scaled up by what dropout keeps, and its zeros.
        assert part.unique().numel() <= 3


def test_a_view_that_changes_what_is_kept_is_refused(synthetic: PreparedData) -> None:
    graph = synthetic.graph

    def forward(net: Any, x: Tensor) -> Tensor:
        kept = net.lin1(x)
        kept[:, :2].mul_(0.5)
        out: Tensor = net.lin3(net.lin2(kept))
        return out

    model = Net(forward, graph.features.num_features, graph.num_classes)
    trace = trace_model(prepare(model, graph), graph)
    assert "it changes an embedding that has another view" in trace.unpackable


def test_what_is_written_into_a_kept_embedding_is_read_again(synthetic: PreparedData) -> None:
    graph = synthetic.graph

    def forward(net: Any, x: Tensor) -> Tensor:
        kept = net.lin1(x).relu()
        hidden = net.lin2(kept * 1.0)
        kept[:, 0] = 5.0
        out: Tensor = net.lin3(hidden + kept)
        return out

    model = Net(forward, graph.features.num_features, graph.num_classes).eval()
    prepared = prepare(model, graph)
    with torch.no_grad():
        expected = model(graph.features.dense(), graph.adj_t.edge_index)
        torch.testing.assert_close(prepared(graph.features, graph.adj_t), expected)
    # It is trained and measured; the packed runtime has no such operation.
    assert trace_model(prepared, graph).unpackable


def test_what_it_takes_is_said_once(synthetic: PreparedData) -> None:
    """A skip connection that shares a layer's codes costs no bytes, and keeps them longer."""
    graph = synthetic.graph
    shared, _ = _prepared(_read_by_the_layer, graph, 4)
    own, allocation = _prepared(_read_by_no_layer, graph, 4)
    of_shared, of_own = convert(shared, graph).footprint(), convert(own, graph).footprint()
    groups = sum(nodes > 0 for nodes in graph.bucket_nodes)
    codes = sum(-(-nodes * 6 * 4 // 8) for nodes in graph.bucket_nodes)
    assert of_own.resident_bytes - of_shared.resident_bytes == codes + 8 * groups
    assert Site("lin1.skip", Component.EMBEDDING, 0) in allocation
