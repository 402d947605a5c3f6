"""``python -m sgq_auto.infer graph=...``: graphs that no model holds."""

import csv
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import Case, make_case
from torch_geometric.data import Data

from joined_graphs import joined, prepared_graphs, random_graphs
from sgq_auto.commands import infer
from sgq_auto.errors import InputError
from sgq_auto.packed import PackedModel, load, save

_RAWS = random_graphs(6, seed=2, nodes=(6, 14))


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save(make_case(prepared_graphs(_RAWS), "gcn", [4, 8]).packed, path)
    return path


@pytest.fixture
def run(artifact: Path) -> Callable[..., None]:
    def call(*arguments: str) -> None:
        infer._run([f"artifact={artifact}", *arguments])

    return call


def _expected(model: PackedModel, number: int = 0) -> np.ndarray:
    raw = _RAWS[number]
    logits = model.predict(x=raw.x.toarray(), edge_index=raw.edge_index)
    return logits.argmax(axis=1)


def _npz(path: Path, **more: np.ndarray) -> Path:
    np.savez(path, x=_RAWS[0].x.toarray(), edge_index=_RAWS[0].edge_index, **more)
    return path


def test_an_archive_is_predicted(
    artifact: Path, run: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _npz(tmp_path / "new.npz", y=np.zeros(3))
    run(f"graph={path}", f"out={tmp_path / 'out.npy'}")
    expected = _expected(load(artifact))
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
    said = capsys.readouterr().out
    assert "new.npz: not used: y" in said
    assert f"{expected.size} of {expected.size} nodes predicted" in said


def test_some_nodes_of_it(
    artifact: Path, run: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(f"graph={_npz(tmp_path / 'new.npz')}", "nodes=2,0")
    model = load(artifact)
    expected = [model.classes[k] for k in _expected(model)[[2, 0]]]
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"node 2: class {expected[0]}", f"node 0: class {expected[1]}"]


def test_a_pyg_file_of_one_graph_or_of_several(
    artifact: Path, run: Callable[..., None], tmp_path: Path
) -> None:
    data = [
        Data(x=torch.from_numpy(r.x.toarray()), edge_index=torch.from_numpy(r.edge_index))
        for r in _RAWS[:2]
    ]
    model = load(artifact)
    both = [_expected(model, 0), _expected(model, 1)]
    for content, expected in ((data[0], both[0]), (data, np.concatenate(both))):
        torch.save(content, tmp_path / "new.pt")
        run(f"graph={tmp_path / 'new.pt'}", f"out={tmp_path / 'out.npy'}")
        np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


def _write(path: Path, rows: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.mark.parametrize("labelled", [False, True])
def test_a_folder_of_tables(
    artifact: Path, run: Callable[..., None], labelled: bool, tmp_path: Path
) -> None:
    raw, dense = _RAWS[0], _RAWS[0].x.toarray()
    names = [f"n{k}" for k in range(raw.num_nodes)]
    extra = ["label"] if labelled else []
    nodes = [["id", *(f"f{k}" for k in range(dense.shape[1])), *extra]]
    nodes += [
        [name, *row, *(["?"] if labelled else [])] for name, row in zip(names, dense, strict=True)
    ]
    _write(tmp_path / "nodes.csv", nodes)
    ends = [[names[s], names[t]] for s, t in raw.edge_index.T if s < t]
    _write(tmp_path / "edges.csv", [["source", "target"], *ends])
    run(f"graph={tmp_path}", f"out={tmp_path / 'out.csv'}")
    model = load(artifact)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.reader(file))[1:]
    expected = [model.classes[k] for k in _expected(model)]
    assert found == [[name, k] for name, k in zip(names, expected, strict=True)]


def test_tables_have_degrees_where_those_of_the_search_had(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raws = [replace(r, x=np.ones((r.num_nodes, 1), np.float32)) for r in _RAWS]
    wide = []
    for raw in raws:
        degrees = np.bincount(raw.edge_index[1], minlength=raw.num_nodes)
        wide.append(replace(raw, x=np.hstack([raw.x, np.eye(32, dtype=np.float32)[degrees]])))
    path = tmp_path / "model.safetensors"
    save(make_case(prepared_graphs(wide), "gcn", [8]).packed, path)
    _write(tmp_path / "nodes.csv", [["id", "one"], *([k, 1] for k in range(raws[0].num_nodes))])
    ends = [[s, t] for s, t in raws[0].edge_index.T if s < t]
    _write(tmp_path / "edges.csv", [["source", "target"], *ends])
    infer._run([f"artifact={path}", f"graph={tmp_path}", f"out={tmp_path / 'out.npy'}"])
    expected = load(path).predict(x=wide[0].x, edge_index=wide[0].edge_index).argmax(1)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
    assert "the degree" in capsys.readouterr().out


def test_a_model_with_a_graph_of_its_own_predicts_others_too(
    small_case: Callable[[str], Case], tmp_path: Path
) -> None:
    case = small_case("gcn")
    save(case.packed, tmp_path / "model.safetensors")
    width = case.graph.features.num_features
    x = np.random.default_rng(0).random((5, width)).astype(np.float32)
    edges = np.array([[0, 1, 2, 3], [1, 0, 3, 2]])
    np.savez(tmp_path / "new.npz", x=x, edge_index=edges)
    arguments = [f"artifact={tmp_path / 'model.safetensors'}", f"graph={tmp_path / 'new.npz'}"]
    infer._run([*arguments, f"out={tmp_path / 'out.npy'}"])
    expected = case.packed.predict(x=x, edge_index=edges).argmax(1)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)


def test_an_archive_takes_neither_torch_nor_pyg(
    run: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _npz(tmp_path / "new.npz")
    for name in [
        name for name in sys.modules if name.split(".")[0] in ("torch", "torch_geometric")
    ]:
        monkeypatch.setitem(sys.modules, name, None)
    run(f"graph={path}")


def test_what_cannot_be_predicted_is_one_line(run: Callable[..., None], tmp_path: Path) -> None:
    narrow = tmp_path / "narrow.npz"
    np.savez(narrow, x=np.ones((3, 2)), edge_index=np.zeros((2, 0), int))
    lacking = tmp_path / "lacking.npz"
    np.savez(lacking, x=np.ones((3, 6)))
    empty = tmp_path / "empty.npz"
    np.savez(empty, edge_index=np.zeros((2, 0), int))
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, x=np.array([{}], dtype=object), edge_index=np.zeros((2, 0), int))
    text = tmp_path / "text.npz"
    text.write_text("no archive")
    large = tmp_path / "large.npz"
    np.savez_compressed(large, x=np.zeros((1 << 14, 1 << 11)), edge_index=np.zeros((2, 0), int))
    (tmp_path / "folder").mkdir()
    cases = {
        "": "the model is for many graphs and holds none: give one with graph=FILE",
        f"graph={tmp_path / 'none.npz'}": "there is no such file or folder",
        f"graph={__file__}": r"it must be \.npz, \.pt, or a folder",
        f"graph={narrow}": r"x has shape \(3, 2\); it must be \[nodes, 6\]",
        f"graph={lacking}": "this model holds no graph: give x and edge_index",
        f"graph={empty}": "it has no array 'x'",
        f"graph={pickled}": "not a NumPy archive of plain arrays",
        f"graph={text}": "not a NumPy archive of plain arrays",
        f"graph={large}": "it unpacks to 268,",
        f"graph={tmp_path / 'folder'}": r"no nodes\.csv or nodes\.parquet in this folder",
    }
    for argument, said in cases.items():
        with pytest.raises(InputError, match=said) as caught:
            run(*filter(None, [argument]))
        assert len(str(caught.value).splitlines()) == 1


def test_several_graphs_in_an_archive_are_predicted_together(
    artifact: Path, run: Callable[..., None], tmp_path: Path
) -> None:
    whole, owner = joined(_RAWS[:3])
    np.savez(tmp_path / "new.npz", x=whole.x.toarray(), edge_index=whole.edge_index, batch=owner)
    run(f"graph={tmp_path / 'new.npz'}", f"out={tmp_path / 'out.npy'}")
    model = load(artifact)
    expected = np.concatenate([_expected(model, k) for k in range(3)])
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
