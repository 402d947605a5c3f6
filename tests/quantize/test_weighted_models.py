"""Models that read weights of edges: what PyG computes, quantized once for all layers."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg
from torch_geometric.data import Data

import sgq_auto
from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph, PreparedData, RawGraph
from sgq_auto.models import GAT, GCN, GIN, SAGE
from sgq_auto.packed import FootprintModel
from sgq_auto.packed.allocation import EDGE_WEIGHTS, BitAllocation, Component, Site
from sgq_auto.quantize import RangeMode, in_order_of, prepare, trace_spec
from sgq_auto.quantize.forward.forward_signature import Role, Signature
from sgq_auto.quantize.forward.model_input import ModelInput
from sgq_auto.training import predict
from weighted_graphs import WeightedNet, by_pyg, prepared, weighted_net, with_weights

_QUIET = pytest.mark.filterwarnings("ignore::sgq_auto.quantize.GenericLayerWarning")


@pytest.fixture(scope="module")
def data(synthetic_raw: RawGraph) -> PreparedData:
    """Symmetric weights."""
    return prepared(with_weights(synthetic_raw))


def uniform(model: nn.Module, graph: Graph, bits: int) -> BitAllocation:
    sites = trace_spec(prepare(model, graph), graph).sites(len(graph.bucket_nodes))
    return BitAllocation.uniform(sites, bits)


class Appnp(nn.Module):
    """Predicts, then propagates; reads the graph as one object."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.lin, self.prop = nn.Linear(features, classes), pyg.APPNP(3, 0.1)

    def forward(self, data: Any) -> Tensor:
        out: Tensor = self.prop(self.lin(data.x), data.edge_index, data.edge_weight)
        return out


