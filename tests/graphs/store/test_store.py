"""Prepared graphs and labels on disk."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from sgq_auto.errors import InputError
from sgq_auto.graphs import BucketSettings, PreparedData, RawGraph, prepare_graph
from sgq_auto.graphs.splits import OwnOrPerClassSplit, PublicSplit
from sgq_auto.graphs.store import load_graph, load_labels, save_graph, save_labels


def _same(path: Path, prepared: PreparedData) -> None:
    graph = prepared.graph
    save_graph(graph, path)
    loaded = load_graph(path)
    assert loaded.fingerprint == graph.fingerprint
    assert loaded.spec == graph.spec
    assert (loaded.name, loaded.split_points) == (graph.name, graph.split_points)
    assert loaded.class_names == graph.class_names
    torch.testing.assert_close(loaded.node_order, graph.node_order)
    torch.testing.assert_close(loaded.features.dense(), graph.features.dense())
    torch.testing.assert_close(loaded.edge_index(), graph.edge_index())
    values = torch.rand(loaded.adj_t.num_entries)
    x = torch.rand(loaded.num_nodes, 2)
    torch.testing.assert_close(loaded.adj_t.spmm(values, x), graph.adj_t.spmm(values, x))


def test_cora_comes_back_as_it_was(cora: PreparedData, tmp_path: Path) -> None:
    _same(tmp_path / "deep" / "cora.safetensors", cora)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["cora.safetensors"]


@pytest.mark.parametrize("normalize", [False, True])
def test_odd_graphs_come_back_as_they_were(
    odd_raw: RawGraph, normalize: bool, tmp_path: Path
) -> None:
    split = PublicSplit().split(odd_raw)
    buckets = BucketSettings(split_points=(0, 1, 50))
    _same(
        tmp_path / "graph.safetensors",
        prepare_graph(odd_raw, split, buckets, normalize_rows=normalize),
    )


def test_dense_features_come_back(mixed_raw: RawGraph, tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((12, 5)).astype(np.float32)
    raw = RawGraph("dense", x, mixed_raw.edge_index, mixed_raw.y, mixed_raw.split)
    split = PublicSplit().split(raw)
    _same(
        tmp_path / "graph.safetensors",
        prepare_graph(raw, split, BucketSettings(), normalize_rows=False),
    )


def test_the_file_holds_no_test_label(
    cora: PreparedData, cora_raw: RawGraph, tmp_path: Path
) -> None:
    path = tmp_path / "graph.safetensors"
    save_graph(cora.graph, path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    labels = {name for name in tensors if "label" in name}
    assert labels == {"train.labels", "val.labels"}
    assert tensors["train.labels"].numel() + tensors["val.labels"].numel() == 640
    y = torch.from_numpy(cora_raw.y)
    secret = (y, y[cora.graph.node_order], cora.held_out.labels)
    for tensor in tensors.values():
        assert not any(
            tensor.shape == other.shape and torch.equal(tensor.long(), other) for other in secret
        )


def test_graphs_from_before_classes_had_names_are_read(cora: PreparedData, tmp_path: Path) -> None:
    path = tmp_path / "graph.safetensors"
    save_graph(cora.graph, path)
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["graph"])
    del header["class_names"]
    save_file(load_file(path), path, {"graph": json.dumps(header)})
    loaded = load_graph(path)
    assert loaded.class_names is None
    assert loaded.classes == ("0", "1", "2", "3", "4", "5", "6")
    assert loaded.fingerprint == cora.graph.fingerprint


def test_names_of_classes_change_no_fingerprint(cora: PreparedData) -> None:
    named = replace(cora.graph, class_names=tuple("gfedcba"))
    assert named.fingerprint == replace(named, class_names=None).fingerprint
    assert named.classes == tuple("gfedcba")


def test_labels_have_a_file_of_their_own(cora: PreparedData, tmp_path: Path) -> None:
    path = tmp_path / "held_out.safetensors"
    save_labels(cora.held_out, path)
    assert load_labels(path).fingerprint == cora.held_out.fingerprint


@pytest.mark.parametrize("kind", ["labels", "numbers"])
def test_other_tasks_are_read_as_they_were_written(
    kind: str, synthetic_raw: RawGraph, tmp_path: Path
) -> None:
    y = np.random.default_rng(0).normal(3, 2, (synthetic_raw.num_nodes, 2)).astype(np.float32)
    y = (y > 3).astype(np.float32) if kind == "labels" else y
    raw = replace(synthetic_raw, y=y, class_names=("a", "b"))
    split = OwnOrPerClassSplit(val_per_class=1).split(raw)
    data = prepare_graph(raw, split, BucketSettings(), normalize_rows=False)
    save_graph(data.graph, tmp_path / "graph")
    save_labels(data.held_out, tmp_path / "labels")
    graph = load_graph(tmp_path / "graph")
    assert graph.fingerprint == data.graph.fingerprint
    assert (graph.task, graph.metric) == (data.graph.task, data.graph.metric)
    assert graph.target_scale == data.graph.target_scale
    held = load_labels(tmp_path / "labels", graph)
    assert torch.equal(held.labels, data.held_out.labels)
    held.labels[0, 0] = math.nan
    save_labels(held, tmp_path / "labels")
    with pytest.raises(InputError, match="labels must be finite"):
        load_labels(tmp_path / "labels", graph)
