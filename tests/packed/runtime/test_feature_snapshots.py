"""One fixed graph, features that change: edges are in the file, features come with a call."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import MODELS, Case, exact_logits, make_case, random_allocation, trained
from safetensors import safe_open
from torch_geometric import nn as pyg

from featured_graphs import featured_net, with_edge_features
from joined_graphs import prepared_graphs, random_graphs
from sgq_auto.graphs import RawGraph
from sgq_auto.graphs.many_graphs import largest_graph, part
from sgq_auto.graphs.many_graphs.same_edges import have_same_edges
from sgq_auto.packed import PackedModel, load, save
from sgq_auto.packed.runtime.forward_pass import Inference
from sgq_auto.packed.runtime.graphs.prediction_input import StoredInput
from sgq_auto.packed.runtime.program_execution import run_program
from sgq_auto.quantize import bind, convert, trace_spec
from weighted_graphs import WeightedNet

_LADDER = [2, 4, 8, 32]
_KINDS = ["gcn", "gat", "sage_max", "gin", "gcn2", "sparse", "weighted", "featured"]


def _snapshots(kind: str) -> list[RawGraph]:
    net = random_graphs(1, seed=3, nodes=(20, 21), weighted=kind == "weighted", sparse=False)[0]
    net = with_edge_features(net, 2) if kind == "featured" else net
    sparse = kind == "sparse"
    seen = random_graphs(9, seed=5, nodes=(20, 21), sparse=sparse)
    return [replace(net, x=raw.x, y=raw.y) for raw in seen]


def _case(kind: str, raws: list[RawGraph]) -> Case:
    graph = prepared_graphs(raws)
    if kind not in ("weighted", "featured"):
        return make_case(graph, kind if kind in MODELS else "gcn", _LADDER)
    torch.manual_seed(0)
    width = graph.features.num_features
    model: torch.nn.Module = WeightedNet(pyg.GCNConv(width, 8), pyg.GraphConv(8, 3))
    model = featured_net("gatv2", width, 3, 2) if kind == "featured" else model
    allocation = random_allocation(model, graph, _LADDER, 0)
    prepared = trained(model, graph, allocation)
    return Case(graph, prepared, allocation, convert(prepared, graph))


def _loaded(case: Case, folder: Path) -> PackedModel:
    save(case.packed, folder / "model.safetensors")
    return load(folder / "model.safetensors")


def _x(raw: RawGraph) -> np.ndarray:
    return raw.x if isinstance(raw.x, np.ndarray) else raw.x.toarray()


@pytest.mark.parametrize("kind", _KINDS)
def test_features_alone_are_predicted_on_the_graph_of_the_file(kind: str, tmp_path: Path) -> None:
    raws = _snapshots(kind)
    case = _case(kind, raws)
    model = _loaded(case, tmp_path)
    assert model.holds_graph
    assert not model.holds_features
    for number, raw in enumerate(raws):
        graph = part(case.graph, torch.tensor([number]))
        bind(case.prepared, graph)
        expected = exact_logits(case.prepared, graph).numpy()
        unit = max(1.0, np.abs(expected).max())
        found = model.predict(x=_x(raw))
        np.testing.assert_allclose(found / unit, expected / unit, atol=1e-4)
        # The same as with its edges, which other graphs may be given with.
        name = "edge_attr" if kind == "featured" else "edge_weight"
        given = {} if raw.edge_weight is None else {name: raw.edge_weight}
        whole = model.predict(x=_x(raw), edge_index=raw.edge_index, **given)
        np.testing.assert_allclose(whole / unit, expected / unit, atol=1e-4)
        np.testing.assert_allclose(
            model.predict([3], x=_x(raw)) / unit, found[[3]] / unit, atol=1e-4
        )


@pytest.mark.sampled
@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("most", [1, 45, 4096])
def test_many_times_are_predicted_at_once(
    kind: str, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sgq_auto.packed.runtime.graphs.snapshots._MOST_NODES", most)
    raws = _snapshots(kind)
    model = _loaded(_case(kind, raws), tmp_path)
    x = np.stack([_x(raw) for raw in raws])
    alone = np.stack([model.predict(x=each) for each in x])
    np.testing.assert_allclose(model.predict(x=x), alone, atol=1e-5)
    np.testing.assert_allclose(model.predict([7, 2], x=x), alone[:, [7, 2]], atol=1e-5)
    assert model.predict(x=x[:0]).shape == (0, 20, 3)


@pytest.mark.parametrize("kind", _KINDS)
def test_the_file_holds_the_edges_and_no_features(kind: str, tmp_path: Path) -> None:
    raws = _snapshots(kind)
    case = _case(kind, raws)
    model = _loaded(case, tmp_path)
    with safe_open(tmp_path / "model.safetensors", framework="np") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert "edges.high" in stored
    assert not {"features.values", "features.high", "features.bitmap"} & stored.keys()
    footprint = model.footprint()
    assert footprint.stored_bytes == sum(tensor.nbytes for tensor in stored.values())
    largest = largest_graph(trace_spec(case.prepared, case.graph), case.graph)
    assert largest.footprints.packed(case.allocation) == footprint
    assert largest.number is not None
    given = model._given(_x(raws[largest.number]), None, None)
    assert isinstance(given, StoredInput)
    inference = Inference(given.graph, given.held, model.engine, 1)
    run_program(model.parts, inference)
    specs = [layer.spec for layer in model.layers]
    edges, pattern = model.graph.edges, given.held.pattern
    arrays = [edges.high, edges.low, edges.block_starts, given.held.values.stream]
    arrays += [] if pattern is None else [pattern.block_starts, *_places(pattern)]
    arrays += [tensor for name, tensor in stored.items() if not name.startswith("edge")]
    arrays += [tensor for name, tensor in stored.items() if name == "edge_weight.scales"]
    if any(spec.attention_from_degrees for spec in specs):
        arrays.append(model.graph.degrees.stream)
    if kind == "weighted":
        arrays += [model.graph.weights.codes.stream, model.graph.weight_roots]
    if kind == "featured":
        arrays.append(model.graph.weights.codes.stream)
    held = sum(array.nbytes for array in arrays)
    assert footprint.resident_bytes == held + sum(inference.made.values())


def _places(pattern: object) -> list[np.ndarray]:
    names = ("bitmap", "high", "low")
    return [getattr(pattern, name) for name in names if hasattr(pattern, name)]


def test_features_must_be_given_for_every_node(tmp_path: Path) -> None:
    raws = _snapshots("gcn")
    model = _loaded(_case("gcn", raws), tmp_path)
    with pytest.raises(ValueError, match="this model holds no features: give x"):
        model.predict()
    with pytest.raises(ValueError, match=r"x has shape \(19, 6\); it must be \[20, 6\]"):
        model.predict(x=_x(raws[0])[1:])
    with pytest.raises(ValueError, match=r"it must be \[snapshots, 20, 6\]"):
        model.predict(x=np.zeros((2, 19, 6)))
    with pytest.raises(ValueError, match="NaN"):
        model.predict(x=np.full((2, 20, 6), np.nan))


def test_a_model_with_features_of_its_own_takes_others_too(tmp_path: Path) -> None:
    raws = _snapshots("gcn")
    fixed = replace(prepared_graphs(raws[:3]), graph_of_node=None)
    model = _loaded(make_case(fixed, "gcn", [8]), tmp_path)
    assert model.holds_features
    x = np.concatenate([_x(raw) for raw in raws[:3]])
    np.testing.assert_allclose(model.predict(x=x), model.predict(), atol=1e-5)
    other = np.concatenate([_x(raw) for raw in raws[3:6]])
    assert np.abs(model.predict(x=other) - model.predict()).max() > 1e-3


def test_a_norm_over_all_nodes_sees_one_time_alone(tmp_path: Path) -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = pyg.GCNConv(6, 8), pyg.GraphNorm(8)
            self.last = torch.nn.Linear(8, 3)

        def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.last(self.norm(self.conv(x, edge_index)).relu())
            return out

    raws = _snapshots("gcn")
    graph = prepared_graphs(raws)
    allocation = random_allocation(Net(), graph, [8], 0)
    save(convert(trained(Net(), graph, allocation), graph), tmp_path / "model.safetensors")
    model = load(tmp_path / "model.safetensors")
    assert model.program.needs_all_nodes
    x = np.stack([_x(raw) for raw in raws])
    alone = np.stack([model.predict(x=each) for each in x])
    np.testing.assert_allclose(model.predict(x=x), alone, atol=1e-5)


def test_graphs_with_the_same_edges_are_known() -> None:
    raws = _snapshots("weighted")
    graph = prepared_graphs(raws)
    assert have_same_edges(graph)
    assert not have_same_edges(part(graph, torch.tensor([0])))
    assert not have_same_edges(prepared_graphs(random_graphs(6, seed=1, nodes=(8, 9))))
    weights = raws[2].edge_weight
    assert weights is not None
    changed = [*raws[:2], replace(raws[2], edge_weight=weights * 2), *raws[3:]]
    assert not have_same_edges(prepared_graphs(changed))
    swapped = raws[1].edge_index.copy()
    swapped[swapped == 0], swapped[swapped == 1] = 99, 0
    swapped[swapped == 99] = 1
    moved = [raws[0], replace(raws[1], edge_index=swapped), *raws[2:]]
    assert not have_same_edges(prepared_graphs(moved))
