"""Tables of many graphs: nodes, edges and graphs, each in a file of its own."""

from pathlib import Path

import numpy as np
import pytest

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw_graph import RawGraph
from sgq_auto.graphs.sources import TableSource
from sgq_auto.graphs.splits import OwnOrPerClassSplit
from sgq_auto.task import Task

_NODES = ["id,graph,a,b", "0,g1,1,0", "1,g1,2,1", "0,g2,3,0", "1,g2,4,1", "2,g2,5,0", "0,g3,6,1"]
_EDGES = ["graph,source,target", "g1,0,1", "g2,0,1", "g2,1,2"]
_GRAPHS = ["graph,label,split", "g2,toxic,train", "g1,safe,val", "g3,safe,test"]


def read(folder: Path, **tables: list[str]) -> RawGraph:
    files = {"nodes": _NODES, "edges": _EDGES, "graphs": _GRAPHS} | tables
    for name, rows in files.items():
        (folder / f"{name}.csv").write_text("\n".join(rows) + "\n")
    paths = {name: str(folder / f"{name}.csv") for name in files}
    return TableSource(paths["nodes"], paths["edges"], graphs=paths["graphs"]).load()


def test_ids_count_anew_in_each_graph_and_labels_are_of_graphs(tmp_path: Path) -> None:
    raw = read(tmp_path).for_task()
    raw.check()
    assert raw.task is Task.GRAPH_CLASSIFICATION
    assert raw.graph_of_node is not None
    assert raw.graph_of_node.tolist() == [1, 1, 0, 0, 0, 2]
    assert raw.class_names == ("safe", "toxic")
    assert raw.y.tolist() == [1, 0, 0]
    assert {tuple(edge) for edge in raw.edge_index.T.tolist()} == {
        *((0, 1), (1, 0), (2, 3), (3, 2), (3, 4), (4, 3))
    }
    split = OwnOrPerClassSplit(val_per_class=1).split(raw)
    assert (split.train.tolist(), split.val.tolist(), split.test.tolist()) == ([0], [1], [2])
    assert raw.x.tolist() == [[1, 0], [2, 1], [3, 0], [4, 1], [5, 0], [6, 1]]
    assert any("column 'graph' names the 3 graphs" in note for note in raw.notes)


def test_numbers_of_graphs_are_a_regression(tmp_path: Path) -> None:
    graphs = ["graph,label", "g1,0.5", "g2,-1.5", "g3,2.25"]
    raw = read(tmp_path, graphs=graphs).for_task()
    assert raw.task is Task.GRAPH_REGRESSION
    assert raw.y.tolist() == [[0.5], [-1.5], [2.25]]


def test_nodes_of_many_graphs_may_have_the_labels(tmp_path: Path) -> None:
    rows = [f"{line},{'label' if k == 0 else k % 2}" for k, line in enumerate(_NODES)]
    (tmp_path / "nodes.csv").write_text("\n".join(rows))
    (tmp_path / "edges.csv").write_text("\n".join(_EDGES))
    nodes, edges = (str(tmp_path / name) for name in ("nodes.csv", "edges.csv"))
    raw = TableSource(nodes, edges, graph="graph").load().for_task()
    raw.check()
    assert raw.task is Task.NODE_CLASSIFICATION
    assert raw.num_graphs == 3
    assert raw.y.tolist() == [1, 0, 1, 0, 1, 0]


def test_graphs_without_a_split_have_folds(tmp_path: Path) -> None:
    names = [f"g{k}" for k in range(40)]
    nodes = ["id,graph,a", *(f"{k},{name},{k % 3}" for name in names for k in range(3))]
    edges = ["graph,source,target", *(f"{name},0,1" for name in names)]
    graphs = ["graph,label", *(f"{name},{k % 2}" for k, name in enumerate(names))]
    raw = read(tmp_path, nodes=nodes, edges=edges, graphs=graphs).for_task()
    split = OwnOrPerClassSplit(val_per_class=1).split(raw)
    assert "10 folds of the graphs" in split.origin
    assert np.unique(np.concatenate([split.train, split.val, split.test])).size == 40


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"nodes": [*_NODES, "1,g9,1,1"]}, "'g9' in column 'graph', row 7, is no graph of graphs"),
        ({"nodes": [*_NODES, "1,,1,1"]}, "column 'graph' is empty in row 7"),
        ({"graphs": [*_GRAPHS, "g4,safe,test"]}, "graph 'g4' has no node in nodes.csv"),
        ({"graphs": [*_GRAPHS, "g1,safe,test"]}, "'g1' is in column 'graph' twice"),
        (
            {
                "edges": ["source,target", "0,1", "1,2"],
                "nodes": ["id,graph,a", "0,g1,1", "1,g2,1", "2,g3,1"],
            },
            "row 1 joins nodes of two graphs, 'g1' and 'g2'",
        ),
        ({"nodes": ["id,a", "0,1", "1,2"]}, "no column 'graph'"),
    ],
)
def test_tables_that_do_not_go_together_are_one_line(
    tables: dict[str, list[str]], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, **tables)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
