"""Graphs from files that lie: one line that names the file, and no kernel ever sees them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from sgq_auto.errors import InputError
from sgq_auto.graphs import BucketSettings, PreparedData, RawGraph, prepare_graph
from sgq_auto.graphs.splits import PublicSplit
from sgq_auto.graphs.store import (
    load_graph,
    load_labels,
    save_graph,
    save_labels,
    stored_graph_checks,
)
from sgq_auto.graphs.store.unsound import UnsoundError

Damage = Callable[[dict[str, Tensor], dict[str, Any]], object]


def _set(name: str, place: int, value: float) -> Damage:
    return lambda tensors, _: tensors[name].view(-1)[place].fill_(value)


def _cast(name: str, dtype: torch.dtype) -> Damage:
    return lambda tensors, _: tensors.update({name: tensors[name].to(dtype)})


def _cut(name: str) -> Damage:
    return lambda tensors, _: tensors.update({name: tensors[name][:-1].clone()})


def _drop(name: str) -> Damage:
    return lambda tensors, _: tensors.pop(name)


def _header(**changes: Any) -> Damage:
    return lambda _, header: header.update(changes)


def _no_loop(tensors: dict[str, Tensor], _: dict[str, Any]) -> None:
    """The first node's own entry becomes one to a node that it does not have yet."""
    row = tensors["adj_t.col"][: tensors["adj_t.rowptr"][1]]
    free = next(k for k in range(12) if k not in row.tolist())
    row[row == 0] = free
    row.copy_(row.sort().values)


DAMAGES: dict[str, Damage] = {
    **{f"{p}.rowptr begins later": _set(f"{p}.rowptr", 0, 1) for p in ("adj_t", "features")},
    **{f"{p}.rowptr below 0": _set(f"{p}.rowptr", 0, -1) for p in ("adj_t", "features")},
    **{f"{p}.rowptr falls": _set(f"{p}.rowptr", 3, 0) for p in ("adj_t", "features")},
    **{f"{p}.rowptr leaps": _set(f"{p}.rowptr", 3, 2**31 - 1) for p in ("adj_t", "features")},
    **{f"{p}.rowptr ends early": _set(f"{p}.rowptr", -1, 5) for p in ("adj_t", "features")},
    **{f"{p}.rowptr is cut": _cut(f"{p}.rowptr") for p in ("adj_t", "features")},
    **{f"{p}.rowptr is int64": _cast(f"{p}.rowptr", torch.int64) for p in ("adj_t", "features")},
    **{f"{p}.col above": _set(f"{p}.col", 2, 2**31 - 1) for p in ("adj_t", "features")},
    **{f"{p}.col below": _set(f"{p}.col", 0, -1) for p in ("adj_t", "features")},
    **{f"{p}.col is cut": _cut(f"{p}.col") for p in ("adj_t", "features")},
    **{f"{p}.col is fp32": _cast(f"{p}.col", torch.float32) for p in ("adj_t", "features")},
    **{f"{p}.col is twice": _set(f"{p}.col", 1, 0) for p in ("adj_t", "features")},
    **{f"{p}.col is not there": _drop(f"{p}.col") for p in ("adj_t", "features")},
    "a node without a loop": _no_loop,
    **{f"{p} node above": _set(f"{p}.nodes", -1, 12) for p in ("train", "val")},
    **{f"{p} node below": _set(f"{p}.nodes", 0, -1) for p in ("train", "val")},
    **{f"{p} node twice": _set(f"{p}.nodes", 0, 99) for p in ("train", "val")},
    **{f"{p} label above": _set(f"{p}.labels", 0, 3) for p in ("train", "val")},
    **{f"{p} label below": _set(f"{p}.labels", 0, -100) for p in ("train", "val")},
    **{f"{p} labels are cut": _cut(f"{p}.labels") for p in ("train", "val")},
    **{f"{p} nodes are int32": _cast(f"{p}.nodes", torch.int32) for p in ("train", "val")},
    "no training node": lambda t, _: t.update({n: t[n][:0] for n in t if n.startswith("train")}),
    "one node in both parts": lambda t, _: t.update({"val.nodes": t["train.nodes"][:3].clone()}),
    "order names a node twice": lambda t, _: t["node_order"][0].copy_(t["node_order"][1]),
    "order leaves the graph": _set("node_order", 0, 12),
    "order is cut": _cut("node_order"),
    "order is int32": _cast("node_order", torch.int32),
    "a value is NaN": _set("features.values", 0, float("nan")),
    "a value is infinite": _set("features.values", -1, float("inf")),
    "values are cut": _cut("features.values"),
    "values are fp64": _cast("features.values", torch.float64),
    "bucket sizes of others": lambda _, h: h["bucket_nodes"].reverse(),
    "a bucket too many": lambda _, h: h["bucket_nodes"].append(0),
    "a bucket below 0": lambda _, h: h.update(bucket_nodes=[-1, 13, *h["bucket_nodes"][2:]]),
    "buckets of text": _header(bucket_nodes=["12"]),
    "buckets of truths": _header(bucket_nodes=[True] * 12),
    "buckets of fractions": _header(bucket_nodes=[12.0]),
    "no buckets": _header(bucket_nodes=[]),
    "huge buckets": _header(bucket_nodes=[2**61, 2**61, 1, 1]),
    "bucket values of others": lambda _, h: h["bucket_values"].reverse(),
    "split points that fall": lambda _, h: h["split_points"].reverse(),
    "no classes": _header(num_classes=0),
    "fewer classes": _header(num_classes=2),
    "more classes than nodes": _header(num_classes=13),
    "a huge number of classes": _header(num_classes=2**61),
    "features fewer than columns": _header(num_features=2),
    "features for all of the memory": _header(num_features=2**30),
    "features without a number": _header(num_features=float("nan")),
    "sparse is a word": _header(sparse="no"),
    "dense all of a sudden": _header(sparse=False),
    "normalize is a number": _header(normalize_rows=1),
    "a name that steers": _header(name="a\x1b[2Jb"),
    "class names that steer": _header(class_names=["a", "b", "\u202ec"]),
    "class names missing": _header(class_names=["a"]),
    "class names of one text": _header(class_names="abc"),
    "no header at all": lambda _, h: h.clear(),
}  # fmt: skip


