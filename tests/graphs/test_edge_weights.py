"""Weights of edges: from what people bring to the entries of a prepared graph."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import coalesce, remove_self_loops

from sgq_auto.errors import InputError
from sgq_auto.graphs import BucketSettings, Graph, PreparedData, RawGraph, prepare_graph
from sgq_auto.graphs.edge_weights import are_symmetric, both_ways
from sgq_auto.graphs.sources import TableSource, graph_of
from sgq_auto.graphs.splits import PublicSplit
from sgq_auto.graphs.store import load_graph, save_graph


def weighted(raw: RawGraph, seed: int = 0, *, column: bool = False) -> RawGraph:
    """The graph with a random weight for each edge it lists, 1 at its self-loops."""
    drawn = np.random.default_rng(seed).uniform(0.5, 3, raw.edge_index.shape[1])
    drawn[raw.edge_index[0] == raw.edge_index[1]] = 1
    weights = drawn.astype(np.float32)
    return replace(raw, edge_weight=weights[:, None] if column else weights)


def prepared(raw: RawGraph) -> PreparedData:
    split = PublicSplit().split(raw)
    return prepare_graph(raw, split, BucketSettings((0, 1)), normalize_rows=True)


def by_pyg(raw: RawGraph) -> dict[tuple[int, int], float]:
    """The weight of each edge as PyG's ``coalesce`` has it."""
    edges, weights = remove_self_loops(
        torch.from_numpy(raw.edge_index), torch.from_numpy(np.asarray(raw.edge_weight).ravel())
    )
    edges, weights = coalesce(edges, weights, num_nodes=raw.num_nodes)
    return {(int(a), int(b)): float(w) for (a, b), w in zip(edges.T, weights, strict=True)}


def of_graph(graph: Graph) -> dict[tuple[int, int], float]:
    """The weight of each edge of a prepared graph, by original nodes."""
    pattern, order = graph.adj_t.without_loops, graph.node_order.tolist()
    assert pattern.weights is not None
    ends = zip(pattern.col.tolist(), pattern.row.tolist(), strict=True)
    places = [(order[a], order[b]) for a, b in ends]
    return dict(zip(places, pattern.weights.view(-1).tolist(), strict=True))


@pytest.mark.parametrize("column", [False, True])
def test_weights_are_those_of_pyg_in_any_order(odd_raw: RawGraph, *, column: bool) -> None:
    raw = weighted(odd_raw, column=column)
    data, expected = prepared(raw), by_pyg(raw)
    if not expected:
        assert data.graph.adj_t.weights is None
        return
    for graph in (data.graph, data.in_original_order().graph):
        assert of_graph(graph) == pytest.approx(expected)
        pattern = graph.adj_t
        assert pattern.weights is not None
        assert pattern.weights.shape == (
            (pattern.num_entries, 1) if column else (pattern.num_entries,)
        )
        assert (pattern.weights[pattern.row == pattern.col] == 1).all()
    assert data.edge_index is not None
    assert data.edge_weight is not None
    listed = zip(data.edge_index.T.tolist(), data.edge_weight.ravel().tolist(), strict=True)
    assert {(a, b): w for (a, b), w in listed} == pytest.approx(expected)
    assert any("edges have weights from" in note for note in data.notes)


def test_weights_of_repeats_are_summed_and_that_is_said(mixed_raw: RawGraph) -> None:
    edges = np.array([[0, 0, 1], [1, 1, 0]])
    raw = replace(mixed_raw, edge_index=edges, edge_weight=np.float32([0.25, 0.5, 3]))
    data = prepared(raw)
    assert of_graph(data.graph) == {(0, 1): 0.75, (1, 0): 3}
    assert any("1 repeated edges and 0 self-loops" in n and "summed" in n for n in data.notes)


def test_weights_that_are_all_one_are_no_weights(odd_raw: RawGraph) -> None:
    plain = prepared(odd_raw)
    edges, first = np.unique(odd_raw.edge_index, axis=1, return_index=True)
    del edges
    listed = odd_raw.edge_index[:, np.sort(first)]
    ones = np.ones(listed.shape[1], np.float32)
    data = prepared(replace(odd_raw, edge_index=listed, edge_weight=ones))
    assert data.graph.adj_t.weights is None
    assert data.edge_weight is None
    assert data.graph.fingerprint == plain.graph.fingerprint
    assert any("the same as no weights" in note for note in data.notes)


def test_a_weight_of_zero_keeps_its_edge(mixed_raw: RawGraph) -> None:
    weights = np.zeros(mixed_raw.edge_index.shape[1], np.float32)
    weights[0] = 2
    loops = mixed_raw.edge_index[0] == mixed_raw.edge_index[1]
    data = prepared(replace(mixed_raw, edge_weight=np.where(loops, 1, weights).astype(np.float32)))
    assert data.graph.adj_t.num_entries == prepared(mixed_raw).graph.adj_t.num_entries
    assert any("are 0: these edges count as neighbours" in note for note in data.notes)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1.0, 2.0], r"have shape \[2\]; they must be \[3\]"),
        (np.ones((2, 2)), r"have shape \[2, 2\]"),
        (np.ones((3, 0)), r"have shape \[3, 0\]"),
        (np.array([[1, 2], [1, np.inf], [1, 2]]), "feature of the edge from 1 to 2 is inf"),
        ([1.0, np.nan, 2.0], "the edge from 1 to 2 is nan"),
        ([1.0, 2.0, np.inf], "the edge from 3 to 3 is inf"),
        ([1.0, 2.0, 0.5], "the self-loop of node 3 has weight 0.5"),
        (np.array(["a", "b", "c"]), "give numbers"),
    ],
)
def test_weights_that_make_no_sense_are_one_line(
    mixed_raw: RawGraph, weights: Any, words: str
) -> None:
    edges = np.array([[0, 1, 3], [1, 2, 3]])
    raw = replace(mixed_raw, edge_index=edges, edge_weight=np.asarray(weights))
    with pytest.raises(InputError, match=words) as caught:
        raw.check()
    assert str(caught.value).isprintable()


