"""The packed runtime computes what the fake-quantized model does, in the bytes that were said."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agreement import always_neighborhoods
from cases import (
    HOPS,
    MODELS,
    Case,
    exact_logits,
    held_bytes,
    make_case,
    random_allocation,
    trained,
)
from torch import Tensor, nn
from torch_geometric.nn import GINConv, SAGEConv

from sgq_auto.graphs import BucketSettings, Graph, PreparedData, RawGraph, Split, prepare_graph
from sgq_auto.packed import load, save
from sgq_auto.packed.artifact.tensor_shapes import tensors_of
from sgq_auto.packed.backends import Engine, NumpyEngine, fastest_engine
from sgq_auto.packed.runtime.forward_pass import Inference
from sgq_auto.packed.runtime.graphs.packed_graph import PackedGraph
from sgq_auto.packed.runtime.program_execution import run_program
from sgq_auto.quantize import convert

_ENGINES: list[Engine] = [NumpyEngine(), fastest_engine()]
_LADDERS = [[1, 2, 3, 4, 6, 8], [2, 5, 7, 11, 16, 32]]
_REAL = [
    *("Cora", "CiteSeer"),
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("PubMed", "Computers")),
]
_MODELS = list(MODELS)
# What gathers or transforms a thousand features a node takes seconds in PyG's layers, too.
_WIDE = {"pna", "sage_many", "sage_project", "sage_max", "gin_sums"}
_NARROW = [model for model in _MODELS if model not in _WIDE]


def _check(case: Case, path: Path) -> None:
    """Invariants 1 and 2, for every engine."""
    save(case.packed, path)
    loaded = load(path)
    expected = exact_logits(case.prepared, case.graph).numpy()
    footprint = loaded.footprint()
    assert loaded.allocation == case.allocation
    assert footprint == loaded.footprints.packed(case.allocation)
    assert footprint.stored_bytes == sum(t.nbytes for t in tensors_of(loaded).values())
    held = held_bytes(loaded)
    for engine in _ENGINES:
        inference = Inference(loaded.graph, loaded.features, engine)
        logits = run_program(loaded.parts, inference)
        assert footprint.resident_bytes == held + sum(inference.made.values())
        assert np.abs(logits - expected).max() < 1e-4
        # The same class, but for two that have the same logit.
        chosen = np.take_along_axis(expected, logits.argmax(1)[:, None], axis=1)[:, 0]
        np.testing.assert_allclose(chosen, expected.max(axis=1), atol=1e-9)


@pytest.mark.sampled
@pytest.mark.parametrize("model", _MODELS)
@pytest.mark.parametrize("ladder", _LADDERS)
def test_synthetic_graph(
    model: str, ladder: list[int], synthetic: PreparedData, tmp_path: Path
) -> None:
    _check(make_case(synthetic.graph, model, ladder), tmp_path / "model.safetensors")


@pytest.mark.sampled
@pytest.mark.parametrize("model", _MODELS)
@pytest.mark.parametrize("ladder", _LADDERS)
def test_dense_features(model: str, ladder: list[int], dense: PreparedData, tmp_path: Path) -> None:
    _check(make_case(dense.graph, model, ladder), tmp_path / "model.safetensors")


@pytest.mark.sampled
@pytest.mark.parametrize("model", _MODELS)
def test_odd_graphs(model: str, odd_raw: RawGraph, tmp_path: Path) -> None:
    assert odd_raw.split is not None
    graph = prepare_graph(
        odd_raw, odd_raw.split, BucketSettings((1, 2)), normalize_rows=False
    ).graph
    _check(make_case(graph, model, [1, 3, 8, 32]), tmp_path / "model.safetensors")


class _Variants(nn.Module):
    """GraphSAGE and GIN as they are not in the models: sums, no root weight, fixed epsilon."""

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        self.conv1 = GINConv(nn.Sequential(nn.Linear(in_features, 5, bias=False)), eps=0.25)
        self.conv2 = SAGEConv(5, 6, aggr="sum")
        network = nn.Sequential(nn.Linear(6, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 5)))
        self.conv3 = GINConv(network, eps=-0.5, train_eps=True)
        self.conv4 = SAGEConv(5, num_classes, root_weight=False, bias=False)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = nn.functional.elu(self.conv1(x, edge_index))
        x = self.conv3(self.conv2(x, edge_index).relu(), edge_index)
        out: Tensor = self.conv4(x, edge_index)
        return out


@pytest.mark.sampled
@pytest.mark.parametrize("ladder", _LADDERS)
def test_variants_of_sage_and_gin(ladder: list[int], odd_raw: RawGraph, tmp_path: Path) -> None:
    assert odd_raw.split is not None
    graph = prepare_graph(odd_raw, odd_raw.split, BucketSettings((1,)), normalize_rows=True).graph
    plain = _Variants(graph.features.num_features, graph.num_classes)
    allocation = random_allocation(plain, graph, ladder, 0)
    prepared = trained(plain, graph, allocation)
    case = Case(graph, prepared, allocation, convert(prepared, graph))
    _check(case, tmp_path / "model.safetensors")
    nodes = [3, 0, 11]
    np.testing.assert_allclose(case.packed.predict(nodes), case.packed.predict()[nodes], atol=1e-5)


@pytest.mark.sampled
@pytest.mark.parametrize("model", _NARROW)
@pytest.mark.parametrize("name", _REAL)
def test_real_graphs(
    model: str, name: str, real_graph: Callable[[str], PreparedData], tmp_path: Path
) -> None:
    _check(make_case(real_graph(name).graph, model, _LADDERS[0]), tmp_path / "model.safetensors")


@pytest.mark.parametrize("model", _MODELS)
def test_training_and_packed_forward_agree_but_for_ties(
    model: str, small_case: Callable[[str], Case]
) -> None:
    # fp32 sums may put a value on the border of two codes to the other side.
    case = small_case(model)
    logits = np.empty_like(case.packed.predict())
    logits[case.graph.node_order] = (
        case.prepared(case.graph.features, case.graph.adj_t).detach().numpy()
    )
    assert (logits.argmax(1) == case.packed.predict().argmax(1)).mean() > 0.98


@pytest.mark.sampled
@pytest.mark.parametrize("engine", _ENGINES)
@pytest.mark.parametrize("model", _MODELS)
def test_some_nodes_get_the_logits_that_they_get_among_all(
    model: str, engine: Engine, small_case: Callable[[str], Case]
) -> None:
    packed = replace(small_case(model).packed, engine=engine)
    nodes = [7, 0, 299, 7]
    np.testing.assert_allclose(packed.predict(nodes), packed.predict()[nodes], atol=1e-6)
    assert packed.predict([]).shape == (0, 4)


@pytest.mark.parametrize("model", _NARROW)
def test_only_the_neighborhood_of_some_nodes_is_computed(
    model: str, cora: PreparedData, cora_raw: RawGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = make_case(cora.graph, model, [2, 4]).packed
    computed: list[PackedGraph] = []

    def watched(graph: PackedGraph, *rest: Any) -> Inference:
        computed.append(graph)
        return Inference(graph, *rest)

    monkeypatch.setattr("sgq_auto.packed.runtime.packed_model.Inference", watched)
    nodes = [0, 1000, 2707]
    with always_neighborhoods():
        logits = packed.predict(nodes)
    # The edges into whatever fewer hops reach, and the nodes at both of their ends.
    source, target = np.unique(cora_raw.edge_index, axis=1)
    reached, needed = np.isin(np.arange(2708), nodes), np.zeros(source.size, dtype=bool)
    for _ in range(HOPS.get(model, 2)):
        needed = reached[target]
        reached[source[needed]] = True
    (small,) = computed
    assert (small.spec.num_nodes, small.spec.num_edges) == (reached.sum(), needed.sum())
    # More hops reach more of the graph, but the outermost nodes bring no edges.
    share = 0.05 if model not in HOPS else 0.9
    assert small.spec.num_nodes < share * packed.num_nodes
    assert small.spec.num_edges < share * packed.graph.spec.num_edges
    np.testing.assert_allclose(logits, packed.predict()[nodes], atol=1e-6)


@pytest.mark.parametrize("model", _MODELS)
def test_threads_change_nothing(model: str, small_case: Callable[[str], Case]) -> None:
    packed = small_case(model).packed
    np.testing.assert_array_equal(packed.predict(threads=3), packed.predict())


@pytest.mark.parametrize("model", _MODELS)
def test_the_same_graph_given_anew_gets_the_same_logits(
    model: str, small_case: Callable[[str], Case], synthetic_raw: RawGraph
) -> None:
    packed = small_case(model).packed
    again = packed.predict(x=synthetic_raw.x.toarray(), edge_index=synthetic_raw.edge_index)
    np.testing.assert_allclose(again, packed.predict(), atol=1e-6)


@pytest.mark.parametrize("model", _MODELS)
def test_new_graphs_are_quantized_by_the_stored_ranges(
    model: str, small_case: Callable[[str], Case], synthetic_raw: RawGraph
) -> None:
    packed, raw = small_case(model).packed, synthetic_raw
    inside = (raw.edge_index < 50).all(axis=0)
    part = packed.predict(x=raw.x[:50].toarray(), edge_index=raw.edge_index[:, inside])
    assert part.shape == (50, 4)
    assert np.isfinite(part).all()
    alone = packed.predict(x=raw.x[:1].toarray(), edge_index=np.empty((2, 0), dtype=np.int64))
    assert np.isfinite(alone).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nodes": [300]}, "node 300 is unknown; the 300 nodes are 0 to 299"),
        ({"nodes": [-1]}, "node -1 is unknown"),
        ({"nodes": [0.5]}, "list of integers"),
        ({"threads": 0}, "threads=0"),
        ({"x": np.zeros((3, 80))}, r"x has shape \(3, 80\); it must be \[300, 80\]"),
        ({"x": np.zeros((3, 79)), "edge_index": np.zeros((2, 0), int)}, r"must be \[nodes, 80\]"),
        ({"x": np.zeros((3, 80)), "edge_index": np.zeros((3, 1), int)}, r"must be \[2, edges\]"),
        ({"x": np.zeros((3, 80)), "edge_index": np.array([[0], [3]])}, "node 3 is unknown"),
        ({"x": np.full((3, 80), np.nan), "edge_index": np.zeros((2, 0), int)}, "NaN"),
    ],
)
def test_bad_requests_are_refused(
    arguments: dict[str, object], message: str, small_case: Callable[[str], Case]
) -> None:
    with pytest.raises(ValueError, match=message):
        small_case("gcn").packed.predict(**arguments)  # type: ignore[arg-type]


def test_one_bucket(mixed_raw: RawGraph, tmp_path: Path) -> None:
    assert isinstance(mixed_raw.split, Split)
    data = prepare_graph(mixed_raw, mixed_raw.split, BucketSettings(()), normalize_rows=True)
    graph: Graph = data.graph
    _check(make_case(graph, "gat", [2, 4]), tmp_path / "model.safetensors")
