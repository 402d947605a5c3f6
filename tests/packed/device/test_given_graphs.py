"""Models in C that are given a graph or features, and models of whole graphs, against numpy."""

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from c_programs import SANITIZERS, Predicted, Program, c_model, program, worst
from cases import make_case
from given_models import (
    of_one_graph,
    random_edges,
    random_features,
    random_weights,
    scaled,
    weighted_case,
    without_features,
    without_graph,
)
from pooled_cases import pack
from random_models import RandomModels
from torch import nn
from weighted_models import weighted

from joined_graphs import prepared_graphs, random_graphs
from many_graphs import POOLS, EveryLayer, OfData, OwnReadouts, PooledNet, drawn
from sgq_auto.graphs import PreparedData
from sgq_auto.packed import PackedModel
from sgq_auto.packed.backends import NumpyEngine
from sgq_auto.packed.device.c_model import CModel
from sgq_auto.packed.runtime.target_units import TargetUnits

pytestmark = pytest.mark.system

# Of logits: fp64 against fp64, and fp32 against fp64.
_DOUBLE, _FLOAT = 1e-5, 1e-4
_LADDER = [1, 2, 4, 8, 32]
_ROOM, _TOO_LARGE = 1 << 20, 8


def _given(
    made: Program,
    x: np.ndarray,
    edges: np.ndarray,
    arena: int | None = None,
    weights: np.ndarray | None = None,
) -> Predicted:
    found = made.predict_given(x, edges, weights, arena=arena)
    assert isinstance(found, Predicted), found
    return found


@pytest.mark.parametrize(
    "model",
    [
        PooledNet("gcn", POOLS["mean"], 7),
        EveryLayer("gin", POOLS["sum"], 7),
        *(
            pytest.param(model, marks=pytest.mark.slow)
            for model in (EveryLayer("gat", POOLS["mean"], 7), OwnReadouts("sage", POOLS["max"], 7))
        ),
        OfData(7),
    ],
    ids=["gcn", "gin", "gat", "sage", "poolings"],
)
def test_whole_graphs_get_the_outputs_of_the_packed_runtime(
    model: nn.Module, tmp_path: Path
) -> None:
    graphs = drawn()
    packed = replace(pack(model, graphs.prepared().graph)[0], engine=NumpyEngine())
    made, ram = program(packed, tmp_path, *SANITIZERS, main="predict_given.c"), []
    for number in range(graphs.num_graphs):
        own = graphs.only(number)
        found = _given(made, own.x, own.edge_index, _ROOM)
        assert worst(found.logits, packed.predict(x=own.x, edge_index=own.edge_index)) <= _FLOAT
        counts = packed._given(own.x, own.edge_index, None).graph.spec.bucket_nodes
        ram.append((counts, own.edge_index.shape[1], found.mark))
    spec = packed.graph.spec
    largest = spec.bucket_nodes, spec.num_edges
    (mark,) = {mark for *counts, mark in ram if tuple(counts) == largest}
    assert mark == CModel(packed).footprint.ram_bytes


@pytest.mark.parametrize(
    "kind",
    [
        "gat",
        "pna",
        *(
            pytest.param(kind, marks=pytest.mark.slow)
            for kind in ("gcn", "gin", "sage", "agnn", "sage_many", "sage_project", "gin_sums")
        ),
    ],
)
def test_nodes_of_other_graphs_get_the_logits_of_the_packed_runtime(
    kind: str, tmp_path: Path
) -> None:
    raws = random_graphs(8, seed=3, nodes=(4, 24))
    packed = make_case(prepared_graphs(raws), kind, _LADDER).packed
    packed = replace(packed, engine=NumpyEngine())
    made = program(packed, tmp_path, *SANITIZERS, main="predict_given.c")
    # Another graph too, larger than those that the model was made for.
    for raw in [*raws, *random_graphs(1, seed=9, nodes=(60, 61))]:
        x = raw.x.toarray()
        found = _given(made, x, raw.edge_index, _ROOM)
        assert sorted(found.nodes) == list(range(len(x)))
        assert worst(found.logits, packed.predict(x=x, edge_index=raw.edge_index)) <= _FLOAT
    # The last one needs a larger arena.
    assert made.predict_given(x, raw.edge_index) == 2


@pytest.mark.parametrize("has_scaling", [False, True])
def test_a_fixed_graph_is_predicted_from_features_that_are_given(
    *, has_scaling: bool, tmp_path: Path
) -> None:
    net = random_graphs(1, seed=3, nodes=(20, 21), sparse=False)[0]
    raws = [replace(net, x=raw.x) for raw in random_graphs(4, seed=5, nodes=(20, 21), sparse=False)]
    packed = make_case(prepared_graphs(raws), "gcn", _LADDER).packed
    assert packed.graph.spec.fixed
    if has_scaling:
        packed = scaled(packed, np.random.default_rng(0))
    made = program(packed, tmp_path, *SANITIZERS, main="predict_given.c")
    for raw in raws:
        found = _given(made, raw.x, raw.edge_index)
        assert worst(found.logits, packed.predict(x=raw.x)) <= _FLOAT
        assert found.mark == CModel(packed).footprint.ram_bytes
    assert made.predict_given(np.full_like(net.x, np.nan), net.edge_index) == 10


