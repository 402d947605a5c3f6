"""Every model meets the graph in an order in which it is the model that its user wrote."""

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from nets import ARRANGED, GENERIC, TWINS
from torch import Tensor, nn
from torch_geometric import nn as pyg

from sgq_auto.errors import InputError
from sgq_auto.graphs import BucketSettings, Graph, PreparedData, RawGraph, prepare_graph
from sgq_auto.graphs.original_order import in_original_order
from sgq_auto.graphs.splits import PerClassSplit
from sgq_auto.models import AGNN, GAT, GCN
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import RangeMode, convert, in_order_of, prepare, trace_spec
from sgq_auto.quantize import plain_comparison as module
from sgq_auto.quantize.forward.plain_run import run_plain
from sgq_auto.quantize.layers.attention_based.attention import AttentionLayer

_QUIET = pytest.mark.filterwarnings("ignore::sgq_auto.quantize.GenericLayerWarning")


class EmbeddingAlone(nn.Module):
    """A learned vector for each node, and no features."""

    def __init__(self, nodes: int, features: int, classes: int) -> None:
        super().__init__()
        del features
        self.emb = nn.Embedding(nodes, 5)
        self.conv = pyg.GCNConv(5, classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        del x
        out: Tensor = self.conv(self.emb.weight, edge_index)
        return out


class EmbeddingBeside(nn.Module):
    """A learned vector for each node beside its features, looked up by number."""

    def __init__(self, nodes: int, features: int, classes: int) -> None:
        super().__init__()
        self.emb = nn.Embedding(nodes, 4)
        self.conv = pyg.SAGEConv(features + 4, classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        numbers = torch.arange(x.size(0))
        out: Tensor = self.conv(torch.cat([x, self.emb(numbers)], dim=1), edge_index)
        return out


class Encodings(nn.Module):
    """Vectors that were computed before, in a buffer."""

    def __init__(self, nodes: int, features: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("encodings", torch.randn(nodes, 3))
        self.lin = nn.Linear(features, 6)
        self.conv = pyg.GATConv(9, classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        hidden = torch.cat([self.lin(x), self.encodings], dim=1)
        out: Tensor = self.conv(hidden.relu(), edge_index)
        return out


class UnregisteredVectors(Encodings):
    """The same in a plain attribute, which no list of parameters has."""

    def __init__(self, nodes: int, features: int, classes: int) -> None:
        super().__init__(nodes, features, classes)
        encodings = self.encodings
        del self.encodings
        self.encodings = encodings  # type: ignore[assignment]


class ZeroBias(nn.Module):
    """A bias for each node that starts at zero."""

    def __init__(self, nodes: int, features: int, classes: int) -> None:
        super().__init__()
        self.conv = pyg.GCNConv(features, classes)
        self.bias = nn.Parameter(torch.zeros(nodes, 1))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        out: Tensor = self.conv(x, edge_index) + self.bias
        return out


class Neighborhoods(nn.Module):
    """A linear layer over which nodes a node is joined to: its columns are nodes."""

    def __init__(self, nodes: int, features: int, classes: int) -> None:
        super().__init__()
        self.lin = nn.Linear(nodes, 6)
        self.conv = pyg.GCNConv(features, 6)
        self.out = nn.Linear(6, classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        joined = torch.zeros(x.size(0), x.size(0)).index_put_(
            (edge_index[1], edge_index[0]), torch.ones(edge_index.size(1))
        )
        out: Tensor = self.out((self.lin(joined) + self.conv(x, edge_index)).relu())
        return out


class EdgeValues(nn.Module):
    """A learned value for each edge."""

    def __init__(self, edges: int, features: int, classes: int) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.rand(edges))
        self.lin = nn.Linear(features, classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        hidden = self.lin(x)
        messages = hidden[edge_index[0]] * self.values[:, None]
        return torch.zeros_like(hidden).index_add_(0, edge_index[1], messages)


_ROWS_ARE_NODES: dict[str, Callable[[int, int, int], nn.Module]] = {
    kind.__name__: kind
    for kind in (
        EmbeddingAlone,
        EmbeddingBeside,
        Encodings,
        UnregisteredVectors,
        ZeroBias,
        Neighborhoods,
    )
} | {"LINKX": lambda nodes, features, classes: pyg.LINKX(nodes, features, 6, classes, 2)}


def _logits(prepared: nn.Module, graph: Graph) -> Tensor:
    """What a prepared model returns, in the user's order."""
    rows = prepared(graph.features, graph.adj_t)
    logits = torch.empty_like(rows)
    logits[graph.node_order] = rows
    return logits


def _built(name: str, data: PreparedData) -> nn.Module:
    torch.manual_seed(3)
    graph = data.graph
    sizes = graph.num_nodes, graph.features.num_features, graph.num_classes
    return _ROWS_ARE_NODES[name](*sizes).eval()


@_QUIET
@pytest.mark.parametrize("name", _ROWS_ARE_NODES)
def test_a_model_with_a_row_for_each_node_is_the_plain_one(
    name: str, synthetic: PreparedData
) -> None:
    model = _built(name, synthetic)
    fitted = in_order_of(model, synthetic)
    graph = fitted.data.graph
    assert fitted.note is not None
    assert "in their own order" in fitted.note
    assert synthetic.edge_index is not None
    x = torch.empty(graph.features.shape)
    x[synthetic.graph.node_order] = synthetic.graph.features.dense()
    expected = run_plain(model, x, torch.from_numpy(synthetic.edge_index))
    prepared = prepare(model, graph)
    torch.testing.assert_close(_logits(prepared, graph), expected, atol=1e-5, rtol=1e-5)
    with pytest.raises(InputError, match="a row for each node"):
        convert(prepared, graph)


@_QUIET
@pytest.mark.parametrize("name", ["gcn-hidden", "gat-features", "own-layer", "gcn2", "pyg-gcn"])
def test_other_models_keep_the_faster_order(name: str, synthetic: PreparedData) -> None:
    graph = synthetic.graph
    model = (TWINS | GENERIC | ARRANGED)[name](graph.features.num_features, graph.num_classes)
    fitted = in_order_of(model, synthetic)
    assert fitted.data is synthetic
    assert fitted.note is None


def test_a_model_that_is_another_one_when_prepared_is_refused(synthetic: PreparedData) -> None:
    class Spy(GCN):
        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            return super().forward(x, edge_index) * (1 if type(x) is Tensor else 2)

    model = Spy(synthetic.graph.features.num_features, synthetic.graph.num_classes)
    with pytest.raises(InputError, match="Spy: prepared at 32 bits, its outputs differ"):
        in_order_of(model, synthetic)


def test_a_model_that_is_random_at_inference_is_let_through_with_a_note(
    synthetic: PreparedData,
) -> None:
    class Noisy(GCN):
        def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
            logits = super().forward(x, edge_index)
            return logits + torch.randn_like(logits)

    model = Noisy(synthetic.graph.features.num_features, synthetic.graph.num_classes)
    fitted = in_order_of(model, synthetic)
    assert fitted.data is synthetic
    assert fitted.note is not None
    assert "was not compared" in fitted.note


def test_values_of_edges_need_the_order_of_coalesce(synthetic: PreparedData) -> None:
    edges = synthetic.edge_index
    assert edges is not None
    model = EdgeValues(edges.shape[1], synthetic.graph.features.num_features, 4)
    by_source = edges[:, np.lexsort((edges[1], edges[0]))]
    fitted = in_order_of(model, replace(synthetic, edge_index=by_source))
    assert fitted.data.graph.bucket_rows is not None
    other = by_source[:, np.random.default_rng(0).permutation(by_source.shape[1])]
    with pytest.raises(InputError, match="depends on the order of the edges"):
        in_order_of(model, replace(synthetic, edge_index=other))


def test_of_many_edges_some_are_compared(
    synthetic: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_EDGES", 100)
    data = replace(synthetic, edge_index=None)
    assert in_order_of(_built("Encodings", data), data).data.graph.bucket_rows is not None
    graph = data.graph
    assert in_order_of(GAT(graph.features.num_features, graph.num_classes), data).note is None


def test_where_features_are_too_large_for_pyg_shapes_decide(
    synthetic: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_FEATURES", 100)
    fitted = in_order_of(_built("Encodings", synthetic), synthetic)
    assert fitted.data.graph.bucket_rows is not None
    graph = synthetic.graph
    plain = in_order_of(GCN(graph.features.num_features, graph.num_classes), synthetic)
    assert plain.data is synthetic
    assert plain.note is not None


@pytest.mark.sampled
@pytest.mark.parametrize("mode", RangeMode)
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("name", ["gat", "gcn", "agnn", "transformer"])
def test_bits_mean_the_same_in_both_orders(
    name: str, dense: bool, chunked: bool, mode: RangeMode, synthetic_raw: RawGraph
) -> None:
    raw = replace(synthetic_raw, x=synthetic_raw.x.toarray() + 0.5) if dense else synthetic_raw
    split = PerClassSplit(10, num_val=80, num_test=120).split(raw)
    by_bucket = prepare_graph(raw, split, BucketSettings(), normalize_rows=True).graph
    original = in_original_order(by_bucket)
    kinds = {"gat": GAT, "gcn": GCN, "agnn": AGNN, "transformer": TWINS["transformer-hidden"]}
    torch.manual_seed(0)
    model = kinds[name](by_bucket.features.num_features, by_bucket.num_classes)
    allocation = _mixed_bits(model, by_bucket)
    found = []
    for graph in (by_bucket, original):
        prepared = prepare(copy.deepcopy(model), graph, allocation, mode)
        if chunked:
            for layer in prepared.modules():
                if isinstance(layer, AttentionLayer):
                    layer.max_coefficients = 200
        logits = _logits(prepared, graph)
        weight = torch.linspace(-1, 1, logits.numel()).view_as(logits)
        (logits * weight).sum().backward()
        found.append((logits, {n: p.grad for n, p in prepared.named_parameters()}))
    (logits, gradients), (others, other_gradients) = found
    torch.testing.assert_close(logits, others, atol=1e-4, rtol=1e-4)
    assert any(gradient is not None for gradient in gradients.values())
    if mode is RangeMode.MINMAX:
        return  # Rounding errors decide whether the largest value is inside its own range.
    for parameter, gradient in gradients.items():
        if gradient is not None:
            scale = float(gradient.abs().max().clamp(min=1))
            torch.testing.assert_close(
                gradient / scale, other_gradients[parameter] / scale, atol=1e-3, rtol=1e-3
            )


def _mixed_bits(model: nn.Module, graph: Graph) -> BitAllocation:
    sites = trace_spec(prepare(model, graph), graph).sites(len(graph.bucket_nodes))
    return BitAllocation({site: (2, 3, 4, 6, 8, 32)[k % 6] for k, site in enumerate(sites)})
