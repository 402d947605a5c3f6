"""The packed runtime on edges with features: what fake quantization computes, in the bytes said."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from edge_values import (
    ENGINES,
    LADDERS,
    check_bytes_and_logits,
    check_graph_given_anew,
    packed_through_file,
)

from featured_graphs import NETS, featured_net, with_edge_features
from sgq_auto.graphs import BucketSettings, Graph, PreparedData, RawGraph
from sgq_auto.packed import PackedModel, write_c
from sgq_auto.packed.device.unsupported import UnsupportedInCError
from sgq_auto.quantize import convert, prepare
from weighted_graphs import directed, prepared

packed = partial(packed_through_file, featured_net)


@pytest.fixture(scope="module", params=["symmetric", "directed", "one bucket", "of directions"])
def data(request: pytest.FixtureRequest, synthetic_raw: RawGraph) -> PreparedData:
    """Features of each kind that a graph may have."""
    symmetric = request.param in ("symmetric", "one bucket")
    raw = with_edge_features(synthetic_raw, symmetric=symmetric)
    raw = directed(raw) if request.param == "directed" else raw
    return prepared(raw, BucketSettings(split_points=()) if request.param == "one bucket" else None)


@pytest.mark.sampled
@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("ladder", LADDERS)
def test_bytes_and_logits_are_those_of_training(
    net: str, ladder: list[int], data: PreparedData, tmp_path: Path
) -> None:
    check_bytes_and_logits(*packed(data.graph, net, ladder, tmp_path / "model.safetensors"))


@pytest.mark.sampled
@pytest.mark.parametrize("net", NETS)
def test_the_same_graph_given_anew_has_the_same_logits(
    net: str, data: PreparedData, tmp_path: Path
) -> None:
    model, _ = packed(data.graph, net, LADDERS[0], tmp_path / "model.safetensors")
    check_graph_given_anew(model, data, "edge_attr")


@pytest.fixture(scope="module")
def graph(synthetic_raw: RawGraph) -> Graph:
    """Symmetric features."""
    return prepared(with_edge_features(synthetic_raw)).graph


@pytest.mark.parametrize("net", ["gine", "gat", "gatv2", "transformer", "pna"])
def test_small_chunks_and_parts_of_rows_give_the_same(
    net: str, graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = packed(graph, net, LADDERS[0], tmp_path / "model.safetensors")
    expected = [replace(model, engine=engine).predict() for engine in ENGINES]
    # Rows with more entries than this are made in parts.
    monkeypatch.setattr("sgq_auto.packed.runtime.forward_pass._CHUNK_SUMS", 8)
    monkeypatch.setattr("sgq_auto.packed.runtime.edge_features._RUN", 3)
    monkeypatch.setattr("sgq_auto.packed.backends.numpy_values._MAX_VALUES", 40)
    for engine, logits in zip(ENGINES, expected, strict=True):
        found = replace(model, engine=engine).predict()
        np.testing.assert_allclose(found, logits, atol=1e-5)


@pytest.fixture(scope="module")
def model(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> PackedModel:
    """GAT on symmetric features."""
    return packed(graph, "gat", LADDERS[0], tmp_path_factory.mktemp("f") / "m.safetensors")[0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, r"reads 3 features of each edge: give edge_attr \[E, 3\]"),
        ({"edge_weight": np.ones(2)}, r"reads 3 features of each edge: give edge_attr"),
        (
            {"edge_attr": np.ones((2, 4))},
            r"\(2, 4\); it must hold numbers, \[2, 3\]: 3 for each of",
        ),
        ({"edge_attr": np.ones((3, 3))}, r"\(3, 3\); it must hold numbers, \[2, 3\]"),
        ({"edge_attr": np.full((2, 3), np.nan)}, "NaN or infinite"),
        ({"edge_attr": np.full((2, 3), "a")}, "it must hold numbers"),
        ({"edge_attr": np.ones((2, 3)), "edge_weight": np.ones(2)}, "are both given"),
    ],
)
def test_features_of_a_new_graph_are_checked(
    model: PackedModel, given: dict[str, np.ndarray], words: str
) -> None:
    x, edges = np.ones((3, 80), np.float32), np.array([[0, 1], [1, 2]])
    with pytest.raises(ValueError, match=words):
        model.predict(x=x, edge_index=edges, **given)
    with pytest.raises(ValueError, match="edge_attr is for a new graph"):
        model.predict(edge_attr=np.ones((2, 3)))


def test_features_of_repeats_are_summed_and_self_loops_left_out(model: PackedModel) -> None:
    x = np.random.default_rng(0).random((3, 80)).astype(np.float32)
    features = np.random.default_rng(1).normal(size=(4, 3))
    edges = np.array([[0, 1, 0, 2], [1, 2, 1, 2]])
    once = model.predict(
        x=x,
        edge_index=edges[:, :2],
        edge_attr=np.stack([features[0] + features[2], features[1]]).astype(np.float32),
    )
    twice = model.predict(x=x, edge_index=edges, edge_attr=features.astype(np.float32))
    np.testing.assert_allclose(once, twice, atol=1e-5)


@pytest.mark.parametrize("net", ["gine", "gat", "gatv2", "transformer", "pna"])
def test_c_names_the_layer_that_reads_features_of_edges(
    net: str, graph: Graph, tmp_path: Path
) -> None:
    made = convert(prepare(featured_net(net, 80, 4), graph), graph)
    with pytest.raises(UnsupportedInCError, match="features of edges, which layer 'conv1' reads"):
        write_c(made, tmp_path / "device")