def test_weights_of_edges_that_are_given_count_as_in_the_packed_runtime(tmp_path: Path) -> None:
    packed, raws = weighted_case()
    packed = replace(packed, engine=NumpyEngine())
    made = program(packed, tmp_path, *SANITIZERS, main="predict_given.c")
    largest = max(raws, key=lambda raw: raw.num_nodes)
    for raw in raws:
        assert raw.edge_weight is not None
        x, weights = raw.x.toarray(), raw.edge_weight
        # The first edge is listed twice: its weights are added up.
        edges = np.concatenate([raw.edge_index, raw.edge_index[:, :1]], axis=1)
        twice = np.append(weights, np.float32(0.25))
        expected = packed.predict(x=x, edge_index=edges, edge_weight=twice)
        found = _given(made, x, edges, _ROOM, twice)
        assert worst(found.logits, expected) <= _FLOAT
    found = _given(made, largest.x.toarray(), largest.edge_index, _ROOM, largest.edge_weight)
    spec = packed.graph.spec
    assert (largest.num_nodes, largest.edge_index.shape[1]) == (spec.num_nodes, spec.num_edges)
    assert found.mark == CModel(packed).footprint.ram_bytes


@pytest.mark.parametrize("reads_weights", [False, True])
def test_graphs_that_cannot_be_are_refused_with_a_code(reads_weights: bool, tmp_path: Path) -> None:
    if reads_weights:
        packed = weighted_case()[0]
    else:
        packed = pack(PooledNet("gcn", POOLS["sum"], 7), drawn().prepared().graph)[0]
    made = program(packed, tmp_path, *SANITIZERS, main="refuse_graphs.c")
    assert subprocess.run([str(made.path)], check=False).returncode == 0


def test_the_example_of_a_model_for_other_graphs_is_compiled_and_runs(tmp_path: Path) -> None:
    packed = pack(PooledNet("gcn", POOLS["sum"], 7), drawn().prepared().graph)[0]
    made = program(packed, tmp_path, *SANITIZERS, main=str(tmp_path / "example.c"))
    done = subprocess.run([str(made.path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout in {f"0,{name}\n" for name in packed.classes}


def test_the_example_takes_numbers_of_nodes_and_nothing_else(
    tmp_path: Path, synthetic: PreparedData
) -> None:
    packed = make_case(synthetic.graph, "gcn", _LADDER).packed
    made = program(packed, tmp_path, *SANITIZERS, main=str(tmp_path / "example.c"))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([made.path, *words], capture_output=True, text=True, check=False)

    names = [packed.classes[k] for k in packed.predict([7, 0]).argmax(axis=1)]
    done = run("7", "0")
    assert sorted(done.stdout.splitlines()) == [f"0,{names[1]}", f"7,{names[0]}"]
    for word in ("x", "0.5", "5abc", "-1", "", "4294967296"):
        assert run(word).returncode != 0
        assert not run(word).stdout
    assert run(*["1"] * 65).stderr == "this example takes at most 64 nodes\n"


def test_numbers_come_in_the_units_of_the_user(tmp_path: Path) -> None:
    packed = pack(PooledNet("gcn", POOLS["sum"], 7), drawn().prepared().graph)[0]
    packed = replace(packed, target_units=TargetUnits((10.0, -3.0), (2.0, 0.5)))
    own, made = drawn().only(1), program(packed, tmp_path, main="predict_given.c")
    found = _given(made, own.x, own.edge_index)
    assert worst(found.logits, packed.predict(x=own.x, edge_index=own.edge_index)) <= _FLOAT


def test_random_models_of_other_graphs_agree(tmp_path: Path) -> None:
    check_random(range(8), tmp_path)


def check_random(seeds: range, folder: Path) -> None:
    """Compares some random models of each kind that C can do; some there must be."""
    done = 0
    for seed in seeds:
        random = np.random.default_rng(seed)
        drawn_models = RandomModels(random, most_nodes=(4, 10, 40))
        packed = replace(drawn_models.model(), engine=NumpyEngine())
        if seed % 2:
            packed = of_one_graph(packed, random)
        if seed % 4 > 1:
            packed = weighted(packed, random)
        change = (without_graph, without_features, lambda model: model)[seed % 3]
        packed = change(packed)
        if seed % 5 < 2:
            packed = scaled(packed, random)
        made = c_model(packed)
        if made is None:
            continue
        done += 1
        tables, footprint = made.tables, made.footprint
        held = 4 * len(tables.words) + 4 * len(tables.numbers) + tables.bytes.size
        assert held == footprint.flash_bytes, seed
        _compare(packed, folder, random, seed)
    assert done >= len(seeds) // 12


def _compare(packed: PackedModel, folder: Path, random: np.random.Generator, seed: int) -> None:
    main = "predict_given.c" if packed.graph.spec.inductive else "predict_all.c"
    compiled = program(packed, folder, *SANITIZERS, "-DSGQ_DOUBLE", main=main)
    if not packed.graph.spec.inductive:
        assert worst(compiled.predict().logits, packed.predict()) <= _DOUBLE, seed
        return
    for _ in range(3):
        nodes = packed.num_nodes if packed.holds_graph else int(random.integers(1, 50))
        x, edges = random_features(packed, nodes, random), random_edges(nodes, random)
        both = random.random() < 0.5
        edges = np.concatenate([edges, edges[::-1]], axis=1) if both else edges
        weights = random_weights(edges, random) if _reads_weights(packed) else None
        given = {"x": x} if packed.holds_graph else {"x": x, "edge_index": edges}
        given |= {} if weights is None else {"edge_weight": weights}
        expected = packed.predict(**given)
        found = compiled.predict_given(x, edges, weights, arena=_ROOM)
        if found == _TOO_LARGE and nodes > packed.num_nodes:
            continue  # Sums of as many neighbours might not be exact.
        assert isinstance(found, Predicted), (seed, found)
        assert worst(found.logits, expected) <= _DOUBLE, seed


def _reads_weights(packed: PackedModel) -> bool:
    """Whether weights of edges go with a graph that is given."""
    return not packed.holds_graph and any(layer.spec.edge_weights for layer in packed.layers)
