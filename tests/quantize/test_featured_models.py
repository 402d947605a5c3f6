"""Models that read features of edges: what PyG computes, quantized once for all layers."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg
from torch_geometric.data import Data

import sgq_auto
from featured_graphs import NETS, FeaturedNet, featured_net, with_edge_features
from sgq_auto.errors import InputError
from sgq_auto.graphs import PreparedData, RawGraph
from sgq_auto.models import GAT, GCN
from sgq_auto.packed import FootprintModel
from sgq_auto.packed.allocation import EDGE_WEIGHTS, BitAllocation, Component, Site
from sgq_auto.quantize import RangeMode, in_order_of, prepare, trace_spec
from sgq_auto.quantize.forward.model_input import ModelInput
from sgq_auto.training import FitSettings, fit, predict
from weighted_graphs import by_pyg, directed, prepared


@pytest.fixture(scope="module")
def data(synthetic_raw: RawGraph) -> PreparedData:
    """Three features an edge, the same in both directions."""
    return prepared(with_edge_features(synthetic_raw))


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("kind", ["symmetric", "of directions", "directed"])
def test_prepared_models_are_those_of_pyg(name: str, kind: str, synthetic_raw: RawGraph) -> None:
    raw = with_edge_features(synthetic_raw, symmetric=kind == "symmetric")
    data = prepared(directed(raw) if kind == "directed" else raw)
    model = featured_net(name, 80, 4)
    expected = by_pyg(model, data)
    unit = expected.abs().max().clamp(min=1)
    for graph in (data.graph, data.in_original_order().graph):
        made = predict(prepare(model, graph), graph)
        place = torch.argsort(data.graph.node_order)[graph.node_order]
        assert (made - expected[place]).abs().max() < 1e-5 * unit
    other = replace(data.graph.adj_t, weights=data.graph.adj_t.weights * 2)  # type: ignore[operator]
    changed = replace(data.graph, adj_t=other)
    assert (predict(prepare(model, changed), changed) - expected).abs().max() > 1e-3


@pytest.mark.parametrize("name", NETS)
def test_gradients_are_those_of_pyg(name: str, data: PreparedData) -> None:
    model, graph = featured_net(name, 80, 4).eval(), data.graph
    x = torch.empty(graph.num_nodes, 80)
    x[graph.node_order] = graph.features.dense()
    assert data.edge_index is not None
    assert data.edge_weight is not None
    given = torch.from_numpy(data.edge_index), torch.from_numpy(data.edge_weight)
    model(x, *given).square().sum().backward()
    made = prepare(model, graph)
    made.zero_grad()
    made(graph.features, graph.adj_t).square().sum().backward()
    found = dict(made.named_parameters(remove_duplicate=False))
    for key, parameter in model.named_parameters():
        if parameter.grad is None:  # A matrix that PyG makes and does not use.
            continue
        unit = parameter.grad.abs().max().clamp(min=1)
        assert (found[key].grad - parameter.grad).abs().max() < 1e-4 * unit, key


@pytest.mark.parametrize("name", ["gine", "gat", "gatv2", "transformer", "pna"])
def test_chunks_of_a_large_graph_give_the_same(
    name: str, data: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, model = data.graph, featured_net(name, 80, 4)

    def trained() -> tuple[Tensor, list[Tensor]]:
        made = prepare(model, graph, _uniform(model, data, 4))
        for layer in made.modules():
            if hasattr(layer, "max_coefficients"):
                layer.max_coefficients = limit
        logits = made.train()(graph.features, graph.adj_t)
        logits.square().sum().backward()
        return logits, [p.grad for p in made.parameters() if p.grad is not None]

    limit = 1 << 25
    whole, grads = trained()
    limit = 500
    for kind in ("gine", "pna"):
        monkeypatch.setattr(f"sgq_auto.quantize.layers.{kind}._CHUNK_VALUES", 2000)
    parts, others = trained()
    assert (whole - parts).abs().max() < 1e-5
    assert len(grads) == len(others)
    for one, other in zip(grads, others, strict=True):
        assert (one - other).abs().max() <= 1e-4 * one.abs().max().clamp(min=1)


def _uniform(model: nn.Module, data: PreparedData, bits: int) -> BitAllocation:
    graph = data.graph
    sites = trace_spec(prepare(model, graph), graph).sites(len(graph.bucket_nodes))
    return BitAllocation.uniform(sites, bits)


@pytest.mark.parametrize("mode", list(RangeMode))
@pytest.mark.parametrize("bits", [1, 4])
def test_features_have_as_many_values_as_codes_in_each_bucket(
    data: PreparedData, bits: int, mode: RangeMode
) -> None:
    graph, model = data.graph, featured_net("gat", 80, 4)
    made = prepare(model, graph, _uniform(model, data, bits), mode)
    weights = ModelInput.of(made).edge_weights(graph.adj_t)
    assert weights is not None
    features = weights.features(None, loops=False, dtype=torch.float64)
    assert features.shape == (graph.spec.num_edges, 3)
    for part in features.split(graph.spec.bucket_edges):
        assert part.unique().numel() <= 2**bits
    layers = [made.get_submodule(name) for name in ("conv1", "conv2")]
    assert all(layer.edge_weights is weights for layer in layers)


def test_the_sites_of_features_are_there_once_and_in_the_size(data: PreparedData) -> None:
    graph, model = data.graph, featured_net("gine", 80, 4)
    spec = trace_spec(prepare(model, graph), graph)
    buckets = range(len(graph.bucket_nodes))
    sites = [site for site in spec.sites(len(graph.bucket_nodes)) if site.layer == EDGE_WEIGHTS]
    assert sites == [Site(EDGE_WEIGHTS, Component.ATTENTION, bucket) for bucket in buckets]
    # The matrix of a layer's edges has the bits of the layer's weights.
    assert Site("conv1", Component.WEIGHT) in spec.sites(len(graph.bucket_nodes))
    footprints = FootprintModel(spec, graph.spec)
    many = BitAllocation.uniform(footprints.sites(), 8)
    few = BitAllocation({**many, **dict.fromkeys(sites, 2)})
    edges = graph.spec.bucket_edges
    assert graph.spec.weights is not None
    stored = graph.spec.weights.stored
    assert 2 * sum(stored) == sum(edges)
    for counts, figure in ((edges, "resident_bytes"), (stored, "stored_bytes")):
        more = sum(3 * n - -(-3 * n * 2 // 8) for n in counts)
        sizes = [getattr(footprints.packed(bits), figure) for bits in (many, few)]
        assert sizes[0] - sizes[1] == more
    plain = graph.spec.num_edges * 3 * 4
    parts = [footprints.full_precision().resident_bytes, footprints.sparse_fp32().resident_bytes]
    unread = FootprintModel(
        replace(spec, layers=tuple(replace(la, edge_features=0) for la in spec.layers)), graph.spec
    )
    without = [unread.full_precision().resident_bytes, unread.sparse_fp32().resident_bytes]
    assert [a - b for a, b in zip(parts, without, strict=True)] == [plain, plain]


@pytest.mark.parametrize("name", ["gine", "gat", "gatv2", "transformer", "pna"])
def test_training_reaches_the_matrix_of_edges(name: str, data: PreparedData) -> None:
    model = featured_net(name, 80, 4)
    made = prepare(model, data.graph, _uniform(model, data, 4))
    own = {"gine": "lin", "pna": "edge_encoder"}
    key = f"conv1.{own.get(name, 'lin_edge')}.weight"
    before = made.state_dict()[key].clone()
    assert model.state_dict().keys() <= made.state_dict().keys()
    fit(made, data.graph, FitSettings(epochs=2, learning_rate=0.05, weight_decay=0.0), seed=0)
    assert (made.state_dict()[key] - before).abs().max() > 1e-3


@pytest.mark.parametrize("model", [GAT, GCN])
def test_a_model_that_takes_no_features_is_given_a_graph_without(
    model: Any, data: PreparedData, synthetic_raw: RawGraph
) -> None:
    fitted = in_order_of(model(80, 4), data)
    assert fitted.unused == (
        f"{model.__name__} takes no features of edges, so those of the graph are left out; a "
        "forward pass takes them as edge_attr"
    )
    raw = replace(with_edge_features(synthetic_raw), edge_weight=None)
    plain = in_order_of(model(80, 4), prepared(raw))
    assert fitted.data.graph.fingerprint == plain.data.graph.fingerprint
    assert fitted.data.edge_weight is None
    assert in_order_of(featured_net("gine", 80, 4), data).unused is None


class _Changes(FeaturedNet):
    """Changes the features before its layers read them."""

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        return super().forward(x, edge_index, 2 * edge_attr)


class _Encodes(FeaturedNet):
    """Has a layer of its own for them, as models of molecules have."""

    def __init__(self) -> None:
        super().__init__(*NETS["gine"](80, 4, 3))
        self.encoder = nn.Linear(3, 80)

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:
        return super().forward(x, edge_index, self.encoder(edge_attr))


class _Leaves(FeaturedNet):
    """Forgets to pass them on."""

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Any = None) -> Tensor:  # noqa: ARG002
        out: Tensor = self.conv2(self.conv1(x, edge_index), edge_index)
        return out


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            featured_net("gat", 80, 4, 4),
            "conv1: it reads 4 features of each edge (edge_dim), and e",
        ),
        (featured_net("gine", 80, 4, 1), "conv1: it reads 1 feature of each edge (edge_dim), and "),
        (_Changes(*NETS["gatv2"](80, 4, 3)), "conv1: it is called with edge_attr that the model "),
        (_Encodes(), "encoder: its input has a row for each edge; quantized layers take the feat"),
        (_Leaves(*NETS["transformer"](80, 4, 3)), "conv1: it reads 3 features of each edge and i"),
        (FeaturedNet(pyg.GCNConv(80, 8), pyg.GCNConv(8, 4)), "conv1: it reads one weight of each"),
        (
            FeaturedNet(pyg.GATConv(80, 8), pyg.GATConv(8, 4)),
            "conv1: it is called with edge_attr, which",
        ),
    ],
)
def test_what_twins_do_not_take_is_one_line(
    model: nn.Module, words: str, data: PreparedData
) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*$") as caught:
        prepare(model, data.graph)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize("name", ["gine", "gat", "gatv2", "transformer", "pna"])
def test_a_graph_without_features_is_one_line(name: str, synthetic: PreparedData) -> None:
    with pytest.raises(InputError, match=r"^conv1: it reads 3 features[^\n]* without edge_attr"):
        prepare(featured_net(name, 80, 4), synthetic.graph)


def test_one_column_is_a_weight_or_a_feature(synthetic_raw: RawGraph) -> None:
    data = prepared(with_edge_features(synthetic_raw, 1))
    for model in (featured_net("gat", 80, 4, 1), featured_net("gine", 80, 4, 1)):
        made = predict(prepare(model, data.graph), data.graph)
        assert (made - by_pyg(model, data)).abs().max() < 1e-5


@pytest.mark.filterwarnings("ignore::sgq_auto.quantize.GenericLayerWarning")
@pytest.mark.parametrize("fill", ["max", torch.zeros(3)])
def test_other_features_of_self_loops_run_on_the_path_of_pyg(fill: Any, data: PreparedData) -> None:
    convs = pyg.GATConv(80, 5, edge_dim=3, fill_value=fill), pyg.GATConv(5, 4, edge_dim=3)
    model = FeaturedNet(*convs)
    made = predict(prepare(model, data.graph), data.graph)
    assert (made - by_pyg(model, data)).abs().max() < 1e-5


@pytest.mark.slow
def test_low_bits_keep_what_features_tell() -> None:
    """Edges join any classes, and one of their features says which of them tell."""
    torch.manual_seed(0)
    y, place = torch.arange(450) % 3, torch.arange(450)
    source = torch.randint(450, (2700,))
    target = (source + 1 + torch.randint(448, (2700,))) % 450
    edges = torch.stack([source, target])
    features = torch.stack([(y[source] == y[target]).float(), torch.rand(2700)], dim=1)
    x = torch.randn(450, 6) + torch.eye(6)[y]
    masks = {"train_mask": place < 150, "val_mask": (place >= 150) & (place < 240)}
    own = {"x": x, "edge_index": edges, "y": y, **masks, "test_mask": place >= 240}

    def accuracy(model: nn.Module, bits: Any, data: Data) -> float:
        made = sgq_auto.prepare(model, data, "lwq_cwq", bits)
        made.fit(epochs=60)
        return float((made.logits().argmax(1) == y)[240:].double().mean())

    torch.manual_seed(0)
    second = pyg.TransformerConv(16, 3, heads=2, concat=False, edge_dim=2)
    model = FeaturedNet(pyg.TransformerConv(6, 8, heads=2, edge_dim=2), second)
    data = Data(**own, edge_attr=features)
    full, without = accuracy(model, 32, data), accuracy(GAT(6, 3, dropout=0.0), 32, Data(**own))
    groups = sgq_auto.prepare(model, data, "lwq_cwq", 32).bits
    few = accuracy(model, {**dict.fromkeys(groups, 8), "edge_weight.attention": 2}, data)
    assert full > without + 0.1
    assert few > full - 0.02


def test_the_library_takes_features_and_says_where_they_are_left_out() -> None:
    torch.manual_seed(0)
    y, place = torch.arange(240) % 3, torch.arange(240)
    source = torch.randint(240, (900,))
    edges = torch.stack([source, (source + 1 + torch.randint(238, (900,))) % 240])
    masks = {"train_mask": place < 60, "val_mask": place // 60 == 1, "test_mask": place >= 120}
    own = {"x": torch.rand(240, 5), "edge_index": edges, "y": y, **masks}
    data = Data(**own, edge_attr=torch.rand(900, 2))
    found = sgq_auto.prepare(featured_net("gat", 5, 3, 2), data, "lwq_cwq", 8)
    assert "edge_weight.attention" in found.bits
    with pytest.warns(UserWarning, match="GAT takes no features of edges"):
        unused = sgq_auto.prepare(GAT(5, 3), data, "lwq_cwq", 8)
    assert "edge_weight.attention" not in unused.bits
