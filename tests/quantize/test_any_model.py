"""Models that nobody wrote a configuration for: agreement with PyG, codes, and clear refusals."""

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from nets import ARRANGED, GENERIC, TWINS, FromData, NetBuilder, OneLayer
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric import nn as pyg
from torch_geometric.data import Data
from torch_geometric.utils import dropout_edge

from sgq_auto.errors import InputError
from sgq_auto.graphs import BucketSettings, Graph, PreparedData, RawGraph, prepare_graph
from sgq_auto.graphs.splits import PublicSplit
from sgq_auto.packed import FootprintModel
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import (
    FakeQuantizer,
    GenericLayerWarning,
    RangeMode,
    convert,
    generic_layers,
    plain_state,
    prepare,
    trace_model,
    trace_spec,
    unpackable_reason,
)
from sgq_auto.quantize.forward.skip_connections import SkipQuantizer
from sgq_auto.quantize.quantized_layer import QuantizedLayer
from sgq_auto.training import FitSettings, fit, predict

_ALL = TWINS | GENERIC | ARRANGED
_QUIET = pytest.mark.filterwarnings("ignore::sgq_auto.quantize.GenericLayerWarning")


def _net(make: NetBuilder, graph: Graph) -> nn.Module:
    torch.manual_seed(0)
    model = make(graph.features.num_features, graph.num_classes)
    for name, parameter in model.named_parameters():
        if "bias" in name:  # A bias that is lost or counted twice shows.
            nn.init.uniform_(parameter, -0.5, 0.5)
    for name, buffer in model.named_buffers():
        if "running" in name:
            nn.init.uniform_(buffer, 0.5, 1.5)
    return model.eval()


def _mixed_bits(model: nn.Module, graph: Graph) -> BitAllocation:
    sites = trace_spec(prepare(model, graph), graph).sites(len(graph.bucket_nodes))
    return BitAllocation({site: (1, 2, 3, 4, 6, 8)[k % 6] for k, site in enumerate(sites)})


def _agree(model: nn.Module, graph: Graph) -> None:
    prepared = prepare(model, graph)
    logits = prepared(graph.features, graph.adj_t)
    # In fp64: of a variance PyG itself loses more digits than are compared.
    model, x = copy.deepcopy(model).double(), graph.features.dense().double()
    inputs = [x] if isinstance(model, nn.Sequential) else [x, graph.edge_index()]
    expected = model(*inputs).float()
    unit = max(1.0, float(expected.detach().abs().max()))
    torch.testing.assert_close(logits / unit, expected / unit, atol=1e-5, rtol=1e-5)
    weight = torch.linspace(-1, 1, logits.numel()).view_as(logits)
    (logits * weight).sum().backward()
    (expected * weight).sum().backward()
    own, theirs = (
        {n: p.grad.float() / unit for n, p in m.named_parameters() if p.grad is not None}
        for m in (prepared, model)
    )
    assert own.keys() == theirs.keys()
    for name, gradient in own.items():
        atol = 1e-4 * max(1.0, float(theirs[name].abs().max()))
        torch.testing.assert_close(gradient, theirs[name], atol=atol, rtol=1e-4)


@_QUIET
@pytest.mark.parametrize("name", _ALL)
def test_every_layer_and_arrangement_agrees_with_pyg(name: str, synthetic: PreparedData) -> None:
    _agree(_net(_ALL[name], synthetic.graph), synthetic.graph)


@pytest.mark.sampled
@_QUIET
@pytest.mark.parametrize("name", [*TWINS, "appnp", "residual-sage"])
def test_odd_graphs_agree_too(name: str, odd_raw: RawGraph) -> None:
    split = PublicSplit().split(odd_raw)
    graph = prepare_graph(odd_raw, split, BucketSettings((0, 1)), normalize_rows=True).graph
    _agree(_net(_ALL[name], graph), graph)


