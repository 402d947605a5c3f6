"""Models of whole graphs, packed: what they predict, and the bytes that they take."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from other_graphs import data_bytes
from pooled_cases import pack, pooled_case
from torch import nn

from many_graphs import (
    POOLS,
    EveryLayer,
    Graphs,
    OfData,
    OwnReadouts,
    PooledNet,
    drawn,
    tu,
)
from sgq_auto.packed import PackedModel, load, save
from sgq_auto.packed.allocation import Component, Site
from sgq_auto.packed.artifact import header
from sgq_auto.packed.artifact.tensor_shapes import tensors_of
from sgq_auto.packed.backends import NumpyEngine
from sgq_auto.packed.backends.compiled_engine import CompiledEngine
from sgq_auto.packed.codes.bit_packing import PackedIntegers
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.runtime.forward_pass import Inference
from sgq_auto.packed.runtime.graphs.packed_graph import graph_of
from sgq_auto.packed.runtime.graphs.prediction_input import StoredInput
from sgq_auto.packed.runtime.operations.pooling import Pooling
from sgq_auto.packed.runtime.operations.row_reductions import PooledRows
from sgq_auto.packed.runtime.program_execution import run_program
from sgq_auto.quantize import run_plain

_KINDS = ("gcn", "sage", "gin", "gat")


@pytest.fixture(scope="module")
def graphs() -> Graphs:
    return drawn()


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def _models(kind: str, pool: str, features: int) -> list[nn.Module]:
    function = POOLS[pool]
    return [
        PooledNet(kind, function, features),
        EveryLayer(kind, function, features),
        EveryLayer(kind, function, features, add=True),
        OwnReadouts(kind, function, features),
    ]


def _agree(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    unit = max(1.0, float(np.abs(expected).max()))
    assert np.abs(found - expected).max() <= 1e-4 * unit
    margin = np.diff(np.sort(expected, axis=1)[:, -2:], axis=1)[:, 0] > 1e-5 * unit
    assert (found.argmax(1) == expected.argmax(1))[margin].all()


def _check(model: nn.Module, graphs: Graphs, folder: Path, few: int = 3) -> PackedModel:
    """Both engines predict from the file what the prepared model does: all graphs, and one."""
    packed, expected = pack(model, graphs.prepared().graph)
    path = folder / "pooled.safetensors"
    save(packed, path)
    loaded = load(path)
    new = {"x": graphs.x, "edge_index": graphs.edge_index, "graph_of_node": graphs.graph_of_node}
    for engine in (NumpyEngine(), CompiledEngine()):
        each = replace(loaded, engine=engine)
        _agree(each.predict(**new), expected)
        _agree(each.predict(**new, threads=2), expected)
        for number in range(few):
            own = graphs.only(number)
            found = each.predict(x=own.x, edge_index=own.edge_index)
            _agree(found, expected[number : number + 1])
    return loaded


@pytest.mark.sampled
@pytest.mark.parametrize("pool", list(POOLS))
@pytest.mark.parametrize("kind", _KINDS)
def test_packed_models_of_graphs_predict_what_prepared_ones_do(
    kind: str, pool: str, graphs: Graphs, tmp_path: Path
) -> None:
    for model in _models(kind, pool, 7):
        _check(model, graphs, tmp_path)


@pytest.mark.parametrize("name", ["MUTAG", "PROTEINS"])
def test_packed_models_of_real_graphs_predict_what_prepared_ones_do(
    name: str, data_root: Path, tmp_path: Path
) -> None:
    folder = data_root / "TUDataset" / name / "raw"
    if not folder.is_dir():
        pytest.skip(f"no raw files of {name} in {folder}; set SGQ_AUTO_DATA")
    graphs = tu(folder)
    _check(EveryLayer("gin", POOLS["sum"], graphs.x.shape[1]), graphs, tmp_path, few=10)


@pytest.mark.parametrize("kind", _KINDS)
def test_bytes_are_those_that_are_written_and_held(kind: str, tmp_path: Path) -> None:
    packed, largest = pooled_case(kind)
    footprint = largest.footprints.packed(packed.allocation)
    save(packed, tmp_path / "a.safetensors")
    loaded = load(tmp_path / "a.safetensors")
    assert loaded.footprint() == packed.footprint() == footprint
    stored = sum(t.nbytes for t in tensors_of(loaded).values())
    assert stored == footprint.stored_bytes
    assert largest.number is not None
    own = drawn().only(largest.number)
    given_graph = loaded._given(own.x, own.edge_index, None, None)
    assert isinstance(given_graph, StoredInput)
    inference = Inference(given_graph.graph, given_graph.held, loaded.engine)
    run_program(loaded.parts, inference)
    held = stored + data_bytes(loaded, given_graph) + sum(inference.made.values())
    assert held == footprint.resident_bytes
    assert footprint.peak_bytes < footprint.resident_bytes
    # Three means of 8 columns and the number of nodes, fp32, of one graph.
    pooled = [n for name, n in inference.made.items() if ".pooled." in name]
    assert pooled == [36, 36, 36]
    codes = packed.allocation[Site("lin", Component.EMBEDDING)]
    assert inference.made["lin.input"] == -(-24 * codes // 8)


@pytest.mark.parametrize("pooling", list(Pooling))
@given(
    numbers=st.lists(st.integers(0, 6), min_size=1, max_size=60),
    cuts=st.lists(st.integers(1, 59), max_size=4),
    seed=st.integers(0, 99),
)
@example(numbers=[2, 0, 2, 0], cuts=[1, 2, 3], seed=0)
@settings(max_examples=40)
def test_rows_are_pooled_in_chunks_as_pyg_pools_them(
    pooling: Pooling, numbers: list[int], cuts: list[int], seed: int
) -> None:
    of_rows, rng = np.array(numbers), np.random.default_rng(seed)
    nodes, graphs = of_rows.size, int(of_rows.max()) + 1
    zeros = np.zeros(nodes, dtype=np.int64)
    graph = graph_of(np.empty(0, np.int64), zeros, zeros, (), nodes)
    spec = replace(graph.spec, num_graphs=graphs)
    graph = replace(graph, spec=spec, graph_map=PackedIntegers.pack(of_rows, 6))
    x, found = rng.normal(size=(nodes, 3)), PooledRows(pooling, graph, 3)
    ends = sorted({0, nodes, *(cut for cut in cuts if cut < nodes)})
    chunks = [Chunk(0, a, b, 0, 1) for a, b in itertools.pairwise(ends)]
    # As threads do, in any order.
    for place in rng.permutation(len(chunks)):
        chunk = chunks[int(place)]
        found.add(chunk, x[chunk.row : chunk.stop])
    expected = POOLS[pooling](torch.from_numpy(x), torch.from_numpy(of_rows)).numpy()
    np.testing.assert_allclose(found.rows(0, graphs), expected, rtol=1e-5, atol=1e-6)
    assert found.held.nbytes == 4 * graphs * (3 + (pooling is Pooling.MEAN))


def test_a_graph_without_nodes_pools_zeros_as_in_pyg(graphs: Graphs) -> None:
    model = OfData(7)
    packed, _ = pack(model, graphs.prepared().graph, (32,))
    arrays = graphs.x[:4], np.array([[0, 1, 2, 3], [1, 0, 3, 2]]), np.array([0, 0, 2, 2])
    x, edges, batch = (torch.from_numpy(array) for array in arrays)
    expected = run_plain(model.eval(), x, edges, None, batch).numpy()
    found = packed.predict(x=arrays[0], edge_index=arrays[1], graph_of_node=arrays[2])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    bias = packed.layers[-1].bias
    assert bias is not None
    np.testing.assert_allclose(found[1], bias, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nodes": [0]}, "this model predicts whole graphs: leave out nodes"),
        ({"graph_of_node": [0, 1]}, "it must hold 4 integers, one for each node"),
        ({"graph_of_node": [0.0] * 4}, "it must hold 4 integers"),
        ({"graph_of_node": [0, 0, -1, 0]}, "graph_of_node holds -1; graphs are numbered from 0"),
        ({"graph_of_node": [0, 0, 4, 4]}, "there are no more of them than nodes (4)"),
        ({"graph_of_node": [0, 1, 1, 1]}, "edge 0 leads from graph 0 to graph 1; the nodes of an"),
        ({"x": None, "edge_index": None, "graph_of_node": [0]}, "graph_of_node is for new graphs"),
    ],
)
def test_bad_graphs_are_refused_with_one_line(changes: dict[str, Any], message: str) -> None:
    packed, _ = pooled_case("gcn")
    x, edges = drawn().x[:4], np.array([[0, 1, 2], [1, 0, 3]])
    given_arrays: dict[str, Any] = {"x": x, "edge_index": edges} | changes
    numbers = given_arrays.get("graph_of_node")
    if numbers is not None:
        given_arrays["graph_of_node"] = np.array(numbers)
    with pytest.raises(ValueError) as caught:
        packed.predict(**given_arrays)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_of_nodes_takes_no_numbers_of_graphs(small_case: Callable[[str], Any]) -> None:
    packed = small_case("gcn").packed
    x, edges = np.ones((2, 80), np.float32), np.array([[0], [1]])
    with pytest.raises(ValueError, match="predicts nodes: leave out graph_of_node"):
        packed.predict(x=x, edge_index=edges, graph_of_node=np.zeros(2, int))
    assert "num_graphs" not in json.loads(header.describe(packed))["graph"]
