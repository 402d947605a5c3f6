"""NumPy archives as benchmarks write them, and what one costs before it is read."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from sgq_auto.errors import InputError
from sgq_auto.graphs import RawGraph
from sgq_auto.graphs.sources import NpzSource, PygSource, memory_needed
from sgq_auto.graphs.splits import OwnOrPerClassSplit

_X = np.float32([[1, 0], [0, 2], [0, 0], [3, 4]])
_EDGES = np.array([[0, 1], [1, 2], [3, 0]])
_Y = np.array([0, 1, 0, 1])
_BOTH_WAYS = {(0, 1), (1, 0), (1, 2), (2, 1), (3, 0), (0, 3)}


def read(folder: Path, arrays: dict[str, Any], **settings: Any) -> RawGraph:
    np.savez_compressed(folder / "g.npz", **arrays)
    raw = NpzSource(str(folder / "g.npz"), **settings).load()
    raw.check()
    return raw


def csr(prefix: str, matrix: Any) -> dict[str, Any]:
    parts = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr}
    return {f"{prefix}{k}": v for k, v in (parts | {"shape": np.array(matrix.shape)}).items()}


_ADJACENCY = scipy.sparse.csr_matrix((np.ones(3), (_EDGES[:, 0], _EDGES[:, 1])), shape=(4, 4))
_ROWS = np.eye(4, dtype=bool)
_CSR_X = scipy.sparse.csr_matrix(_X)
_HETEROPHILOUS = {
    "node_features": _X,
    "node_labels": _Y,
    "edges": _EDGES,
    "train_masks": _ROWS[[0, 0]],
    "val_masks": _ROWS[[1, 0]],
    "test_masks": _ROWS[[2, 0]],
}


@pytest.mark.parametrize(
    "arrays",
    [
        _HETEROPHILOUS,
        {"features": _X, "labels": _Y, "edges": _EDGES.T},
        {"feat": _X, "label": _Y, "edge_list": _EDGES},
        {**csr("attr_", _CSR_X), **csr("adj_", _ADJACENCY), "labels": _Y},
        {**csr("attr_matrix.", _CSR_X), **csr("adj_matrix.", _ADJACENCY), "labels": _Y},
        {"x": _X, "y": _Y, "adj": _ADJACENCY.toarray()},
    ],
)
def test_names_of_others(arrays: dict[str, Any], tmp_path: Path) -> None:
    raw = read(tmp_path, arrays)
    x: Any = raw.x
    np.testing.assert_array_equal(x.toarray() if scipy.sparse.issparse(x) else x, _X)
    assert raw.y.tolist() == _Y.tolist()
    assert {(int(a), int(b)) for a, b in raw.edge_index.T} == _BOTH_WAYS
    assert any("features are" in note and "edges are" in note for note in raw.notes)
    assert any("undirected=false" in note for note in raw.notes)
    assert read(tmp_path, arrays, undirected=False).edge_index.shape == (2, 3)


def test_the_masks_of_heterophilous_graphs(tmp_path: Path) -> None:
    raw = read(tmp_path, _HETEROPHILOUS)
    assert len(raw.splits) == 2
    split = OwnOrPerClassSplit(1, val_per_class=1, column=0).split(raw)
    assert [split.train.tolist(), split.val.tolist(), split.test.tolist()] == [[0], [1], [2]]


def test_edge_index_keeps_its_directions(tmp_path: Path) -> None:
    arrays = {"x": _X, "y": _Y, "edge_index": _EDGES.T}
    assert read(tmp_path, arrays).edge_index.tolist() == _EDGES.T.tolist()
    assert not read(tmp_path, arrays).notes
    assert read(tmp_path, arrays, undirected=True).edge_index.shape == (2, 6)


def test_values_of_an_adjacency_are_weights_unless_they_are_not_wanted(tmp_path: Path) -> None:
    arrays = {"x": _X, "y": _Y, **csr("adj_", _ADJACENCY * 0.5)}
    raw = read(tmp_path, arrays)
    assert raw.edge_weight is not None
    assert raw.edge_weight.tolist() == [0.5] * raw.edge_index.shape[1]
    assert any("values of 'adj_data' are taken for the weights of edges" in n for n in raw.notes)
    plain = read(tmp_path, arrays, edge_weight=False)
    assert plain.edge_weight is None
    assert any("values of 'adj_data' are not used" in n for n in plain.notes)


def test_an_array_of_weights_is_read(tmp_path: Path) -> None:
    arrays = {"x": _X, "y": _Y, "edge_index": _EDGES.T, "edge_weight": np.array([1.0, 2.0, 3.0])}
    raw = read(tmp_path, arrays)
    assert raw.edge_weight is not None
    assert raw.edge_weight.tolist() == [1, 2, 3]
    assert any("'edge_weight' is taken for the weights of edges" in n for n in raw.notes)
    assert read(tmp_path, arrays, edge_weight=False).edge_weight is None
    both = read(tmp_path, arrays, undirected=True)
    assert both.edge_weight is not None
    of_edge = {
        (a, b): w for (a, b), w in zip(both.edge_index.T.tolist(), both.edge_weight, strict=True)
    }
    assert all(of_edge[b, a] == w for (a, b), w in of_edge.items())


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": _X, "features": _X, "y": _Y, "edges": _EDGES}, "x and features may both be meant"),
        ({"x": _X, "y": _Y, "labels": _Y, "edges": _EDGES}, "y and labels may both"),
        ({"x": _X, "y": _Y, "links": _EDGES}, "no edges; it has 'links', 'x', 'y'"),
        ({"x": _X[:3], "y": _Y, "edges": _EDGES}, "x has 3 rows and y has shape (4,)"),
        ({"x": _X, "y": _Y, "adj": np.ones((4, 3))}, "must be [nodes, nodes]"),
        (
            {"x": _X, "y": _Y, "edges": _EDGES, "edge_attr": np.ones((3, 2, 2))},
            "edge_attr has shape",
        ),
        ({"x": _X, "y": _Y, "edges": _EDGES, "edge_weight": np.ones((3, 2))}, "as edge_attr"),
        ({"x": _X, "y": _Y, "adj": np.eye(4) * 2, "edge_weight": np.ones(3)}, "list of edges"),
    ],
)
def test_what_is_not_clear_is_one_line(arrays: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*g\.npz: [^\n]*$") as caught:
        read(tmp_path, arrays)
    assert words in str(caught.value), caught.value


def test_the_file_of_amazon_is_the_graph_that_pyg_reads(data_root: Path) -> None:
    path = data_root / "Amazon" / "Computers" / "raw" / "amazon_electronics_computers.npz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    raw = NpzSource(str(path)).load()
    pyg = PygSource("Amazon", "Computers", str(data_root)).load()
    x: Any = raw.x
    np.testing.assert_array_equal(x.toarray(), pyg.x)
    np.testing.assert_array_equal(raw.y, pyg.y)
    ours, theirs = (
        np.unique(np.stack([a, b])[:, a != b], axis=1) for a, b in (raw.edge_index, pyg.edge_index)
    )
    np.testing.assert_array_equal(ours, theirs)


_GRAPH = {"x": _X, "y": _Y, "edge_index": _EDGES.T}


def test_what_would_not_fit_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_needed, "available_bytes", lambda: 1 << 20)
    assert read(tmp_path, _GRAPH).num_nodes == 4
    monkeypatch.setattr(np, "load", lambda *_, **__: pytest.fail("the bomb was opened"))
    bomb = _GRAPH | {"x": np.zeros((4, 1 << 20), np.float32)}
    with pytest.raises(InputError, match=r"g\.npz: what it unpacks to takes [^\n]* are free here$"):
        read(tmp_path, bomb)
    assert (tmp_path / "g.npz").stat().st_size < 1 << 17


def test_what_is_not_used_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_needed, "available_bytes", lambda: 1 << 20)
    trap = np.array([{"a": 1}], dtype=object)
    raw = read(tmp_path, _GRAPH | {"more": np.zeros(1 << 22), "names": trap})
    assert any("'more', 'names'" in note for note in raw.notes)


@pytest.mark.parametrize("shape", ["(4, 1000000)", "(-4, 2)", "(2, 2)"])
def test_a_header_that_lies_of_its_array_is_refused(shape: str, tmp_path: Path) -> None:
    path = tmp_path / "g.npz"
    np.savez(path, **_GRAPH)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    header = files["x.npy"]
    lied = header.replace(b"(4, 2)", shape.encode())
    cut = len(lied) - len(header)
    files["x.npy"] = lied.replace(b" " * cut, b"", 1) if cut > 0 else lied
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match=r"g\.npz: not a NumPy archive [^\n]*announces"):
        NpzSource(str(path)).load()
