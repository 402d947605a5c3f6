"""``python -m sgq_auto.infer graph=...`` with a model that reads features of edges."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import random_allocation
from torch_geometric.data import Data

from featured_graphs import featured_net, with_edge_features
from joined_graphs import prepared_graphs, random_graphs
from sgq_auto.commands import infer
from sgq_auto.errors import InputError
from sgq_auto.graphs import RawGraph
from sgq_auto.packed import load, save
from sgq_auto.quantize import convert, prepare

_RAWS = [with_edge_features(raw, 2) for raw in random_graphs(6, seed=2, nodes=(6, 14))]


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, graph = tmp_path_factory.mktemp("model") / "model.safetensors", prepared_graphs(_RAWS)
    torch.manual_seed(0)
    plain = featured_net("gine", graph.features.num_features, 3, 2)
    allocation = random_allocation(plain, graph, [6, 8], 0)
    save(convert(prepare(plain, graph, allocation), graph), path)
    return path


def _archive(raw: RawGraph, path: Path) -> Path:
    np.savez(path, x=raw.x.toarray(), edge_index=raw.edge_index, edge_attr=raw.edge_weight)
    return path


def _saved(raw: RawGraph, path: Path) -> Path:
    edges, features = torch.from_numpy(raw.edge_index), torch.from_numpy(raw.edge_weight)
    x = torch.from_numpy(raw.x.toarray())
    torch.save(Data(x=x, edge_index=edges, edge_attr=features), path)
    return path


def _tables(raw: RawGraph, folder: Path, columns: str = "km,lanes") -> Path:
    folder.mkdir()
    x = raw.x.toarray()
    names = ",".join(f"f{k}" for k in range(x.shape[1]))
    rows = [f"{n},{','.join(map(str, row))}" for n, row in enumerate(x.tolist())]
    (folder / "nodes.csv").write_text("\n".join([f"id,{names}", *rows]) + "\n")
    assert raw.edge_weight is not None
    both = zip(raw.edge_index.T.tolist(), raw.edge_weight.tolist(), strict=True)
    edges = [f"{a},{b},{','.join(map(str, features))}" for (a, b), features in both]
    (folder / "edges.csv").write_text("\n".join([f"source,target,{columns}", *edges]) + "\n")
    return folder


@pytest.mark.parametrize(
    ("name", "made", "said"),
    [
        ("new.npz", _archive, "nodes predicted"),
        ("new.pt", _saved, "new.pt: edge_attr is taken for the features of edges (2 columns)"),
        ("new", _tables, "columns 'km', 'lanes' are taken for the features of edges (2 columns)"),
    ],
)
def test_a_graph_is_predicted_with_its_features(
    name: str,
    made: Callable[..., Path],
    said: str,
    artifact: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    raw = _RAWS[0]
    path = made(raw, tmp_path / name)
    infer._run([f"artifact={artifact}", f"graph={path}", f"out={tmp_path / 'out.npy'}"])
    given = {"x": raw.x.toarray(), "edge_index": raw.edge_index, "edge_attr": raw.edge_weight}
    expected = load(artifact).predict(**given).argmax(axis=1)
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), expected)
    assert said in capsys.readouterr().out


def test_what_cannot_be_predicted_is_one_line(artifact: Path, tmp_path: Path) -> None:
    raw = _RAWS[0]
    plain = tmp_path / "plain.npz"
    np.savez(plain, x=raw.x.toarray(), edge_index=raw.edge_index)
    wide = tmp_path / "wide.npz"
    features = np.ones((raw.edge_index.shape[1], 4))
    np.savez(wide, x=raw.x.toarray(), edge_index=raw.edge_index, edge_attr=features)
    for path, words in (
        (plain, "this model reads 2 features of each edge: give edge_attr [E, 2]"),
        (wide, "2 for each of the"),
        (_tables(raw, tmp_path / "few", "km,lanes,tolls"), "there are 3 columns ('km', 'lanes', "),
    ):
        if path.name == "few":
            lines = (path / "edges.csv").read_text().splitlines()
            rows = [lines[0], *(f"{line},1" for line in lines[1:])]
            (path / "edges.csv").write_text("\n".join(rows) + "\n")
        with pytest.raises(InputError, match=r"^graph=[^\n]*$") as caught:
            infer._run([f"artifact={artifact}", f"graph={path}"])
        assert words in str(caught.value)