@_QUIET
@pytest.mark.parametrize("name", ["gcn", "graph_conv", "mixed", "sgc", "tag", "appnp", "models"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_prepared_models_are_those_of_pyg(
    name: str, symmetric: bool, synthetic_raw: RawGraph
) -> None:
    data = prepared(with_weights(synthetic_raw, symmetric=symmetric))
    sizes = data.graph.features.num_features, data.graph.num_classes
    nets = {"appnp": Appnp(*sizes), "models": GCN(*sizes)}
    model = nets[name] if name in nets else weighted_net(name, *sizes)
    expected = by_pyg(model, data)
    for graph in (data.graph, data.in_original_order().graph):
        made = predict(prepare(model, graph), graph)
        place = torch.argsort(data.graph.node_order)[graph.node_order]
        assert (made - expected[place]).abs().max() < 1e-5
    unweighted = replace(data.graph, adj_t=replace(data.graph.adj_t, weights=None))
    plain = predict(prepare(model, unweighted), unweighted)
    assert (plain - expected).abs().max() > 1e-3


class OfColumn(WeightedNet):
    """Makes a vector of a column of edge features, as people do."""

    def __init__(self, way: str) -> None:
        super().__init__(pyg.GCNConv(80, 6), pyg.GraphConv(6, 4))
        self.way = way

    def forward(self, x: Tensor, edge_index: Tensor, edge_attr: Tensor) -> Tensor:  # type: ignore[override]
        ways = {
            "view": lambda: edge_attr.view(-1),
            "squeeze": lambda: edge_attr.squeeze(-1),
            "flatten": lambda: torch.flatten(edge_attr.float()),
            "index": lambda: edge_attr[:, 0],
            "reshape": lambda: edge_attr.reshape(edge_attr.size(0)),
        }
        return super().forward(x, edge_index, ways[self.way]())


@pytest.mark.parametrize("way", ["view", "squeeze", "flatten", "index", "reshape"])
def test_a_column_of_edge_features_may_be_made_a_vector(way: str, synthetic_raw: RawGraph) -> None:
    raw = with_weights(synthetic_raw)
    assert raw.edge_weight is not None
    data = prepared(replace(raw, edge_weight=raw.edge_weight[:, None]))
    model = OfColumn(way)
    made = predict(prepare(model, data.graph), data.graph)
    assert (made - by_pyg(model, data)).abs().max() < 1e-5


@pytest.mark.parametrize("mode", list(RangeMode))
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_weights_have_as_many_values_as_codes_in_each_bucket(
    data: PreparedData, bits: int, mode: RangeMode
) -> None:
    graph = data.graph
    model = weighted_net("mixed", 80, 4)
    made = prepare(model, graph, uniform(model, graph, bits), mode)
    weights = ModelInput.of(made).edge_weights(graph.adj_t)
    assert weights is not None
    edges = weights.values[graph.adj_t.row != graph.adj_t.col]
    for part in edges.split(graph.spec.bucket_edges):
        assert part.unique().numel() <= 2**bits
    layers = [made.get_submodule(name) for name in ("conv1", "conv2")]
    assert all(layer.edge_weights is weights for layer in layers)
    assert all(w.min() >= 0 for w in (edges, weights.normalized))


def test_the_sites_of_weights_are_there_once_and_in_the_size(data: PreparedData) -> None:
    graph, model = data.graph, weighted_net("gcn", 80, 4)
    spec = trace_spec(prepare(model, graph), graph)
    sites = [site for site in spec.sites(len(graph.bucket_nodes)) if site.layer == EDGE_WEIGHTS]
    buckets = range(len(graph.bucket_nodes))
    assert sites == [Site(EDGE_WEIGHTS, Component.ATTENTION, bucket) for bucket in buckets]
    footprints = FootprintModel(spec, graph.spec)
    few, many = (BitAllocation.uniform(footprints.sites(), 8) for _ in range(2))
    few = BitAllocation({**few, **dict.fromkeys(sites, 2)})
    edges, stored = graph.spec.bucket_edges, graph.spec.weights
    assert stored is not None
    assert stored.symmetric
    assert 2 * sum(stored.stored) == sum(edges)
    more = sum(n - -(-n * 2 // 8) for n in edges)
    assert footprints.packed(many).resident_bytes - footprints.packed(few).resident_bytes == more
    held = sum(n - -(-n * 2 // 8) for n in stored.stored)
    assert footprints.packed(many).stored_bytes - footprints.packed(few).stored_bytes == held
    plain = replace(graph, adj_t=replace(graph.adj_t, weights=None))
    without = FootprintModel(trace_spec(prepare(model, plain), plain), plain.spec)
    assert footprints.full_precision().resident_bytes == (
        without.full_precision().resident_bytes + 4 * sum(edges)
    )
    # Careful code keeps the coefficients alone.
    careful = footprints.sparse_fp32().resident_bytes
    assert careful == without.sparse_fp32().resident_bytes


@pytest.mark.parametrize("model", [GAT, GIN, SAGE])
def test_a_model_that_takes_no_weights_says_so(model: Any, data: PreparedData) -> None:
    graph = data.graph
    plain = model(graph.features.num_features, graph.num_classes)
    fitted = in_order_of(plain, data)
    assert fitted.unused == (
        f"{model.__name__} takes no weights of edges, so those of the graph are not used; a "
        "forward pass takes them as edge_weight"
    )
    assert not any(s.layer == EDGE_WEIGHTS for s in uniform(plain, graph, 8))
    assert in_order_of(GCN(80, 4), data).unused is None


class ChangesWeights(WeightedNet):
    """Gives its second layer weights of its own."""

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        assert edge_weight is not None
        hidden = self.conv1(x, edge_index, edge_weight)
        out: Tensor = self.conv2(hidden, edge_index, 2 * edge_weight)
        return out


class WithAndWithout(WeightedNet):
    """Runs one layer with weights, then without."""

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        out: Tensor = self.conv2(self.conv1(x, edge_index, edge_weight), edge_index)
        return self.conv2(out, edge_index, edge_weight) if out.size(1) == 80 else out


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (ChangesWeights(pyg.GCNConv(80, 4), pyg.GCNConv(4, 4)), "conv2: it is called with edge_w"),
        (WithAndWithout(pyg.GCNConv(80, 80), pyg.GCNConv(80, 80)), "conv2: it is called with and"),
    ],
)
def test_what_twins_do_not_take_is_one_line(
    model: nn.Module, words: str, data: PreparedData
) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*$") as caught:
        prepare(model, data.graph)
    assert str(caught.value).startswith(words)


def test_weights_below_0_are_for_layers_without_roots(synthetic_raw: RawGraph) -> None:
    data = prepared(with_weights(synthetic_raw, low=-1))
    model = weighted_net("graph_conv", 80, 4)
    assert (
        predict(prepare(model, data.graph), data.graph) - by_pyg(model, data)
    ).abs().max() < 1e-5
    for name in ("gcn", "sgc"):
        with pytest.raises(InputError, match="conv1: a weight of an edge is below 0"):
            prepare(weighted_net(name, 80, 4), data.graph)


class Named(nn.Module):
    """Has a layer that is called as the weights of edges are."""

    def __init__(self) -> None:
        super().__init__()
        self.edge_weight = nn.Linear(80, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.edge_weight(x)
        return out


def test_a_layer_may_be_called_as_weights_are_where_there_are_none(
    data: PreparedData, synthetic: PreparedData
) -> None:
    with pytest.raises(InputError, match="a layer is called 'edge_weight'"):
        prepare(Named(), data.graph)
    prepare(Named(), synthetic.graph)


def test_weights_go_to_one_argument() -> None:
    def forward(self: Any, x: Any, edge_index: Any, edge_attr: Any = None) -> None: ...

    net = type("Net", (nn.Module,), {"forward": forward})()
    assert Signature.of(net).optional == {"edge_attr": Role.EDGE_FEATURES}
    of_edges = {"edge_weight": Role.WEIGHTS, "edge_attr": Role.EDGE_FEATURES}
    taken = {**of_edges, "batch": Role.BATCH}
    assert Signature.of(pyg.GCN(4, 4, 2, 2)).optional == taken
    x, edges, weights = torch.ones(2, 4), torch.zeros(2, 1, dtype=torch.long), torch.ones(1)
    given = Signature.of(pyg.GCN(4, 4, 2, 2)).arguments(x, edges, weights, weights)
    assert list(given[1]) == ["edge_weight"]
    featured = Signature.of(pyg.GCN(4, 4, 2, 2)).arguments(x, edges, None, torch.ones(1, 2))
    assert list(featured[1]) == ["edge_attr"]
    assert not Signature.of(pyg.GCN(4, 4, 2, 2)).arguments(x, edges)[1]


def _data(**changes: Any) -> Data:
    torch.manual_seed(0)
    y = torch.arange(240) % 3
    source = torch.randint(240, (900,))
    edges = torch.stack([source, (source + 1 + torch.randint(238, (900,))) % 240])
    data = Data(x=torch.rand(240, 5) + torch.eye(5)[y], edge_index=edges, y=y, **changes)
    place = torch.arange(240)
    data.train_mask, data.val_mask, data.test_mask = place < 60, (place // 60) == 1, place >= 120
    return data


def test_the_library_takes_weights_and_says_where_they_are_not_used() -> None:
    data = _data(edge_weight=torch.rand(900) + 0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = sgq_auto.prepare(GCN(5, 3), data, "lwq_cwq", 8)
    assert "edge_weight.attention" in found.bits
    with pytest.warns(UserWarning, match="GIN takes no weights of edges"):
        unused = sgq_auto.prepare(GIN(5, 3), data, "lwq_cwq", 8)
    assert "edge_weight.attention" not in unused.bits


def test_low_bits_keep_what_weights_tell() -> None:
    """Edges join any classes, and weights say which of them tell."""
    rng = np.random.default_rng(0)
    y = np.arange(600) % 3
    source, target = rng.integers(600, size=(2, 3600))
    source, target = source[source != target], target[source != target]
    weights = np.where(y[source] == y[target], 2.0, 0.1) * rng.uniform(0.7, 1.3, source.size)
    both = np.stack([np.append(source, target), np.append(target, source)])
    x = rng.normal(size=(600, 6)) + 0.6 * np.eye(6)[y]
    arrays = {"x": x.astype(np.float32), "edge_index": both, "y": y}
    fields: dict[str, Any] = {k: torch.from_numpy(v) for k, v in arrays.items()}
    place = torch.arange(600)
    for name, part in (("train", place < 90), ("val", (place >= 90) & (place < 180))):
        fields[f"{name}_mask"] = part
    fields["test_mask"] = place >= 180
    held = torch.from_numpy(np.append(weights, weights).astype(np.float32))

    def accuracy(bits: Any, **more: Any) -> float:
        torch.manual_seed(0)
        made = sgq_auto.prepare(GCN(6, 3, dropout=0.0), Data(**fields, **more), "lwq_cwq", bits)
        made.fit(epochs=60)
        right = made.logits().argmax(1) == fields["y"]
        return float(right[180:].double().mean())

    full, without = accuracy(32, edge_weight=held), accuracy(32)
    groups = sgq_auto.prepare(GCN(6, 3), Data(**fields, edge_weight=held), "lwq_cwq", 32).bits
    few = accuracy({**dict.fromkeys(groups, 8), "edge_weight.attention": 4}, edge_weight=held)
    assert full > without + 0.1
    assert few > full - 0.01
