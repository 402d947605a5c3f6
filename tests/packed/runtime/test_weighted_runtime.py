"""The packed runtime on weighted edges: what fake quantization computes, in the bytes said."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from cases import random_allocation, trained
from edge_values import (
    LADDERS,
    check_bytes_and_logits,
    check_graph_given_anew,
    packed_through_file,
)

from sgq_auto.graphs import BucketSettings, PreparedData, RawGraph
from sgq_auto.models import SAGE
from sgq_auto.packed import PackedModel
from sgq_auto.packed.artifact.tensor_shapes import tensors_of
from sgq_auto.quantize import convert
from weighted_graphs import directed, prepared, weighted_net, with_weights

_NETS = ["gcn", "graph_conv", "mixed", "sgc", "appnp", "gcn2"]


packed = partial(packed_through_file, weighted_net)


@pytest.fixture(scope="module", params=["symmetric", "directed", "one bucket", "undirected edges"])
def data(request: pytest.FixtureRequest, synthetic_raw: RawGraph) -> PreparedData:
    """Weights of each kind that a graph may have."""
    # The last one: every edge goes both ways, with a weight for each direction.
    raw = with_weights(synthetic_raw, symmetric=request.param in ("symmetric", "one bucket"))
    raw = directed(raw) if request.param == "directed" else raw
    buckets = BucketSettings(split_points=()) if request.param == "one bucket" else None
    return prepared(raw, buckets)


@pytest.mark.sampled
@pytest.mark.parametrize("net", _NETS)
@pytest.mark.parametrize("ladder", LADDERS)
def test_bytes_and_logits_are_those_of_training(
    net: str, ladder: list[int], data: PreparedData, tmp_path: Path
) -> None:
    check_bytes_and_logits(*packed(data.graph, net, ladder, tmp_path / "model.safetensors"))


@pytest.mark.sampled
@pytest.mark.parametrize("net", _NETS)
def test_the_same_graph_given_anew_has_the_same_logits(
    net: str, data: PreparedData, tmp_path: Path
) -> None:
    model, _ = packed(data.graph, net, LADDERS[0], tmp_path / "model.safetensors")
    check_graph_given_anew(model, data, "edge_weight")


@pytest.fixture(scope="module")
def model(synthetic_raw: RawGraph, tmp_path_factory: pytest.TempPathFactory) -> PackedModel:
    """GCN on symmetric weights."""
    graph = prepared(with_weights(synthetic_raw)).graph
    return packed(graph, "gcn", LADDERS[0], tmp_path_factory.mktemp("w") / "m.safetensors")[0]


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
    allocation = random_allocation(plain, graph, LADDERS[0], seed=0)
    made = convert(trained(plain, graph, allocation), graph)
    assert made.graph.weights is None
    assert not any(name.startswith("edge_weight") for name in tensors_of(made))
    edges = np.array([[0], [1]])
    with pytest.raises(ValueError, match="reads no weights of edges: leave out edge_weight"):
        made.predict(x=np.ones((2, 80)), edge_index=edges, edge_weight=np.ones(1))