@pytest.mark.sampled
@_QUIET
@pytest.mark.parametrize("mode", RangeMode)
@pytest.mark.parametrize("name", _ALL)
def test_every_scale_group_holds_at_most_2_to_the_b_values(
    name: str, mode: RangeMode, synthetic: PreparedData
) -> None:
    graph = synthetic.graph
    model = _net(_ALL[name], graph)
    allocation = _mixed_bits(model, graph)
    prepared = prepare(model, graph, allocation, mode)
    seen: set[str] = set()

    def check(module: FakeQuantizer, _inputs: Any, out: Tensor) -> None:
        seen.add(names[module])
        assert bool(out.isfinite().all())
        ends = module.groups.ends
        sizes = ends.diff(prepend=ends.new_zeros(1)).tolist()
        for levels, part in zip(module.levels.tolist(), out.split(sizes), strict=True):
            assert part.unique().numel() <= levels + 1

    names = {m: n for n, m in prepared.named_modules() if isinstance(m, FakeQuantizer)}
    fixed = [n for n in names.values() if "fixed" in n or "_sgq" in n or "attention" in n]
    for module in names:
        module.register_forward_hook(check)
    for training in (False, True):
        prepared.train(training)
        prepared(graph.features, graph.adj_t).sum().backward()
    # What never changes was quantized when the model was prepared.
    assert set(names.values()) - set(fixed) <= seen
    used = {site.layer for site in allocation} - {"features"}
    layers = [m for m in prepared.modules() if isinstance(m, QuantizedLayer | SkipQuantizer)]
    assert used <= {la.name for la in layers if names.keys() & set(la.modules())}


@pytest.mark.sampled
@_QUIET
@pytest.mark.parametrize("name", _ALL)
def test_weights_go_both_ways(name: str, synthetic: PreparedData) -> None:
    graph = synthetic.graph
    model = _net(_ALL[name], graph)
    prepared = prepare(model, graph, _mixed_bits(model, graph))
    fit(prepared, graph, FitSettings(2, 0.05, 0.0), seed=0)
    state = plain_state(prepared, model)
    assert state.keys() == model.state_dict().keys()
    assert any(not torch.equal(state[n], t) for n, t in model.state_dict().items())
    model.load_state_dict(state)
    full = predict(prepare(model, graph), graph)
    again = predict(prepare(model, graph), graph)
    assert torch.equal(full, again)


