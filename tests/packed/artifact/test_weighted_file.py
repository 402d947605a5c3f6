"""Artifacts with weights of edges: others stay as they were, and what lies is one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import random_allocation, trained
from signed_copies import Damage, rewritten

from sgq_auto.errors import ArtifactError
from sgq_auto.graphs import PreparedData, RawGraph
from sgq_auto.packed import load, save
from sgq_auto.packed.artifact.artifact_file import header
from sgq_auto.packed.backends import NumpyEngine
from sgq_auto.packed.backends.compiled_engine import CompiledEngine
from sgq_auto.quantize import convert
from weighted_graphs import prepared, weighted_net, with_weights


@pytest.fixture(scope="module")
def whole(synthetic_raw: RawGraph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of GraphConv and GCN on symmetric weights."""
    graph = prepared(with_weights(synthetic_raw)).graph
    plain = weighted_net("mixed", graph.features.num_features, graph.num_classes)
    allocation = random_allocation(plain, graph, [2, 3, 4, 32], seed=1)
    path = tmp_path_factory.mktemp("weighted") / "model.safetensors"
    save(convert(trained(plain, graph, allocation), graph), path)
    return path


def test_models_without_weights_say_nothing_of_them(
    synthetic: PreparedData, tmp_path: Path
) -> None:
    graph = synthetic.graph
    plain = weighted_net("mixed", graph.features.num_features, graph.num_classes)
    model = convert(trained(plain, graph, random_allocation(plain, graph, [2], 0)), graph)
    assert "weights" not in header.describe(model)
    save(model, tmp_path / "model.safetensors")
    assert load(tmp_path / "model.safetensors").graph.weights is None


def _entry(**changes: Any) -> Damage:
    return lambda root, _: root["edge_weights"].update(changes)


_DAMAGES: dict[str, Damage] = {
    "weights without a reader": lambda root, _: [la.pop("edge_weights") for la in root["layers"]],
    "a reader without weights": lambda root, _: root.pop("edge_weights"),
    "a flag that is none": lambda root, _: root["layers"][0].update(edge_weights=1),
    "weights that are no object": lambda root, _: root.update(edge_weights=3),
    "symmetric is a word": _entry(symmetric="no"),
    "all of a sudden directed": _entry(symmetric=False),
    "bits that are none": lambda root, _: root["edge_weights"]["bits"].__setitem__(0, 33),
    "too few buckets": lambda root, _: root["edge_weights"]["stored"].pop(),
    "counts of other buckets": lambda root, _: root["edge_weights"]["stored"].reverse(),
    "a layer of that name": lambda root, _: root["layers"][0].update(name="edge_weight"),
    "codes cut": lambda _, t: t.update({"edge_weight.values": t["edge_weight.values"][:-1].copy()}),
    "no codes": lambda _, t: t.pop("edge_weight.values"),
    "a step of 0": lambda _, t: t["edge_weight.scales"].__setitem__((0, 0), 0),
    "a scale of NaN": lambda _, t: t["edge_weight.scales"].__setitem__((0, 1), np.nan),
    "a range beyond fp32": lambda _, t: t["edge_weight.scales"].__setitem__((0, 0), 3e38),
    "values of NaN": lambda _, t: t["edge_weight.values"].fill(255),
}


@pytest.mark.parametrize("name", _DAMAGES)
def test_weights_that_lie_are_one_line(name: str, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"^[^\n]*$"):
        load(rewritten(whole, tmp_path / "lies.safetensors", _DAMAGES[name]))


def test_both_engines_agree_on_any_weights(whole: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def other(_: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
        codes = tensors["edge_weight.values"]
        codes[:] = rng.integers(0, 256, codes.size) & 0x3F
        scales = tensors["edge_weight.scales"]
        scales[:, 0] = 10.0 ** rng.uniform(-3, 3, scales.shape[0])
        scales[:, 1] = rng.normal(size=scales.shape[0]) * scales[:, 0]

    for turn in range(10):
        model = load(rewritten(whole, tmp_path / f"{turn}.safetensors", other))
        found = []
        for engine in (NumpyEngine(), CompiledEngine()):
            object.__setattr__(model, "engine", engine)
            found.append(model.predict())
        assert np.isfinite(found[0]).all()
        unit = max(1.0, float(np.abs(found[0]).max()))
        assert np.abs(found[0] - found[1]).max() / unit < 1e-4
