"""Several graphs in one file."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from joined_graphs import prepared_graphs, random_graphs
from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph
from sgq_auto.graphs.store import load_graph, save_graph


@pytest.fixture
def graph() -> Graph:
    return prepared_graphs(random_graphs(5, seed=1))


def test_graphs_are_stored_whole(graph: Graph, tmp_path: Path) -> None:
    save_graph(graph, tmp_path / "graph.safetensors")
    loaded = load_graph(tmp_path / "graph.safetensors")
    assert loaded.fingerprint == graph.fingerprint
    assert loaded.num_graphs == 5


def _moved(graph: Graph) -> Graph:
    assert graph.graph_of_node is not None
    row = int(graph.adj_t.rowptr.diff().argmax())
    changed = graph.graph_of_node.clone()
    changed[row] = (changed[row] + 1) % 5
    return replace(graph, graph_of_node=changed)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda g: replace(g, graph_of_node=g.graph_of_node.float()), "must be int64"),
        (lambda g: replace(g, graph_of_node=g.graph_of_node[1:]), "must be int64"),
        (lambda g: replace(g, graph_of_node=g.graph_of_node - 1), "from 0 on"),
        (lambda g: replace(g, graph_of_node=g.graph_of_node * 2), "none of them without a node"),
        (lambda g: replace(g, graph_of_node=g.graph_of_node + (1 << 40)), "from 0 on"),
        (_moved, "an edge leads from one graph to another"),
    ],
)
def test_forged_blocks_are_refused(graph: Graph, change: object, said: str, tmp_path: Path) -> None:
    path = tmp_path / "graph.safetensors"
    assert callable(change)
    save_graph(change(graph), path)
    with pytest.raises(InputError, match=said) as caught:
        load_graph(path)
    assert str(path) in str(caught.value)
    assert torch.is_tensor(graph.graph_of_node)