@_QUIET
@pytest.mark.parametrize("name", ["residual-sage", "jumping-gat", "raw-features", "shared"])
def test_more_bits_come_closer_to_full_precision(name: str, synthetic: PreparedData) -> None:
    graph = synthetic.graph
    model = _net(_ALL[name], graph)
    sites = FootprintModel(trace_spec(prepare(model, graph), graph), graph.spec).sites()
    full = predict(prepare(model, graph), graph)
    errors = [
        float((predict(prepare(model, graph, bits), graph) - full).abs().mean())
        for bits in (BitAllocation.uniform(sites, b) for b in (2, 4, 8, 16, 32))
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[4] < 1e-6


@_QUIET
@pytest.mark.parametrize("name", TWINS | GENERIC)
def test_only_what_no_twin_covers_runs_on_pygs_path(name: str, synthetic: PreparedData) -> None:
    said = generic_layers(prepare(_net(_ALL[name], synthetic.graph), synthetic.graph))
    assert (said is not None) == (name in GENERIC)


@pytest.mark.parametrize("name", ["pyg-gcn", "pyg-gat", "pyg-gin", "pyg-sage", "pyg-pna"])
def test_pygs_basic_models_have_twins_alone(name: str, synthetic: PreparedData) -> None:
    assert generic_layers(prepare(_net(_ALL[name], synthetic.graph), synthetic.graph)) is None


def test_one_warning_names_the_layers_without_twin(synthetic: PreparedData) -> None:
    with pytest.warns(GenericLayerWarning) as caught:
        prepare(_net(GENERIC["gcn2-no-loops"], synthetic.graph), synthetic.graph)
    (warning,) = caught
    for k in range(2):
        assert f"convs.{k} (GCN2Conv)" in str(warning.message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepare(_net(TWINS["gatv2-hidden"], synthetic.graph), synthetic.graph)


def test_a_model_that_takes_data_and_returns_log_softmax(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    model = _net(FromData, graph)
    prepared = prepare(model, graph)
    expected = model(Data(x=graph.features.dense(), edge_index=graph.edge_index()))
    torch.testing.assert_close(predict(prepared, graph), expected, atol=1e-5, rtol=1e-5)
    # It is packed with the logits before the softmax, which tell the same.
    packed = convert(prepared, graph).predict()
    rows = torch.from_numpy(packed)[graph.node_order]
    torch.testing.assert_close(rows.log_softmax(1), expected, atol=1e-4, rtol=1e-4)


class WithIdleLayer(nn.Module):
    """Has a layer that its forward pass leaves out, and may leave out all."""

    def __init__(self, runs: bool = True) -> None:
        super().__init__()
        self.idle = pyg.GCNConv(80, 4)
        self.lin = nn.Linear(80, 4)
        self.runs = runs

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        del edge_index
        out: Tensor = self.lin(x) if self.runs else x[:, :4]
        return out


def test_a_layer_that_never_runs_has_no_site(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    model = _net(lambda _features, _classes: WithIdleLayer(), graph)
    allocation = _mixed_bits(model, graph)
    assert {site.layer for site in allocation} == {"features", "lin"}
    prepared = prepare(model, graph, allocation)
    assert plain_state(prepared, model).keys() == model.state_dict().keys()
    convert(prepared, graph)


class ChangesEdges(nn.Module):
    """Drops edges by itself."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        edge_index, _ = dropout_edge(edge_index, p=0.5, training=True)
        out: Tensor = self.conv(x, edge_index)
        return out


class WithWeights(ChangesEdges):
    """Gives its edges weights."""

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        weights = torch.ones(edge_index.size(1))
        out: Tensor = self.conv(x, edge_index, edge_weight=weights)
        return out


@_QUIET
def test_a_layer_on_pygs_path_takes_changed_edges(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    prepared = prepare(ChangesEdges(pyg.GraphConv(80, 4, aggr="softmax")), graph)
    assert not torch.equal(predict(prepared, graph), predict(prepared, graph))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (ChangesEdges(pyg.GCNConv(80, 4)), "conv: the model changes edge_index"),
        (ChangesEdges(pyg.SAGEConv(80, 4)), "conv: the model changes edge_index"),
        (WithWeights(pyg.GCNConv(80, 4)), "conv: it is called with edge_weight"),
        (WithWeights(pyg.GraphConv(80, 4)), "conv: it is called with edge_weight"),
        (pyg.GCNConv(80, 4), "GCNConv is a layer"),
        (WithIdleLayer(runs=False), "runs none of its layers"),
        (OneLayer(80, pyg.GCNConv(7, 4)), "OneLayer fails on the graph"),
        (OneLayer(80, pyg.GCNConv(-1, 4)), "in_channels=-1"),
        (nn.Sequential(nn.Flatten(0), nn.Linear(24000, 4)), "one row for each of the 300 nodes"),
    ],
)
def test_what_cannot_be_prepared_is_one_line(
    model: nn.Module, said: str, synthetic: PreparedData
) -> None:
    with pytest.raises(InputError) as caught:
        prepare(model, synthetic.graph)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@_QUIET
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (ARRANGED["pyg-gcn-lstm"], "LSTM jk.lstm (transpose) after convs.1"),
        (ARRANGED["shared"], "conv: it runs 2 times"),
        (ARRANGED["agnn-features"], "AGNN"),
        (GENERIC["pna-deep"], "conv: PNAConv with post_layers=2 cannot be packed"),
        (GENERIC["own-layer"], "conv: OwnLayer cannot be packed"),
        (GENERIC["graph"], "conv: GraphConv with aggr='median' cannot be packed"),
        (GENERIC["sage-softmax"], "conv: SAGEConv with aggr='softmax' cannot be packed"),
        (GENERIC["sage-backwards"], "conv: SAGEConv with flow='target_to_source' cannot be packed"),
        (GENERIC["gcn-improved"], "conv: GCNConv with improved=True cannot be packed"),
        (GENERIC["gin-mean"], "conv: GINConv with aggr='mean' cannot be packed"),
    ],
)
def test_what_cannot_be_packed_is_one_line(
    make: Callable[[int, int], nn.Module], said: str, synthetic: PreparedData
) -> None:
    graph = synthetic.graph
    prepared = prepare(_net(make, graph), graph)
    reason = unpackable_reason(trace_model(prepared, graph))
    assert reason is not None
    assert said in reason
    assert "\n" not in reason
    with pytest.raises(InputError, match="cannot pack"):
        convert(prepared, graph)


def test_functional_dropout_is_dropout_after_quantization(synthetic: PreparedData) -> None:
    """``F.dropout`` and ``nn.Dropout`` are the same to a quantized model, also for settings."""

    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lin1 = nn.Linear(80, 6)
            self.lin2 = nn.Linear(6, 4)

        def forward(self, x: Tensor) -> Tensor:
            x = functional.dropout(x, 0.5, self.training)
            x = functional.dropout(self.lin1(x), 0.5, self.training)
            out: Tensor = self.lin2(x)
            return out

    graph = synthetic.graph
    torch.manual_seed(0)
    plain = Functional()
    modules = nn.Sequential(nn.Dropout(0.5), plain.lin1, nn.Dropout(0.5), plain.lin2)
    out = []
    for model in (plain, modules):
        prepared = prepare(model, graph)
        fit(prepared, graph, FitSettings(3, 0.05, 0.0, dropout=0.3), seed=1)
        out.append(predict(prepared, graph))
    assert torch.equal(*out)
