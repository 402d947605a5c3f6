"""Artifacts with features of edges: what lies is one line, and engines agree on the rest."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import random_allocation
from signed_copies import Damage, check_engines_agree_on_any_values, rewritten

from featured_graphs import featured_net, with_edge_features
from sgq_auto.errors import ArtifactError
from sgq_auto.graphs import RawGraph
from sgq_auto.packed import load, save
from sgq_auto.quantize import convert, prepare
from weighted_graphs import prepared

_NETS = ["gine", "gat", "gatv2", "transformer", "pna"]


def _written(net: str, raw: RawGraph, path: Path) -> Path:
    graph = prepared(with_edge_features(raw)).graph
    plain = featured_net(net, graph.features.num_features, graph.num_classes)
    allocation = random_allocation(plain, graph, [2, 3, 4, 32], seed=1)
    save(convert(prepare(plain, graph, allocation), graph), path)
    return path


@pytest.fixture(scope="module")
def whole(synthetic_raw: RawGraph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of GAT on symmetric features."""
    return _written("gat", synthetic_raw, tmp_path_factory.mktemp("f") / "model.safetensors")


def _entry(**changes: Any) -> Damage:
    return lambda root, _: root["edge_weights"].update(changes)


def _layer(**changes: Any) -> Damage:
    return lambda root, _: root["layers"][0].update(changes)


_DAMAGES: dict[str, Damage] = {
    "features without a reader": lambda root, _: [la.pop("edge_features") for la in root["layers"]],
    "a reader without features": lambda root, _: root.pop("edge_weights"),
    "fewer columns": _entry(columns=2),
    "no column": _entry(columns=0),
    "columns that are no number": _entry(columns="3"),
    "very many columns": _entry(columns=2**40),
    "one column": lambda root, _: root["edge_weights"].pop("columns"),
    "all of a sudden directed": _entry(symmetric=False),
    "a layer that reads weights": _layer(edge_weights=True, edge_features=1),
    "a layer that reads another number": _layer(edge_features=2),
    "a fill that is a word": _layer(loop_fill="mean"),
    "a fill beyond reason": _layer(loop_fill=1e300),
    "codes cut": lambda _, t: t.update({"edge_weight.values": t["edge_weight.values"][:-1].copy()}),
    "no matrix": lambda _, t: t.pop("conv1.edge_matrix"),
    "no vectors": lambda _, t: t.pop("conv1.edge_vectors"),
    "vectors of NaN": lambda _, t: t["conv1.edge_vectors"].fill(np.nan),
    "a step of 0": lambda _, t: t["edge_weight.scales"].__setitem__((0, 0), 0),
    "values of NaN": lambda _, t: t["edge_weight.values"].fill(255),
}


@pytest.mark.parametrize("name", _DAMAGES)
def test_features_that_lie_are_one_line(name: str, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"^[^\n]*$"):
        load(rewritten(whole, tmp_path / "lies.safetensors", _DAMAGES[name]))


@pytest.mark.parametrize("net", _NETS)
def test_both_engines_agree_on_any_features(
    net: str, synthetic_raw: RawGraph, tmp_path: Path
) -> None:
    path = _written(net, synthetic_raw, tmp_path / "m.safetensors")
    check_engines_agree_on_any_values(path, tmp_path, turns=3, largest=1)
