"""Artifacts with weights of edges: others stay as they were, and what lies is one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import random_allocation, trained
from signed_copies import Damage, check_engines_agree_on_any_values, rewritten

from sgq_auto.errors import ArtifactError
from sgq_auto.graphs import PreparedData, RawGraph
from sgq_auto.packed import load, save
from sgq_auto.packed.artifact.artifact_file import header
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
    check_engines_agree_on_any_values(whole, tmp_path, turns=10, largest=3)