def test_both_ways_mirrors_sums_and_refuses() -> None:
    edges = np.array([[0, 0, 2, 1, 3], [1, 1, 1, 2, 3]])
    made, weights = both_ways(edges, np.float32([1, 2, 5, 5, 1]), "g")
    assert weights is not None
    listed = {(int(a), int(b)): float(w) for (a, b), w in zip(made.T, weights, strict=True)}
    assert listed == {(0, 1): 3, (1, 0): 3, (1, 2): 5, (2, 1): 5, (3, 3): 1}
    assert made.shape[1] == len(listed)
    with pytest.raises(InputError, match="from 2 to 1 has weight 5, and the one back 6"):
        both_ways(edges, np.float32([1, 2, 5, 6, 1]), "g")


def test_symmetric_weights_are_known() -> None:
    row, col = np.array([0, 0, 1, 2]), np.array([1, 2, 0, 0])
    assert are_symmetric(row, col, np.float32([1, 2, 1, 2]), 3)
    assert not are_symmetric(row, col, np.float32([1, 2, 2, 1]), 3)


def test_a_stored_graph_keeps_its_weights(mixed_raw: RawGraph, tmp_path: Path) -> None:
    raw, path = weighted(mixed_raw), tmp_path / "graph.safetensors"
    graph = prepared(raw).graph
    save_graph(graph, path)
    loaded = load_graph(path)
    assert loaded.fingerprint == graph.fingerprint
    assert of_graph(loaded) == of_graph(graph)
    others = {prepared(raw).graph.fingerprint for raw in (mixed_raw, weighted(mixed_raw, 1))}
    assert graph.fingerprint not in others
    assert len(others) == 2


_DATA = {
    "x": torch.eye(3),
    "edge_index": torch.tensor([[0, 1], [1, 2]]),
    "y": torch.tensor([0, 1, -1]),
}


@pytest.mark.parametrize("name", ["edge_weight", "edge_attr"])
@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_weights_of_a_data_are_taken(name: str, shape: tuple[int, ...]) -> None:
    values = torch.tensor([0.5, 2.0], dtype=torch.float64).view(shape)
    raw = graph_of(Data(**_DATA, **{name: values}), "mine")
    raw.check()
    assert raw.edge_weight is not None
    assert raw.edge_weight.shape == shape
    assert raw.edge_weight.ravel().tolist() == [0.5, 2]
    assert f"mine: {name} is taken for the weights of edges" in raw.notes


def table(folder: Path, edges: str, **settings: Any) -> RawGraph:
    (folder / "nodes.csv").write_text("id,a,label\nann,1,x\nbob,2,y\neve,3,x\n")
    (folder / "edges.csv").write_text(edges)
    paths = str(folder / "nodes.csv"), str(folder / "edges.csv")
    return TableSource(*paths, **settings).load()


def test_a_column_of_a_table_is_the_weights(tmp_path: Path) -> None:
    edges = "source,target,km\nann,bob,0.5\nbob,eve,3\nann,bob,1\n"
    raw = table(tmp_path, edges, edge_weight="km")
    raw.check()
    assert raw.edge_weight is not None
    pairs = zip(raw.edge_index.T.tolist(), raw.edge_weight.tolist(), strict=True)
    found = {(a, b): w for (a, b), w in pairs}
    assert found == {(0, 1): 1.5, (1, 0): 1.5, (1, 2): 3, (2, 1): 3}
    assert "edges.csv: column 'km' is taken for the weights of edges" in raw.notes
    assert any("1 of 3 rows repeat" in n and "summed" in n for n in raw.notes)
    directed = table(tmp_path, edges, edge_weight="km", undirected=False)
    assert directed.edge_weight is not None
    assert directed.edge_weight.tolist() == [0.5, 3, 1]
    unused = table(tmp_path, edges)
    assert unused.edge_weight is None
    assert any("'km' is not used; if one is a weight" in note for note in unused.notes)


@pytest.mark.parametrize(
    ("edges", "column", "words"),
    [
        ("source,target,km\nann,bob,\n", "km", "column 'km' is empty in row 1"),
        ("source,target,km\nann,bob,far\n", "km", "column 'km' holds 'far' in row 1; a"),
        ("source,target,km\nann,bob,1\n", "mk", "no column 'mk'"),
        ("source,target,km\nann,bob,1\n", "target", "column 'target' names nodes"),
        ("source,target,km\nann,bob,1\nbob,ann,2\n", "km", "keep directions with"),
        ("source,target,km\nann,bob,1\nann,ann,2\n", "km", "the self-loop of node 0"),
    ],
)
def test_a_column_that_is_no_weight_is_one_line(
    edges: str, column: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"^edges[^\n]*$") as caught:
        table(tmp_path, edges, edge_weight=column)
    assert words in str(caught.value), caught.value
