"""What newcomers with a graph of their own are told by the real command."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import hydra
import numpy as np
import pytest

from command_runs import QUICK, fails, npz, run
from sgq_auto.commands import export, infer, restore
from sgq_auto.configuration.checked_settings import checked, conf_dir, load_data

pytestmark = pytest.mark.system

_MODULE = """
import torch
from torch_geometric.data import Data


def load(num_nodes=200, **fields):
    y = torch.arange(num_nodes) % 2
    return Data(x=torch.eye(2)[y], edge_index=torch.tensor([[0, 1], [1, 2]]), y=y, **fields)


def broken():
    return {}["no such key"]


class Source:
    def __init__(self, num_nodes):
        self.num_nodes = num_nodes

    def load(self):
        return load(self.num_nodes) if self.num_nodes else broken()


def nothing():
    return None
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a person works: two tables and some Python."""
    (tmp_path / "nodes.csv").write_text("id,a,kind\n" + "".join(f"n{k},{k},x\n" for k in range(40)))
    (tmp_path / "edges.csv").write_text("source,target\nn1,n2\n")
    (tmp_path / "newcomers_graph.py").write_text(_MODULE)
    npz(tmp_path / "overlap.npz", val_mask=np.arange(60) >= 15, y=np.arange(60) % 3)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


_TABLES = ["dataset=table", "dataset.source.nodes=nodes.csv", "dataset.source.edges=edges.csv"]
_TARGET = "dataset.source._target_=newcomers_graph"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dataset=table"], ["dataset.source.nodes=FILE.csv"]),
        (_TABLES[:2], ["dataset.source.edges=FILE.csv"]),
        ([*_TABLES[:2], "dataset.source.edges=no.csv"], ["edges=no.csv", "no such file"]),
        (_TABLES, ["nodes.csv", "no column 'label'", "'id', 'a', 'kind'", "source.label="]),
        ([*_TABLES, "dataset.source.label=kind"], ["every label is class 'x'", "more than one"]),
        ([*_TABLES, "dataset.source.label=[a,kind]"], ["'kind' holds 'x'", "0 or 1"]),
        (["dataset=pyg_file"], ["dataset.source.path=GRAPH.pt"]),
        (["dataset=pyg_file", "dataset.source.path=no.pt"], ["there is no file no.pt"]),
        (["dataset=npz", "dataset.source.path=overlap.npz"], ["node 15", "train and the val"]),
        (["dataset=custom"], ["dataset.source._target_=PACKAGE.FUNCTION"]),
        (["dataset=custom", f"{_TARGET}.lod"], ["dataset.source", "newcomers_graph.lod"]),
        (["dataset=custom", f"{_TARGET}.broken"], ["KeyError", "no such key"]),
        (
            ["dataset=custom", f"{_TARGET}.Source", "+dataset.source.num_nodes=0"],
            ["KeyError", "no such key"],
        ),
        (["dataset=custom", f"{_TARGET}.nothing"], ["newcomers_graph.nothing", "NoneType"]),
        (
            ["dataset=custom", f"{_TARGET}.load", "+dataset.source.edge_attr=1"],
            ["newcomers_graph.load", "data.edge_attr = None"],
        ),
        (
            ["dataset=custom", f"{_TARGET}.load", "+dataset.source.num_nodes=60"],
            ["class 0 has 30", "split of your own"],
        ),
        (["dataset=ogbn_arxiv", "data_root=none"], ["none/ogbn_arxiv/raw", "arxiv.zip"]),
    ],
)
def test_what_does_not_fit_is_one_helpful_line(
    arguments: list[str],
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = fails(capsys, monkeypatch, *arguments)
    assert line.startswith("sgq-auto: ")
    assert all(word in line for word in words), line


@pytest.mark.parametrize("made", ["load", "Source"])
def test_python_of_ones_own_gives_a_graph(made: str, folder: Path) -> None:
    sys.path.append(str(folder))
    overrides = ["dataset=custom", f"{_TARGET}.{made}", "+dataset.source.num_nodes=150"]
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config: Any = hydra.compose(
            "config", [*overrides, "tracking.uri=x", "tracking.artifacts=x"]
        )
    data = load_data(checked(config))
    assert data.graph.num_nodes == 150
    assert data.graph.train.nodes.numel() == 2 * 20
    assert data.notes[0].startswith(f"newcomers_graph.{made}: 150 nodes, 2 directed edges")


_LEAST = ["n_trials=3", "teachers=1", "confirm.max_points=1", "confirm.refinements=0"]


def _people(folder: Path) -> list[str]:
    """Two tables whose ids are in a second column, in no order; the ids of the rows."""
    rng = np.random.default_rng(0)
    ids = [str(name) for name in 5000 + rng.permutation(120)]
    y = np.arange(120) % 2
    rows = [
        f"{a:.2f},{name},{'ab'[k]}" for a, name, k in zip(rng.random(120) + y, ids, y, strict=True)
    ]
    (folder / "people.csv").write_text("\n".join(["age,user,kind", *rows]) + "\n")
    pairs = zip(rng.integers(120, size=300), 2 * rng.integers(60, size=300), strict=True)
    edges = [f"{ids[s]},{ids[(s + t) % 120]}" for s, t in pairs]
    (folder / "knows.csv").write_text("\n".join(["source,target", *edges]) + "\n")
    return ids


def test_nodes_are_called_alike_from_the_tables_to_the_predictions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = _people(tmp_path)
    monkeypatch.chdir(tmp_path)
    tables = ["dataset=table", "dataset.source.nodes=people.csv", "dataset.source.edges=knows.csv"]
    settings = ["dataset.source.id=user", "dataset.source.label=kind", "hydra.run.dir=mine"]
    done = run(tmp_path, *tables, *settings, *QUICK, *_LEAST)
    assert done.returncode == 0, done.stderr
    assert "people.csv: nodes are called by column 'user', like" in done.stdout

    def call(command: ModuleType, *arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["sgq-auto", *arguments])
        command.main()

    def called(artifact: str, *more: str) -> list[str]:
        call(infer, f"artifact={artifact}", "out=preds.csv", *more)
        lines = (tmp_path / "preds.csv").read_text().splitlines()[1:]
        return [line.partition(",")[0] for line in lines]

    assert called("mine") == ids
    assert called("mine", "ids=people.csv") == ids
    assert called("mine", f"nodes={ids[7]}") == [ids[7]]
    # And so they are wherever the model or the study goes.
    summary = json.loads((tmp_path / "mine" / "summary.json").read_text())
    study, trial = f"study={summary['study']}", f"trial={summary['front'][0]['trial']}"
    call(export, study, trial, "out=away/one.safetensors")
    call(export, study, "out=away.zip")
    assert called("away/one.safetensors") == ids
    call(restore, "file=away.zip", "output_root=there")
    (restored,) = (tmp_path / "there" / "studies").glob("*/summary.json")
    assert called(str(restored.parent)) == ids


def _labelled(folder: Path) -> None:
    """The same people with two hobbies and an income each."""
    ids = _people(folder)
    kinds = [line.rpartition(",")[2] for line in (folder / "people.csv").read_text().split()[1:]]
    rng = np.random.default_rng(1)
    rows = ["age,user,chess,tennis,income"]
    for name, kind in zip(ids, kinds, strict=True):
        likes = rng.random() < 0.5
        age = rng.random() + (kind == "a")
        rows.append(f"{age:.2f},{name},{int(kind == 'a')},{int(likes)},{2000.5 + 800 * age:.2f}")
    (folder / "people.csv").write_text("\n".join(rows) + "\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("labels", "task"),
    [
        ("[chess,tennis]", "node_multilabel"),
        ("income", "node_regression"),
    ],
)
@pytest.mark.system
def test_tables_of_labels_or_numbers_become_a_file_and_predictions(
    labels: str, task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _labelled(tmp_path)
    monkeypatch.chdir(tmp_path)
    tables = ["dataset=table", "dataset.source.nodes=people.csv", "dataset.source.edges=knows.csv"]
    settings = ["dataset.source.id=user", f"dataset.source.label={labels}", "hydra.run.dir=mine"]
    features = "dataset.source.features=[age]"
    done = run(tmp_path, *tables, *settings, features, *QUICK, *_LEAST)
    assert done.returncode == 0, done.stderr
    assert f"task={task}, judged by" in done.stdout
    summary = json.loads((tmp_path / "mine" / "summary.json").read_text())
    assert summary["task"] == task
    monkeypatch.setattr(sys, "argv", ["infer", "artifact=mine", "out=found.csv"])
    infer.main()
    header, *rows = (tmp_path / "found.csv").read_text().splitlines()
    assert header == f"node,{labels.strip('[]')}"
    values = np.array([[float(v) for v in row.split(",")[1:]] for row in rows])
    assert values.shape == (120, header.count(","))
    if task == "node_multilabel":
        assert values.min() >= 0
        assert values.max() <= 1
    else:
        # In the units of the table.
        assert 1500 < values.mean() < 4500
    report = (tmp_path / "mine" / "report.html").read_text()
    assert ("average precision" if task == "node_multilabel" else "R2") in report
