"""Many graphs from PyG's lists and from TUDataset's text files, as one block-diagonal graph."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data, InMemoryDataset

from sgq_auto.errors import InputError
from sgq_auto.graphs.folds import FoldSplit
from sgq_auto.graphs.raw_graph import RawGraph
from sgq_auto.graphs.sources import PygFileSource, TuSource
from sgq_auto.graphs.sources.pyg.data import graph_of_data

DATA = Path(os.environ.get("SGQ_AUTO_DATA", "../shared/data"))


def path_graph(nodes: int, y: object, width: int = 2) -> Data:
    """A path of some nodes, both ways, whose features count its nodes."""
    ends = torch.arange(nodes - 1)
    edges = torch.stack([torch.cat([ends, ends + 1]), torch.cat([ends + 1, ends])])
    x = torch.arange(1.0, nodes * width + 1).reshape(nodes, width)
    return Data(x=x, edge_index=edges, y=torch.as_tensor(y))


def small_set() -> list[Data]:
    return [path_graph(2 + k % 3, k % 2) for k in range(12)]


def test_graphs_are_the_blocks_of_one_and_have_a_class_each() -> None:
    raw = graph_of_data(small_set(), "paths")
    raw.check()
    assert raw.graph_of_node is not None
    assert raw.num_graphs == 12
    assert raw.predicts_graphs
    assert raw.y.tolist() == [0, 1] * 6
    assert np.bincount(raw.graph_of_node).tolist() == [2, 3, 4] * 4
    # No edge leads from one graph to another.
    source, target = raw.graph_of_node[raw.edge_index]
    assert (source == target).all()
    assert raw.edge_index.shape[1] == sum(2 * (2 + k % 3 - 1) for k in range(12))


def test_a_batch_and_a_saved_dataset_are_the_same_graphs(tmp_path: Path) -> None:
    plain = graph_of_data(small_set(), "paths")
    batch = graph_of_data(Batch.from_data_list(small_set()), "paths")
    torch.save(small_set(), tmp_path / "graphs.pt")
    saved = PygFileSource(str(tmp_path / "graphs.pt")).load()
    for other in (batch, saved):
        assert np.array_equal(plain.edge_index, other.edge_index)
        assert np.array_equal(plain.x, other.x)
        assert np.array_equal(plain.y, other.y)


def test_what_a_dataset_of_pyg_saves_is_read(tmp_path: Path) -> None:
    from torch_geometric.data import InMemoryDataset

    data, slices = InMemoryDataset.collate(small_set())
    torch.save((data.to_dict(), slices), tmp_path / "data.pt")
    raw = PygFileSource(str(tmp_path / "data.pt")).load()
    plain = graph_of_data(small_set(), "paths")
    assert np.array_equal(plain.x, raw.x)
    assert np.array_equal(plain.edge_index, raw.edge_index)


def test_one_graph_that_a_dataset_of_pyg_saves_is_read(tmp_path: Path) -> None:
    one = path_graph(9, [0, 1, 2] * 3)
    InMemoryDataset.save([one], str(tmp_path / "one.pt"))
    raw = PygFileSource(str(tmp_path / "one.pt")).load()
    assert raw.graph_of_node is None
    np.testing.assert_array_equal(raw.x, one.x)


def test_a_list_may_bring_its_split() -> None:
    split = {"train": torch.arange(8), "val": torch.tensor([8, 9]), "test": torch.tensor([10, 11])}
    raw = graph_of_data({"graphs": small_set(), "split_idx": split}, "paths")
    assert raw.split is not None
    assert FoldSplit().split(raw).test.tolist() == [10, 11]


def test_nodes_of_many_graphs_may_have_classes_of_their_own() -> None:
    graphs = [path_graph(3, [0, 1, k % 2]) for k in range(4)]
    raw = graph_of_data(graphs, "paths")
    raw.check()
    assert not raw.predicts_graphs
    split = FoldSplit(folds=4, fold=2).split(raw)
    assert raw.graph_of_node is not None
    tested, validated = (set(raw.graph_of_node[part]) for part in (split.test, split.val))
    assert len(tested) == len(validated) == 1
    assert split.test.size == 3
    assert not tested & set(raw.graph_of_node[split.train])


def test_numbers_of_a_graph_in_a_vector_are_not_taken_for_those_of_other_graphs() -> None:
    graphs = [path_graph(3 + k % 3, [0.5, float(k)]) for k in range(8)]
    with pytest.raises(InputError, match=r"y of a graph has shape \[2\].* a row, y \[1, 2\]$"):
        graph_of_data(graphs, "paths")
    rows = [path_graph(3 + k % 3, [[0.5, float(k)]]) for k in range(8)]
    assert graph_of_data(rows, "paths").y.shape == (8, 2)
    alike = [path_graph(3, [0, 1, 0]) for _ in range(8)]
    assert not graph_of_data(alike, "paths").predicts_graphs


def test_nodes_without_features_have_their_degrees() -> None:
    graphs = [Data(edge_index=d.edge_index, num_nodes=d.num_nodes, y=d.y) for d in small_set()]
    raw = graph_of_data(graphs, "paths")
    raw.check()
    assert raw.x.shape == (36, 3)
    assert raw.x.toarray()[:5].argmax(axis=1).tolist() == [1, 1, 1, 2, 1]
    assert "their features are their degrees" in raw.notes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g.__setitem__(3, path_graph(3, 0, width=5)), "x of graph 3 has shape"),
        (lambda g: g.__setitem__(2, "a string"), "graph 2 is a str"),
        (lambda g: setattr(g[4], "x", torch.empty(0, 2)), "graph 4 has no node"),
        (lambda g: setattr(g[5], "y", None), "graph 0 has y, and graph 5 has none"),
        (lambda g: setattr(g[6], "edge_index", torch.tensor([[0], [9]])), "of graph 6 holds nodes"),
        (lambda g: g.clear(), "a list without a graph"),
    ],
)
def test_graphs_that_do_not_go_together_are_named(change: object, message: str) -> None:
    graphs = small_set()
    change(graphs)  # type: ignore[operator]
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        graph_of_data(graphs, "paths")
    assert "\n" not in str(caught.value)


class TestFolds:
    """Stratified folds, of which one is tested and the one before validates."""

    @pytest.fixture
    def raw(self) -> RawGraph:
        return graph_of_data([path_graph(2 + k % 3, int(k % 4 == 0)) for k in range(80)], "paths")

    def test_every_graph_is_tested_once_and_folds_have_their_share_of_classes(
        self, raw: RawGraph
    ) -> None:
        tested = []
        for fold in range(5):
            split = FoldSplit(folds=5, fold=fold, seed=3).split(raw)
            parts = np.concatenate([split.train, split.val, split.test])
            assert np.array_equal(np.sort(parts), np.arange(80))
            assert raw.y[split.test].sum() == 4
            tested.append(split.test)
            before = FoldSplit(folds=5, fold=(fold - 1) % 5, seed=3).split(raw)
            assert np.array_equal(split.val, before.test)
        assert np.array_equal(np.sort(np.concatenate(tested)), np.arange(80))

    def test_bad_folds_are_one_line(self, raw: RawGraph) -> None:
        with pytest.raises(InputError, match="fold=5: the 5 folds are 0 to 4"):
            FoldSplit(folds=5, fold=5)
        with pytest.raises(InputError, match="must be at least 3"):
            FoldSplit(folds=2)
        with pytest.raises(InputError, match="there are 80 graphs"):
            FoldSplit(folds=81).split(raw)
        with pytest.raises(InputError, match="class 1 has 20 graphs"):
            FoldSplit(folds=30).split(raw)


class TestTu:
    """TUDataset's text files."""

    def test_labels_of_nodes_are_features(self) -> None:
        if not (DATA / "TUDataset/MUTAG/raw").is_dir():
            pytest.skip("no MUTAG below SGQ_AUTO_DATA")
        raw = TuSource("MUTAG", str(DATA)).load()
        raw.check()
        assert (raw.num_graphs, raw.num_nodes, raw.edge_index.shape[1]) == (188, 3371, 7442)
        assert raw.x.shape == (3371, 7)
        assert (raw.x.sum(axis=1) == 1).all()
        assert np.bincount(raw.y).tolist() == [63, 125]
        assert raw.edge_weight is not None
        assert raw.edge_weight.shape == (7442, 4)
        assert (raw.edge_weight.sum(axis=1) == 1).all()
        assert "edge_attr is taken for the features of edges (4 columns)" in " ".join(raw.notes)

    def test_what_is_missing_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"add dataset\.source\.name=PROTEINS"):
            TuSource(None, str(tmp_path))
        folder = tmp_path / "TUDataset/ABC/raw"
        folder.mkdir(parents=True)
        (folder / "ABC_A.txt").write_text("1, 2\n2, 1\n")
        with pytest.raises(InputError, match=r"there must be ABC_A\.txt, ABC_graph_indicator\.txt"):
            TuSource("ABC", str(tmp_path)).load()
