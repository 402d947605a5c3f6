"""Models for other graphs: nothing of the data is in the file, and any graph is predicted."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cases import MODELS, Case, exact_logits, make_case, random_allocation, trained
from other_graphs import data_bytes
from safetensors import safe_open
from torch import nn
from torch_geometric import nn as pyg

from featured_graphs import featured_net, with_edge_features
from joined_graphs import prepared_graphs, random_graphs
from sgq_auto.graphs import Graph, RawGraph
from sgq_auto.graphs.many_graphs import largest_graph, part
from sgq_auto.packed import PackedModel, load, save
from sgq_auto.packed.backends import NumpyEngine
from sgq_auto.packed.runtime.forward_pass import Inference
from sgq_auto.packed.runtime.graphs.prediction_input import StoredInput
from sgq_auto.packed.runtime.program_execution import run_program
from sgq_auto.quantize import bind, convert, prepare, trace_spec
from weighted_graphs import WeightedNet

_LADDER = [1, 2, 4, 8, 32]
_WEIGHTED = ("weighted", "weighted_gcn")
_FEATURED = {f"featured_{name}": name for name in ("gine", "gat", "gatv2", "transformer", "pna")}
_COLUMNS = 3


def _raws(kind: str) -> list[RawGraph]:
    sparse = kind != "dense"
    return _drawn(kind, 5, seed=3, sparse=sparse, nodes=(4, 24))


def _drawn(kind: str, count: int, **given: Any) -> list[RawGraph]:
    """Random graphs; with weights or features of edges, where a kind has some."""
    graphs = random_graphs(count, weighted=kind in _WEIGHTED, **given)
    if kind not in _FEATURED:
        return graphs
    return [with_edge_features(raw, _COLUMNS) for raw in graphs]


def _case(kind: str, raws: list[RawGraph]) -> Case:
    graph = prepared_graphs(raws)
    if kind not in (*_WEIGHTED, *_FEATURED):
        return make_case(graph, "gcn" if kind == "dense" else kind, _LADDER)
    torch.manual_seed(0)
    second = pyg.GraphConv(8, 3) if kind == "weighted" else pyg.GCNConv(8, 3)
    model: nn.Module = WeightedNet(pyg.GCNConv(graph.features.num_features, 8), second)
    if kind in _FEATURED:
        model = featured_net(_FEATURED[kind], graph.features.num_features, 3, _COLUMNS)
    allocation = random_allocation(model, graph, _LADDER, 0)
    prepared = trained(model, graph, allocation)
    return Case(graph, prepared, allocation, convert(prepared, graph))


def _arrays(raw: RawGraph) -> dict[str, np.ndarray]:
    x = raw.x if isinstance(raw.x, np.ndarray) else raw.x.toarray()
    held = {"x": x, "edge_index": raw.edge_index}
    if raw.edge_weight is None:
        return held
    name = "edge_weight" if raw.edge_weight.ndim == 1 else "edge_attr"
    return {**held, name: raw.edge_weight}


def _loaded(case: Case, folder: Path) -> PackedModel:
    save(case.packed, folder / "model.safetensors")
    return load(folder / "model.safetensors")


def _given(model: PackedModel, raw: RawGraph) -> StoredInput:
    arrays = _arrays(raw)
    given = model._given(
        arrays["x"], arrays["edge_index"], arrays.get("edge_weight"), arrays.get("edge_attr")
    )
    assert isinstance(given, StoredInput)
    return given


@pytest.mark.parametrize("kind", [*MODELS, "dense", *_WEIGHTED, *_FEATURED])
def test_any_graph_is_predicted_as_the_model_was_trained_for_it(kind: str, tmp_path: Path) -> None:
    raws = _raws(kind)
    case = _case(kind, raws)
    model = _loaded(case, tmp_path)
    assert not model.holds_graph
    # Another one too, which nothing was calibrated on.
    other = _drawn(kind, 1, seed=9, sparse=kind != "dense", nodes=(30, 31))
    together = prepared_graphs([*raws, *other])
    for number, raw in enumerate([*raws, *other]):
        graph = part(together, torch.tensor([number]))
        bind(case.prepared, graph)
        expected = exact_logits(case.prepared, graph).numpy()
        unit = max(1.0, np.abs(expected).max())
        for engine in (model.engine, NumpyEngine()):
            found = replace(model, engine=engine).predict(**_arrays(raw))
            np.testing.assert_allclose(found / unit, expected / unit, atol=1e-4)
            assert np.array_equal(found.argmax(1), expected.argmax(1))
        some = model.predict([1, 3], **_arrays(raw))
        np.testing.assert_allclose(some / unit, expected[[1, 3]] / unit, atol=1e-4)


@pytest.mark.parametrize("kind", [*MODELS, "dense", *_WEIGHTED, *_FEATURED])
def test_sizes_are_those_of_the_file_and_of_the_largest_graph(kind: str, tmp_path: Path) -> None:
    raws = _raws(kind)
    case = _case(kind, raws)
    model = _loaded(case, tmp_path)
    footprint = model.footprint()
    with safe_open(tmp_path / "model.safetensors", framework="np") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert not any(name.startswith(("edges.", "bucket_map", "features.v")) for name in stored)
    assert "edge_weight.values" not in stored
    file_bytes = sum(tensor.nbytes for tensor in stored.values())
    assert footprint.stored_bytes == file_bytes
    spec = trace_spec(case.prepared, case.graph)
    largest = largest_graph(spec, case.graph)
    assert largest.footprints.packed(case.allocation) == footprint
    assert largest.number is not None
    given = _given(model, raws[largest.number])
    inference = Inference(given.graph, given.held, model.engine, 1)
    run_program(model.parts, inference)
    held = file_bytes + data_bytes(model, given)
    assert footprint.resident_bytes == held + sum(inference.made.values())
    assert file_bytes < footprint.peak_bytes <= footprint.resident_bytes


def test_no_other_graph_takes_more(tmp_path: Path) -> None:
    raws = _raws("gat")
    case = _case("gat", raws)
    model = _loaded(replace(case, packed=convert(prepare_full(case), case.graph)), tmp_path)
    sizes = []
    for raw in raws:
        given = _given(model, raw)
        inference = Inference(given.graph, given.held, model.engine, 1)
        run_program(model.parts, inference)
        sizes.append(data_bytes(model, given) + sum(inference.made.values()))
    largest = largest_graph(trace_spec(case.prepared, case.graph), case.graph)
    assert largest.number == int(np.argmax(sizes))
    assert largest.note is not None
    assert f"number {largest.number}: {raws[largest.number].num_nodes} nodes" in largest.note


def prepare_full(case: Case) -> torch.nn.Module:
    """The model of a case at full precision."""
    torch.manual_seed(0)
    plain = MODELS["gat"](case.graph.features.num_features, case.graph.num_classes)
    return prepare(plain, case.graph)


def test_scales_of_buckets_that_the_largest_graph_lacks_are_kept(tmp_path: Path) -> None:
    raws = random_graphs(6, seed=3)
    # The largest graph is a ring, without a node in the first bucket or the last.
    nodes = 60
    ring = np.stack([np.arange(nodes), np.roll(np.arange(nodes), 1)])
    large = random_graphs(1, seed=4, nodes=(nodes, nodes + 1))[0]
    large = replace(large, edge_index=np.concatenate([ring, ring[::-1]], axis=1))
    case = _case("gcn", [large, *raws])
    model = _loaded(case, tmp_path)
    assert model.graph.spec.bucket_nodes[0] == 0
    graph = part(case.graph, torch.tensor([2]))
    assert graph.bucket_nodes[0] > 0
    bind(case.prepared, graph)
    expected = exact_logits(case.prepared, graph).numpy()
    found = model.predict(**_arrays(raws[1]))
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1.0, np.abs(expected).max()))


def test_a_graph_must_be_given(tmp_path: Path) -> None:
    model = _loaded(_case("gcn", _raws("gcn")), tmp_path)
    for nodes in (None, [0]):
        with pytest.raises(ValueError, match="this model holds no graph: give x and edge_index"):
            model.predict(nodes)


def test_models_of_one_fixed_graph_are_written_as_before(tmp_path: Path) -> None:
    graph: Graph = prepared_graphs(_raws("gcn"))
    fixed = replace(graph, graph_of_node=None)
    model = _loaded(make_case(fixed, "gcn", _LADDER), tmp_path)
    assert model.holds_graph
    with safe_open(tmp_path / "model.safetensors", framework="np") as file:
        header = json.loads(file.metadata()["sgq_auto"])
    assert "inductive" not in header["graph"]
