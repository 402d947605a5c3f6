"""The fast sparse path against PyG's own ``edge_index`` path, logits and gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from torch import Tensor, nn
from torch_geometric.nn import GCNConv, GINConv, SAGEConv
from torch_geometric.transforms import NormalizeFeatures
from torch_geometric.utils import remove_self_loops

from sgq_auto.graphs import BucketSettings, Graph, PreparedData, RawGraph, prepare_graph
from sgq_auto.graphs.sources import SyntheticSource
from sgq_auto.graphs.splits import OwnOrPerClassSplit, PerClassSplit
from sgq_auto.models import AGNN, GAT, GCN, GIN, SAGE
from sgq_auto.packed import FootprintModel
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import RangeMode, prepare, trace_spec
from sgq_auto.quantize.layers.attention_based.attention import AttentionLayer

_KINDS = (GCN, GAT, AGNN, SAGE, GIN)


def _inputs(raw: RawGraph, *, normalize: bool) -> tuple[Tensor, Tensor]:
    """What a user of PyG would pass: dense features and an edge list without repeats."""
    x = raw.x.toarray() if scipy.sparse.issparse(raw.x) else raw.x
    tensor = torch.from_numpy(np.asarray(x, dtype=np.float32))
    if normalize:
        tensor = tensor / tensor.sum(1, keepdim=True).clamp(min=1)
    return tensor, torch.from_numpy(np.unique(raw.edge_index, axis=1)).long()


def _randomized(model: nn.Module) -> nn.Module:
    """Biases start at zero: random ones make a lost or doubled bias show."""
    for name, parameter in model.named_parameters():
        if any(word in name for word in ("bias", "beta", "eps")):
            nn.init.uniform_(parameter, -0.5, 0.5)
    return model.eval()


def _check(kind: Callable[[int, int], nn.Module], raw: RawGraph, *, normalize: bool) -> None:
    torch.manual_seed(0)
    split = OwnOrPerClassSplit(5, num_val=50).split(raw)
    graph = prepare_graph(raw, split, BucketSettings(), normalize_rows=normalize).graph
    model = _randomized(kind(graph.features.num_features, graph.num_classes))
    prepared = prepare(model, graph)
    order = graph.node_order

    x, edge_index = _inputs(raw, normalize=normalize)
    if any(isinstance(module, SAGEConv | GINConv) for module in model.modules()):
        # A prepared graph is simple. These layers, unlike the others, would sum over loops.
        edge_index, _ = remove_self_loops(edge_index)
    expected = model(x, edge_index)[order]
    logits = prepared(graph.features, graph.adj_t)
    _assert_close(logits, expected, 1e-5)

    labels = torch.from_numpy(raw.y)[order]
    nn.functional.cross_entropy(logits, labels).backward()
    nn.functional.cross_entropy(expected, labels).backward()
    gradients = {n: p.grad for n, p in prepared.named_parameters() if p.requires_grad}
    expected_gradients = {n: p.grad for n, p in model.named_parameters() if p.requires_grad}
    assert gradients.keys() == expected_gradients.keys()
    for name, gradient in gradients.items():
        _assert_close(gradient, expected_gradients[name], 1e-4)


def _assert_close(actual: Tensor, expected: Tensor, tolerance: float) -> None:
    """Close to rounding: sums over thousands of neighbours cancel, and are as large as that."""
    scale = max(1.0, float(expected.detach().abs().max()))
    torch.testing.assert_close(actual, expected, atol=tolerance * scale, rtol=tolerance)


@pytest.mark.sampled
@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("normalize", [False, True])
def test_odd_graphs(kind: type[nn.Module], normalize: bool, odd_raw: RawGraph) -> None:
    _check(kind, odd_raw, normalize=normalize)


@pytest.mark.parametrize("kind", _KINDS)
def test_synthetic_graph_with_dense_features(kind: type[nn.Module]) -> None:
    raw = SyntheticSource(150, 500, 20, 4, words_per_node=None).load()
    _check(kind, raw, normalize=False)


@pytest.mark.parametrize("kind", _KINDS)
def test_embedded_cora(kind: type[nn.Module], cora_raw: RawGraph) -> None:
    _check(kind, cora_raw, normalize=True)


@pytest.mark.sampled
@pytest.mark.parametrize("name", ["Cora", "CiteSeer"])
@pytest.mark.parametrize("kind", _KINDS)
def test_real_graphs(kind: type[nn.Module], name: str, real_raw: Callable[[str], RawGraph]) -> None:
    _check(kind, real_raw(name), normalize=True)


# Dense products of PyG take seconds here.
@pytest.mark.parametrize(
    "kind", [AGNN, *(pytest.param(k, marks=pytest.mark.slow) for k in (GCN, GAT, SAGE, GIN))]
)
def test_a_graph_of_many_edges(kind: type[nn.Module], real_raw: Callable[[str], RawGraph]) -> None:
    _check(kind, real_raw("Computers"), normalize=True)


@pytest.mark.parametrize("heads", [1, 3])
def test_gat_with_averaged_heads(heads: int, mixed_raw: RawGraph) -> None:
    _check(lambda f, c: GAT(f, c, heads=2, output_heads=heads), mixed_raw, normalize=False)


@pytest.mark.parametrize("options", [{}, {"aggr": "sum"}, {"root_weight": False}, {"bias": False}])
def test_sage_of_every_kind(options: dict[str, Any], odd_raw: RawGraph) -> None:
    class Sage(nn.Module):
        def __init__(self, in_features: int, num_classes: int) -> None:
            super().__init__()
            self.conv1 = SAGEConv(in_features, 5, **options)
            self.conv2 = SAGEConv(5, num_classes, **options)

        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            out: Tensor = self.conv2(self.conv1(x, edge_index).relu(), edge_index)
            return out

    _check(Sage, odd_raw, normalize=False)


@pytest.mark.parametrize("train_eps", [False, True])
def test_gin_with_epsilon_and_deep_networks(train_eps: bool, odd_raw: RawGraph) -> None:
    class Deep(nn.Module):
        def __init__(self, in_features: int, num_classes: int) -> None:
            super().__init__()
            rest = nn.Sequential(nn.ReLU(), nn.Linear(6, 6, bias=False), nn.ReLU())
            first = nn.Sequential(nn.Linear(in_features, 6), rest, nn.Linear(6, 5))
            self.conv1 = GINConv(first, eps=0.3, train_eps=train_eps)
            self.conv2 = GINConv(nn.Sequential(nn.Linear(5, num_classes, bias=False)), eps=-0.2)

        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            out: Tensor = self.conv2(self.conv1(x, edge_index).relu(), edge_index)
            return out

    _check(Deep, odd_raw, normalize=True)


def test_gcn_without_bias_and_in_nested_modules(mixed_raw: RawGraph) -> None:
    class Nested(nn.Module):
        def __init__(self, in_features: int, num_classes: int) -> None:
            super().__init__()
            self.convs = nn.ModuleList([GCNConv(in_features, 5, bias=False)])
            self.head = nn.Sequential(nn.Tanh(), nn.Linear(5, num_classes))

        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            out: Tensor = self.head(self.convs[0](x, edge_index))
            return out

    _check(Nested, mixed_raw, normalize=True)


def test_row_normalisation_is_that_of_pyg(synthetic: PreparedData, synthetic_raw: RawGraph) -> None:
    from torch_geometric.data import Data

    x = torch.from_numpy(synthetic_raw.x.toarray()).float()
    expected = NormalizeFeatures()(Data(x=x)).x[synthetic.graph.node_order]
    torch.testing.assert_close(synthetic.graph.features.dense(), expected)


_DRAWS = 800


def _train_statistics(forward: Callable[[], Tensor]) -> tuple[Tensor, Tensor]:
    torch.manual_seed(5)
    draws = torch.stack([forward() for _ in range(_DRAWS)])
    return draws.mean(0), draws.std(0)


# Many draws take long.
@pytest.mark.parametrize(
    "kind", [GCN, *(pytest.param(k, marks=pytest.mark.slow) for k in (SAGE, GIN, GAT, AGNN))]
)
def test_training_mode_drops_as_pyg_does(kind: type[nn.Module]) -> None:
    raw = SyntheticSource(25, 60, 30, 3, words_per_node=8).load()
    split = PerClassSplit(3, num_val=5).split(raw)
    graph: Graph = prepare_graph(raw, split, BucketSettings(), normalize_rows=True).graph
    torch.manual_seed(1)
    model = kind(30, 3)
    prepared = prepare(model, graph).train()
    model.train()
    x, edge_index = graph.features.dense(), graph.edge_index()
    with torch.no_grad():
        mean, spread = _train_statistics(lambda: prepared(graph.features, graph.adj_t))
        expected_mean, expected_spread = _train_statistics(lambda: model(x, edge_index))
    noise = (spread.square() + expected_spread.square()).div(_DRAWS).sqrt()
    # 75 means, each within five standard errors.
    assert float(((mean - expected_mean) / noise.clamp(min=1e-6)).abs().max()) < 5
    assert float((spread / expected_spread - 1).abs().mean()) < 0.05


@pytest.mark.parametrize("kind", [GAT, AGNN])
@pytest.mark.parametrize("mode", RangeMode)
def test_attention_in_chunks_is_attention_as_a_whole(
    kind: type[nn.Module], mode: RangeMode, synthetic: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outputs and gradients, quantized and with dropout on the hidden layer."""
    graph = synthetic.graph
    torch.manual_seed(2)
    model = kind(graph.features.num_features, graph.num_classes, dropout=0.0)
    sites = FootprintModel(trace_spec(prepare(model, graph), graph), graph.spec).sites()

    def run() -> tuple[Tensor, dict[str, Tensor]]:
        prepared = prepare(model, graph, BitAllocation.uniform(sites, 3), mode).train()
        out = prepared(graph.features, graph.adj_t)
        out.square().sum().backward()
        return out, {n: p.grad for n, p in prepared.named_parameters() if p.grad is not None}

    out, gradients = run()
    monkeypatch.setattr(AttentionLayer, "max_coefficients", 500)
    chunked, chunked_gradients = run()
    torch.testing.assert_close(chunked, out, atol=1e-5, rtol=1e-5)
    assert chunked_gradients.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(chunked_gradients[name], gradient, atol=1e-4, rtol=1e-3)


def test_dropout_of_chunks_is_the_same_in_both_passes(
    synthetic: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training in chunks recomputes them: the gradient is that of the loss that was computed."""
    graph = synthetic.graph
    torch.manual_seed(3)
    prepared = prepare(GAT(graph.features.num_features, graph.num_classes), graph).train()
    monkeypatch.setattr(AttentionLayer, "max_coefficients", 500)
    bias = prepared.conv2.att_src

    def loss() -> Tensor:
        torch.manual_seed(4)
        out: Tensor = prepared(graph.features, graph.adj_t).square().sum()
        return out

    (gradient,) = torch.autograd.grad(loss(), bias)
    direction = torch.zeros_like(bias)
    direction.flatten()[0] = 1e-2
    with torch.no_grad():
        bias += direction
        above = loss()
        bias -= 2 * direction
        below = loss()
    slope = float(above - below) / 2e-2
    assert abs(slope - float(gradient.flatten()[0])) < 0.02 * abs(slope) + 1e-2
