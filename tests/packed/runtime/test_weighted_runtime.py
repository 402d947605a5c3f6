"""The packed runtime on weighted edges: what fake quantization computes, in the bytes said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from agreement import always_neighborhoods
from cases import exact_logits, held_bytes, random_allocation, trained

from sgq_auto.graphs import BucketSettings, Graph, PreparedData, RawGraph
from sgq_auto.models import SAGE
from sgq_auto.packed import PackedModel, load, save
from sgq_auto.packed.artifact.tensor_shapes import tensors_of
from sgq_auto.packed.backends import NumpyEngine, fastest_engine
from sgq_auto.packed.runtime.forward_pass import Inference
from sgq_auto.packed.runtime.program_execution import run_program
from sgq_auto.quantize import convert
from weighted_graphs import prepared, weighted_net, with_weights

_ENGINES = [NumpyEngine(), fastest_engine()]
_LADDERS = [[1, 2, 3, 4, 6, 8], [2, 5, 7, 11, 16, 32]]
_NETS = ["gcn", "graph_conv", "mixed", "sgc", "appnp", "gcn2"]


def packed(graph: Graph, net: str, ladder: list[int], path: Path) -> tuple[PackedModel, np.ndarray]:
    """A trained model, through its file, and its fake-quantized logits in fp64."""
    # Other seeds have a node whose two largest logits are equal in fp32.
    torch.manual_seed(1)
    plain = weighted_net(net, graph.features.num_features, graph.num_classes)
    allocation = random_allocation(plain, graph, ladder, seed=0)
    made = trained(plain, graph, allocation)
    save(convert(made, graph), path)
    loaded = load(path)
    assert loaded.allocation == allocation
    assert loaded.footprint() == loaded.footprints.packed(allocation)
    return loaded, exact_logits(made, graph).numpy()


@pytest.fixture(scope="module", params=["symmetric", "directed", "one bucket", "undirected edges"])
def data(request: pytest.FixtureRequest, synthetic_raw: RawGraph) -> PreparedData:
    """Weights of each kind that a graph may have."""
    # The last one: every edge goes both ways, with a weight for each direction.
    raw = with_weights(synthetic_raw, symmetric=request.param in ("symmetric", "one bucket"))
    if request.param == "directed":
        first = raw.edge_index[0] < raw.edge_index[1]
        assert raw.edge_weight is not None
        raw = replace(raw, edge_index=raw.edge_index[:, first], edge_weight=raw.edge_weight[first])
    buckets = BucketSettings(split_points=()) if request.param == "one bucket" else None
    return prepared(raw, buckets)


@pytest.mark.sampled
@pytest.mark.parametrize("net", _NETS)
@pytest.mark.parametrize("ladder", _LADDERS)
def test_bytes_and_logits_are_those_of_training(
    net: str, ladder: list[int], data: PreparedData, tmp_path: Path
) -> None:
    model, expected = packed(data.graph, net, ladder, tmp_path / "model.safetensors")
    footprint = model.footprint()
    assert footprint.stored_bytes == sum(t.nbytes for t in tensors_of(model).values())
    held = held_bytes(model)
    for engine in _ENGINES:
        inference = Inference(model.graph, model.features, engine)
        logits = run_program(model.parts, inference)
        assert footprint.resident_bytes == held + sum(inference.made.values())
        assert np.abs(logits - expected).max() < 1e-4
        np.testing.assert_array_equal(logits.argmax(1), expected.argmax(1))


@pytest.mark.sampled
@pytest.mark.parametrize("net", _NETS)
def test_the_same_graph_given_anew_has_the_same_logits(
    net: str, data: PreparedData, tmp_path: Path
) -> None:
    model, _ = packed(data.graph, net, _LADDERS[0], tmp_path / "model.safetensors")
    graph = data.graph
    x = np.empty(graph.features.shape, np.float32)
    raw = replace(graph.features, normalize_rows=False).dense().numpy()
    x[graph.node_order.numpy()] = raw
    edges, weights = data.edge_index, data.edge_weight
    assert edges is not None
    assert weights is not None
    nodes = np.array([5, 0, 17])
    for engine in _ENGINES:
        own = replace(model, engine=engine)
        expected = own.predict()
        given = {"x": x, "edge_index": edges, "edge_weight": weights}
        np.testing.assert_allclose(own.predict(**given), expected, atol=1e-6)
        np.testing.assert_allclose(own.predict(threads=2), expected, atol=1e-6)
        with always_neighborhoods():
            np.testing.assert_allclose(own.predict(nodes), expected[nodes], atol=1e-6)
            np.testing.assert_allclose(own.predict(nodes, **given), expected[nodes], atol=1e-6)


@pytest.fixture(scope="module")
def model(synthetic_raw: RawGraph, tmp_path_factory: pytest.TempPathFactory) -> PackedModel:
    """GCN on symmetric weights."""
    graph = prepared(with_weights(synthetic_raw)).graph
    return packed(graph, "gcn", _LADDERS[0], tmp_path_factory.mktemp("w") / "m.safetensors")[0]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (None, "reads weights of edges: give edge_weight"),
        (np.ones(3), r"\(3,\); it must hold 2 numbers"),
        (np.array([1, np.nan]), "NaN or infinite"),
        (np.array([1, -1.0]), "below 0"),
        (np.array(["a", "b"]), "it must hold 2 numbers"),
    ],
)
def test_weights_of_a_new_graph_are_checked(
    model: PackedModel, weights: np.ndarray | None, words: str
) -> None:
    x, edges = np.ones((3, 80), np.float32), np.array([[0, 1], [1, 2]])
    with pytest.raises(ValueError, match=words):
        model.predict(x=x, edge_index=edges, edge_weight=weights)
    loop = np.array([[0, 1], [1, 1]])
    with pytest.raises(ValueError, match="must be 1 at self-loops"):
        model.predict(x=x, edge_index=loop, edge_weight=np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="for a new graph"):
        model.predict(edge_weight=np.ones(2))


def test_weights_of_repeated_edges_are_summed(model: PackedModel) -> None:
    x = np.random.default_rng(0).random((3, 80)).astype(np.float32)
    once = model.predict(
        x=x, edge_index=np.array([[0, 1], [1, 2]]), edge_weight=np.array([2.5, 0.5])
    )
    parts = np.array([[0, 1, 0, 2], [1, 2, 1, 2]]), np.array([1.0, 0.5, 1.5, 1])
    twice = model.predict(x=x, edge_index=parts[0], edge_weight=parts[1])
    np.testing.assert_array_equal(once, twice)


def test_a_model_that_reads_no_weights_has_none(synthetic_raw: RawGraph) -> None:
    graph = prepared(with_weights(synthetic_raw)).graph
    plain = SAGE(graph.features.num_features, graph.num_classes)
    allocation = random_allocation(plain, graph, _LADDERS[0], seed=0)
    made = convert(trained(plain, graph, allocation), graph)
    assert made.graph.weights is None
    assert not any(name.startswith("edge_weight") for name in tensors_of(made))
    edges = np.array([[0], [1]])
    with pytest.raises(ValueError, match="reads no weights of edges: leave out edge_weight"):
        made.predict(x=np.ones((2, 80)), edge_index=edges, edge_weight=np.ones(1))