@pytest.fixture
def stored(mixed_raw: RawGraph, tmp_path: Path) -> Path:
    """A file of 12 nodes in three buckets, with sparse features and three classes."""
    x = mixed_raw.x.toarray() + 1
    x[:, 4:] = 0
    raw = replace(mixed_raw, x=scipy.sparse.csr_matrix(x))
    path = tmp_path / "graph.safetensors"
    split, buckets = PublicSplit().split(raw), BucketSettings(split_points=(0, 1))
    save_graph(prepare_graph(raw, split, buckets, normalize_rows=True).graph, path)
    assert load_graph(path).num_nodes == 12
    return path


def _rewrite(path: Path, damage: Damage) -> None:
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["graph"])
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    damage(tensors, header)
    save_file(tensors, path, {"graph": json.dumps(header)})


@pytest.mark.parametrize("name", DAMAGES)
def test_a_graph_that_lies_is_one_line(stored: Path, name: str) -> None:
    _rewrite(stored, DAMAGES[name])
    with pytest.raises(InputError, match=r"graph\.safetensors: ") as error:
        load_graph(stored)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 600


@pytest.mark.parametrize("damage", ["nan", "shape", "type", "loop"])
def test_weights_that_lie_are_one_line(mixed_raw: RawGraph, tmp_path: Path, damage: str) -> None:
    weights = np.where(mixed_raw.edge_index[0] == mixed_raw.edge_index[1], 1, 2.0)
    raw, path = replace(mixed_raw, edge_weight=weights), tmp_path / "graph.safetensors"
    data = prepare_graph(raw, PublicSplit().split(raw), BucketSettings((0, 1)), normalize_rows=True)
    save_graph(data.graph, path)
    pattern = data.graph.adj_t
    loop = int((pattern.row == pattern.col).nonzero()[0])
    damages = {
        "nan": _set("adj_t.weights", 0, float("nan")),
        "shape": _cut("adj_t.weights"),
        "type": _cast("adj_t.weights", torch.float64),
        "loop": _set("adj_t.weights", loop, 2),
    }
    _rewrite(path, damages[damage])
    with pytest.raises(InputError, match=r"graph\.safetensors: adj_t.weights must be"):
        load_graph(path)


