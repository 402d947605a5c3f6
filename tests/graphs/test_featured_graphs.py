"""Features of edges: from what people bring to the entries of a prepared graph."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.utils import coalesce, remove_self_loops

import weighted_graphs
from featured_graphs import with_edge_features
from sgq_auto.errors import InputError
from sgq_auto.graphs import BucketSettings, Graph, PreparedData, RawGraph, Split, prepare_graph
from sgq_auto.graphs.edge_weights import both_ways
from sgq_auto.graphs.many_graphs import part
from sgq_auto.graphs.many_graphs.divide import divided
from sgq_auto.graphs.many_graphs.same_edges import have_same_edges
from sgq_auto.graphs.sources import TableSource, graph_of
from sgq_auto.graphs.sources.npz.source import NpzSource
from sgq_auto.graphs.splits import PublicSplit
from sgq_auto.graphs.store import load_graph, save_graph

Listed = dict[tuple[int, int], tuple[float, ...]]


def prepared(raw: RawGraph) -> PreparedData:
    split = PublicSplit().split(raw)
    return prepare_graph(raw, split, BucketSettings((0, 1)), normalize_rows=True)


def listed(edges: Any, features: Any) -> Listed:
    pairs = zip(edges.T.tolist(), features.tolist(), strict=True)
    return {(a, b): tuple(row) for (a, b), row in pairs}


def of_graph(graph: Graph) -> Listed:
    """The features of each edge of a prepared graph, by original nodes."""
    pattern = graph.adj_t.without_loops
    assert pattern.weights is not None
    edges = graph.node_order[torch.stack([pattern.col.long(), pattern.row.long()])]
    return listed(edges, pattern.weights)


@pytest.mark.parametrize(("largest", "is_said"), [(2, False), (500, True)])
def test_columns_of_other_sizes_are_named(
    *, largest: int, is_said: bool, mixed_raw: RawGraph
) -> None:
    drawn = np.random.default_rng(0).random((mixed_raw.edge_index.shape[1], 3))
    raw = replace(mixed_raw, edge_weight=(drawn * [1, 1, largest]).astype(np.float32))
    (line,) = (note for note in prepared(raw).notes if "features each" in note)
    assert line.endswith("scale the columns alike first, or small ones are lost") == is_said


def test_features_are_where_pyg_has_them(mixed_raw: RawGraph) -> None:
    drawn = np.random.default_rng(0).normal(size=(mixed_raw.edge_index.shape[1], 3))
    raw = replace(mixed_raw, edge_weight=drawn.astype(np.float32))
    edges, features = remove_self_loops(torch.from_numpy(raw.edge_index), torch.from_numpy(drawn))
    expected = listed(*coalesce(edges, features, num_nodes=raw.num_nodes))
    data = prepared(raw)
    for graph in (data.graph, data.in_original_order().graph):
        found = of_graph(graph)
        assert found.keys() == expected.keys()
        for edge, row in found.items():
            assert row == pytest.approx(expected[edge], rel=1e-5, abs=1e-6)
    assert data.edge_weight is not None
    assert listed(data.edge_index, data.edge_weight).keys() == expected.keys()
    notes = " ".join(data.notes)
    assert "edges have 3 features each, from" in notes
    assert "the features of repeats are summed" in notes


def test_features_that_are_all_one_are_features(mixed_raw: RawGraph) -> None:
    ones = np.ones((mixed_raw.edge_index.shape[1], 2), np.float32)
    assert prepared(replace(mixed_raw, edge_weight=ones)).graph.adj_t.num_weights == 2


def test_a_stored_graph_keeps_its_features(synthetic_raw: RawGraph, tmp_path: Path) -> None:
    raw, path = with_edge_features(synthetic_raw), tmp_path / "graph.safetensors"
    graph = weighted_graphs.prepared(raw).graph
    save_graph(graph, path)
    loaded = load_graph(path)
    assert loaded.fingerprint == graph.fingerprint
    assert of_graph(loaded) == of_graph(graph)
    without = weighted_graphs.prepared(replace(raw, edge_weight=None))
    assert graph.fingerprint != without.graph.fingerprint


def _molecules(count: int = 12) -> list[Data]:
    """Rings whose bonds have a kind of two and a length."""
    made = []
    for k in range(count):
        nodes = 4 + k % 3
        place = torch.arange(nodes)
        edges = torch.stack([place, (place + 1) % nodes])
        bonds = torch.stack([place % 2, (place + 1) % 2, place + k], dim=1).float()
        both = torch.cat([edges, edges.flip(0)], dim=1)
        atoms = torch.eye(3)[(place + k) % 3]
        data = Data(x=atoms, edge_index=both, edge_attr=torch.cat([bonds, bonds]))
        made.append(Data(**data.to_dict(), y=torch.tensor([k % 2])))
    return made


def test_graphs_of_a_list_keep_their_features_in_every_part() -> None:
    graphs = _molecules()
    raw = graph_of(graphs, "rings")
    assert "rings: edge_attr is taken for the features of edges (3 columns)" in raw.notes
    split = replace(PublicSplit().split(replace(raw, split=_split())), origin="")
    whole = prepare_graph(raw, split, BucketSettings((2,)), normalize_rows=False)
    assert whole.graph.spec.weights is not None
    assert whole.graph.spec.weights.columns == 3
    assert whole.graph.spec.weights.symmetric
    assert not have_same_edges(whole.graph)
    for number in (0, 5):
        own = part(whole.graph, torch.tensor([number]))
        data = graphs[number]
        assert of_graph(own) == listed(data.edge_index, data.edge_attr)
    data = divided(whole)
    assert data.unseen is not None
    assert data.edge_weight is not None
    assert data.edge_weight.shape == (data.edge_index.shape[1], 3)  # type: ignore[union-attr]
    bare = data.without_edge_features()
    assert bare.unseen is not None
    assert bare.graph.adj_t.num_weights == bare.unseen.adj_t.num_weights == 0


def _split() -> Any:
    return Split(np.arange(6), np.arange(6, 9), np.arange(9, 12))


def test_both_ways_mirrors_sums_and_refuses() -> None:
    edges = np.array([[0, 0, 2, 1], [1, 1, 1, 2]])
    made, features = both_ways(edges, np.float32([[1, 0], [2, 1], [5, 3], [5, 3]]), "g")
    assert features is not None
    expected = {(0, 1): (3, 1), (1, 0): (3, 1), (1, 2): (5, 3), (2, 1): (5, 3)}
    assert listed(made, features) == expected
    with pytest.raises(InputError, match="from 2 to 1 has features 5 3, and the one back 5 4"):
        both_ways(edges, np.float32([[1, 0], [2, 1], [5, 3], [5, 4]]), "g")


def table(folder: Path, edges: str, **settings: Any) -> RawGraph:
    (folder / "nodes.csv").write_text("id,a,label\nann,1,x\nbob,2,y\neve,3,x\n")
    (folder / "edges.csv").write_text(edges)
    paths = str(folder / "nodes.csv"), str(folder / "edges.csv")
    return TableSource(*paths, **settings).load()


_ROADS = "source,target,km,lanes\nann,bob,0.5,2\nbob,eve,3,1\n"


def test_columns_of_a_table_are_the_features(tmp_path: Path) -> None:
    raw = table(tmp_path, _ROADS, edge_features=["km", "lanes"])
    raw.check()
    assert raw.edge_weight is not None
    expected = {(0, 1): (0.5, 2), (1, 0): (0.5, 2), (1, 2): (3, 1), (2, 1): (3, 1)}
    assert listed(raw.edge_index, raw.edge_weight) == expected
    said = "edges.csv: columns 'km', 'lanes' are taken for the features of edges (2 columns)"
    assert said in raw.notes
    one = table(tmp_path, _ROADS, edge_features="km")
    assert one.edge_weight is not None
    assert one.edge_weight.shape == (4, 1)
    unused = table(tmp_path, _ROADS)
    hint = "if some are features: dataset.source.edge_features=[COLUMN,COLUMN]"
    assert any(note.endswith(hint) for note in unused.notes)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"edge_features": ["km", "width"]}, "no column 'width'"),
        ({"edge_features": ["km", "source"]}, "column 'source' names nodes"),
        ({"edge_features": ["km"], "edge_weight": "km"}, "are both set"),
        ({"edge_features": []}, "name a column, or leave it out"),
        ({"edge_features": ["km", "km"]}, "a column is named twice"),
    ],
)
def test_columns_that_are_no_features_are_one_line(
    settings: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*$") as caught:
        table(tmp_path, _ROADS, **settings)
    assert words in str(caught.value), caught.value


def test_an_archive_may_have_features_of_edges(tmp_path: Path) -> None:
    path = tmp_path / "g.npz"
    arrays = {
        "x": np.eye(3, dtype=np.float32),
        "y": np.array([0, 1, 0]),
        "edge_index": np.array([[0, 1], [1, 2]]),
        "edge_attr": np.array([[1.0, 2.0], [3.0, 4.0]]),
    }
    np.savez(path, **arrays)  # type: ignore[arg-type]
    raw = NpzSource(str(path)).load()
    assert listed(raw.edge_index, raw.edge_weight) == {(0, 1): (1, 2), (1, 2): (3, 4)}
    assert "g.npz: 'edge_attr' is taken for the features of edges (2 columns)" in raw.notes
    both = NpzSource(str(path), undirected=True).load()
    assert listed(both.edge_index, both.edge_weight)[2, 1] == (3, 4)
    assert NpzSource(str(path), edge_weight=False).load().edge_weight is None
