"""Columns of features of other sizes: when they are scaled, by what, and what is said."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from omegaconf import OmegaConf
from torch_geometric.data import Data

import sgq_auto
from joined_graphs import joined, random_graphs
from sgq_auto.configuration.checked_settings import conf_dir, prepare_raw
from sgq_auto.errors import InputError
from sgq_auto.graphs import BucketSettings, PreparedData, RawGraph, Split, prepare_graph
from sgq_auto.graphs.many_graphs.divide import divided
from sgq_auto.graphs.standardized_features import standardized
from sgq_auto.graphs.store import load_graph, save_graph
from sgq_auto.models import GCN
from sgq_auto.quantize import prepare
from sgq_auto.settings.standardize import Standardize
from sgq_auto.task import Task
from sgq_auto.training import FitSettings, fit

_NODES = 200
_DRAW = np.random.default_rng(0)
_BINARY = (_DRAW.random((_NODES, 2)) < 0.5).astype(np.float32)
_AGE = _DRAW.normal(40, 12, (_NODES, 1))
_INCOME = _DRAW.lognormal(10, 1, (_NODES, 1))
_SHARE = _DRAW.random((_NODES, 1))
_VECTORS = _DRAW.normal(0, 0.2, (_NODES, 8)) * np.linspace(0.5, 2, 8)
_PEOPLE = np.hstack([_AGE, _INCOME, _SHARE, _BINARY])


def people(x: Any = _PEOPLE) -> RawGraph:
    edges = _DRAW.integers(0, _NODES, (2, 600))
    nodes = np.arange(_NODES)
    split = Split(nodes[:60], nodes[60:120], nodes[120:])
    x = x.astype(np.float32)
    return RawGraph("people", x, edges, nodes % 3, split=split)


def prepared(raw: RawGraph, wanted: Standardize = Standardize.AUTO) -> PreparedData:
    assert raw.split is not None
    return prepare_graph(
        raw, raw.split, BucketSettings((2,)), normalize_rows=False, standardize=wanted
    )


def configured(setting: object, model: dict[str, Any]) -> Any:
    """The configuration of an archive with a setting of ``dataset.standardize``."""
    dataset = OmegaConf.load(conf_dir() / "dataset" / "npz.yaml")
    dataset.standardize = setting
    buckets = OmegaConf.load(conf_dir() / "config.yaml").buckets
    return OmegaConf.create({"buckets": buckets, "dataset": dataset, "model": model})


def _in_order(data: PreparedData) -> np.ndarray:
    x = np.empty(data.graph.features.shape, np.float32)
    x[data.graph.node_order.numpy()] = data.graph.features.dense().numpy()
    return x


def test_measurements_become_mean_0_and_deviation_1_and_binary_columns_stay() -> None:
    data = prepared(people())
    x = _in_order(data)
    np.testing.assert_allclose(x[:, :3].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x[:, :3].std(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(x[:, 3:], _BINARY)
    (note,) = (note for note in data.notes if "scaled" in note)
    assert note.startswith("people: 3 of 5 columns of features are scaled to mean 0")
    assert "dataset.standardize=false" in note


@pytest.mark.parametrize(
    "x",
    [
        np.hstack([_AGE / 40, _SHARE]),
        _VECTORS,
        _BINARY,
        np.hstack([_BINARY, _SHARE]),
        np.ones((_NODES, 3)),
        np.floor(_INCOME * (_DRAW.random((_NODES, 6)) < 0.2)),
        scipy.sparse.csr_matrix(_PEOPLE),
    ],
    ids=["one size", "vectors", "binary", "mixed", "constant", "counts", "sparse"],
)
def test_features_that_need_no_scaling_stay_as_they_are(x: Any) -> None:
    raw = people(x)
    same, scaling = standardized(
        raw, Split(*[np.arange(1)] * 3), Standardize.AUTO, normalize_rows=False
    )
    assert same is raw
    assert scaling is None


@pytest.mark.parametrize(
    "x",
    [
        np.hstack([_AGE, _SHARE]),
        np.hstack([_AGE, _BINARY]),
        np.hstack([_SHARE, _SHARE / 100, _SHARE / 200]),
        _SHARE + 1000,
    ],
    ids=["two sizes", "beside binary", "small ones", "far from 0"],
)
def test_features_of_other_sizes_are_scaled(x: np.ndarray) -> None:
    assert prepared(people(x)).graph.features.scaling is not None


def test_it_is_as_the_user_says() -> None:
    assert prepared(people(), Standardize.OFF).graph.features.scaling is None
    scaled = prepared(people(_VECTORS), Standardize.ON)
    np.testing.assert_allclose(_in_order(scaled).std(axis=0), 1, atol=1e-5)


def test_a_column_that_never_changes_becomes_0() -> None:
    x = _in_order(prepared(people(np.hstack([_INCOME, np.full((_NODES, 1), 7)]))))
    np.testing.assert_array_equal(x[:, 1], 0)


def test_what_cannot_be_scaled_is_refused_in_a_line() -> None:
    raw = people(scipy.sparse.csr_matrix(_PEOPLE))
    with pytest.raises(InputError, match=r"people: dataset\.standardize=true: the features are a"):
        prepared(raw, Standardize.ON)
    assert raw.split is not None
    with pytest.raises(InputError, match="rows are divided by their sums; choose one"):
        prepare_graph(
            people(), raw.split, BucketSettings(), normalize_rows=True, standardize=Standardize.ON
        )


@pytest.mark.parametrize("of_graphs", [False, True])
def test_graphs_that_do_not_train_have_no_part_in_means(*, of_graphs: bool) -> None:
    raws = random_graphs(6, sparse=False)
    raws = [replace(raw, x=raw.x * [1000, 1, 1, 1, 1, 1] + k) for k, raw in enumerate(raws)]
    whole, block = joined(raws)
    whole = replace(whole, graph_of_node=block, x=whole.x.astype(np.float32))
    members = [np.flatnonzero(np.isin(block, part)) for part in ([0, 1], [2, 3], [4, 5])]
    if of_graphs:
        whole = replace(whole, y=np.arange(6) % 2, task=Task.GRAPH_CLASSIFICATION)
        members = [np.array(part) for part in ([0, 1], [2, 3], [4, 5])]
    data = divided(prepared(replace(whole, split=Split(*members))))
    trained = np.concatenate([raws[0].x, raws[1].x]).astype(np.float64)
    for graph in (data.graph, data.unseen):
        assert graph is not None
        scaling = graph.features.scaling
        assert scaling is not None
        np.testing.assert_allclose(scaling.mean, trained.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(scaling.factor, 1 / trained.std(axis=0), rtol=1e-5)


@pytest.mark.parametrize(
    ("setting", "model", "scaled"),
    [
        ("auto", {"checkpoint": None}, True),
        ("auto", {"checkpoint": "trained.safetensors"}, False),
        (True, {"checkpoint": "trained.safetensors"}, True),
        ("true", {}, True),
        (False, {}, False),
        ("off", {}, False),
    ],
)
def test_a_trained_model_gets_features_as_it_knows_them(
    setting: object, model: dict[str, Any], *, scaled: bool
) -> None:
    data = prepare_raw(people(), configured(setting, model))
    assert (data.graph.features.scaling is not None) == scaled


def test_another_word_is_refused_with_what_there_is() -> None:
    with pytest.raises(
        InputError, match=r"dataset\.standardize=columns: choose one of false, true"
    ):
        prepare_raw(people(), configured("columns", {}))


def test_a_prepared_model_keeps_the_units_that_it_was_trained_on() -> None:
    raw = people()
    data = Data(
        x=torch.from_numpy(raw.x),
        edge_index=torch.from_numpy(raw.edge_index),
        y=torch.from_numpy(raw.y),
    )
    prepared = sgq_auto.prepare(GCN(5, 3), data, bits=32)
    assert prepared.graph.features.scaling is None


def test_training_sees_a_column_beside_a_far_larger_one() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, _NODES)
    shares = rng.normal(0.5 * np.eye(3)[y], 0.1)
    x = np.hstack([shares, rng.lognormal(10, 1, (_NODES, 1))])
    found = {}
    for wanted in (Standardize.OFF, Standardize.AUTO):
        graph = prepared(
            replace(people(x), y=y, edge_index=np.empty((2, 0), np.int64)), wanted
        ).graph
        torch.manual_seed(0)
        model = prepare(GCN(4, 3), graph)
        found[wanted] = fit(model, graph, FitSettings(100, 0.01, 5e-4), seed=0).val_accuracy
    assert found[Standardize.AUTO] > 0.8
    assert found[Standardize.OFF] < 0.6


def test_a_stored_graph_knows_its_scaling(tmp_path: Path) -> None:
    for x in (_PEOPLE, np.where(_DRAW.random(_PEOPLE.shape) < 0.4, _PEOPLE, 0)):
        graph = prepared(people(x), Standardize.ON).graph
        save_graph(graph, tmp_path / "graph.safetensors")
        loaded = load_graph(tmp_path / "graph.safetensors")
        assert loaded.features.scaling == graph.features.scaling
        assert loaded.fingerprint == graph.fingerprint
    plain = replace(graph, features=replace(graph.features, scaling=None))
    assert plain.fingerprint != graph.fingerprint