@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"\xff" * 200, b'{"a": 1}' * 20])
def test_a_file_that_is_no_graph_is_one_line(stored: Path, content: bytes) -> None:
    stored.write_bytes(content)
    with pytest.raises(InputError, match=r"graph\.safetensors: ") as error:
        load_graph(stored)
    assert str(error.value).isprintable()


def test_no_change_of_an_index_reaches_a_kernel(stored: Path) -> None:
    """Whatever is still taken after an entry was changed has products like those of numpy."""
    rng, whole = np.random.default_rng(0), stored.read_bytes()
    names = [n for n, t in load_file(stored).items() if not t.is_floating_point()]
    taken = 0
    for _ in range(300):
        stored.write_bytes(whole)
        name, value = names[rng.integers(len(names))], int(rng.integers(-3, 16))
        size = load_file(stored)[name].numel()
        _rewrite(stored, _set(name, int(rng.integers(size)), value))
        try:
            graph = load_graph(stored)
        except InputError:
            continue
        taken += 1
        dense = np.zeros(graph.adj_t.shape, np.float32)
        dense[graph.adj_t.row.numpy(), graph.adj_t.col.numpy()] = 1
        x = torch.rand(12, 3)
        ones = torch.ones(graph.adj_t.num_entries)
        np.testing.assert_allclose(graph.adj_t.spmm(ones, x).numpy(), dense @ x.numpy(), rtol=1e-5)
    assert 5 < taken < 200


def test_checks_of_long_vectors_see_the_borders_of_their_parts(
    monkeypatch: pytest.MonkeyPatch, cora: PreparedData
) -> None:
    graph = cora.graph
    rowptr, col = graph.adj_t.rowptr, graph.adj_t.col.clone()
    for size in (1, 2, 3, 1000):
        monkeypatch.setattr(stored_graph_checks, "_CHUNK", size)
        if size > 3:
            stored_graph_checks.check_pattern(rowptr, col, graph.adj_t.shape, "adj_t")
        short = int(rowptr[50])
        head = (rowptr[:51], col[:short], (50, graph.num_nodes), "adj_t")
        stored_graph_checks.check_pattern(*head)
        row = next(r for r in range(50) if rowptr[r + 1] - rowptr[r] > 1)
        for place in range(int(rowptr[row]) + 1, int(rowptr[row + 1])):
            swapped = col[:short].clone()
            swapped[place] = swapped[place - 1]
            with pytest.raises(UnsoundError, match="must rise"):
                stored_graph_checks.check_pattern(head[0], swapped, *head[2:])


@pytest.mark.parametrize(
    "damage",
    [_set("labels.nodes", -1, 2708), _set("labels.labels", 0, 7), _cut("labels.labels"),
     _set("labels.nodes", 0, -1), _cast("labels.nodes", torch.int32), _drop("labels.nodes")],
)  # fmt: skip
def test_held_out_labels_are_checked_too(
    cora: PreparedData, tmp_path: Path, damage: Damage
) -> None:
    path = tmp_path / "held_out.safetensors"
    save_labels(cora.held_out, path)
    assert load_labels(path, cora.graph).fingerprint == cora.held_out.fingerprint
    tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
    damage(tensors, {})
    save_file(tensors, path)
    with pytest.raises(InputError, match=r"held_out\.safetensors: "):
        load_labels(path, cora.graph)


def test_test_nodes_are_no_training_nodes(cora: PreparedData, tmp_path: Path) -> None:
    path = tmp_path / "held_out.safetensors"
    save_labels(cora.graph.train, path)
    with pytest.raises(InputError, match="another part of the split"):
        load_labels(path, cora.graph)
