"""Settings and graphs that the search command refuses, in one line each."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.errors import HydraException

from command_runs import fails, npz
from sgq_auto.commands import search

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dataset=corra"], ["corra", "citeseer", "embedded_cora"]),
        (["model=gnn"], ["gnn", "agnn", "gat"]),
        (["granularity=fine"], ["fine", "lwq_cwq_taq"]),
        (["sampler=best"], ["best", "nsga2", "tpe"]),
        (["storage=disk"], ["disk", "journal"]),
        (["objective=bytes"], ["objective=bytes", "resident_bytes"]),
        (["ranges=max"], ["ranges=max", "minmax"]),
        (["buckets.split_points=[8,4]"], ["split_points", "increase"]),
        (["buckets.quantiles=[0.5,2]"], ["quantiles", "0 to 1"]),
        (["ladder=[0,2]"], ["ladder", "1 to 16"]),
        (["ladder=[4,64]"], ["ladder", "1 to 16"]),
        (["footprint.graph=[5]"], ["footprint.graph=[5]", "nodes and edges like [500,2000]"]),
        (["dataset=synthetic", "footprint.graph=[90,10]"], ["footprint.graph=[90, 10]", "own"]),
        (["n_trials=0"], ["n_trials=0", "at least 1"]),
        (["workers=0"], ["workers=0", "at least 1"]),
        (["n_trials=many"], ["n_trials", "many"]),
        (["tolerance=-1"], ["tolerance=-1", "0 or more"]),
        (["finetune.epochs=0"], ["finetune.epochs=0", "at least 1"]),
        (["finetune.keep=first"], ["finetune.keep=first", "last"]),
        (["n_trails=5"], ["n_trails: there is no such setting; did you mean 'n_trials'?"]),
        (["+n_trails=5"], ["n_trails: ", "'n_trials'"]),
        (["samplr=tpe"], ["samplr: ", "'sampler'"]),
        (["dataset=npz", "dataset.normalise_rows=true"], ["'normalize_rows'"]),
        (["finetune.passes=3"], ["finetune.passes: ", "there are dropout, epochs"]),
        (["dataset=npz"], ["dataset.source.path"]),
        (["dataset=npz", "dataset.source.path=none.npz"], ["no file none.npz"]),
        (["model.heads=3"], ["heads"]),
        (["+model.heads=3"], ["model=gcn", "heads"]),
        (["storage=postgresql"], ["storage.url"]),
        (["device=tpu"], ["device=tpu", "cpu"]),
        (["+sampler.wrong=1"], ["sampler=abs", "wrong"]),
    ],
)
def test_bad_input_is_one_line_that_names_it(
    arguments: list[str],
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    line = fails(capsys, monkeypatch, *arguments)
    assert line.startswith("sgq-auto: ")
    assert all(word in line for word in words), line
    assert not list(tmp_path.glob("outputs/*/*"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": np.ones((59, 5))}, ["x", "59"]),
        ({"x": np.full((60, 5), np.nan)}, ["NaN"]),
        ({"edge_index": np.full((2, 3), 60)}, ["edge_index", "0 to 59"]),
        ({"edge_index": np.zeros((3, 3), dtype=int)}, ["edge_index", "[2, edges]"]),
        ({"y": np.full(60, 0.5)}, ["y", "0.5"]),
        ({"y": np.zeros(60)}, ["every label is class 0"]),
        ({"y": np.arange(60) // 20}, ["class 1", "training"]),
        ({"edge_attr": np.ones((3, 2, 2))}, ["edge_attr", "leave it out"]),
        ({"edge_weight": np.full(3, np.nan)}, ["weights of edges", "[3]"]),
        ({"class_names": np.array(["a", "b"])}, ["class_names", "2 names", "3 classes"]),
        ({"class_names": np.array(["a", "b", "a"])}, ["class_names", "'a' twice"]),
    ],
)
def test_a_bad_npz_is_one_line(
    changes: dict[str, Any],
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = npz(tmp_path / "mine.npz", **changes)
    line = fails(capsys, monkeypatch, "dataset=npz", f"dataset.source.path={path}")
    assert all(word in line for word in words), line


def test_missing_dataset_files_are_named_with_ways_to_get_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch_geometric.datasets.planetoid.fs.cp", _no_network)
    line = fails(capsys, monkeypatch, "dataset=cora", f"data_root={tmp_path / 'none'}")
    assert all(w in line for w in ("ind.cora", "data_root", "SGQ_AUTO_DATA", "embedded_cora"))


def _no_network(*_: object) -> None:
    raise OSError("no network")


def test_an_output_folder_that_cannot_be_written_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    line = fails(capsys, monkeypatch, "output_root=file")
    assert "file" in line


_OWN = """
import torch

class Net(torch.nn.Module):
    def __init__(self, in_channels, out_channels, kind="fine"):
        super().__init__()
        self.lin = torch.nn.Linear(in_channels, out_channels)
        self.kind = kind
        if kind == "made":
            raise KeyError("no such kind")

    def forward(self, x, edge_index):
        if self.kind == "run":
            return x[edge_index["a"]]
        return self.lin(x)

def graph():
    return {}["x"]
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["model=custom", "model._target_=own_13.Net", "model.kind=made"], ["own_13.py:10"]),
        (["model=custom", "model._target_=own_13.Net", "model.kind=run"], ["own_13.py:14"]),
        (["dataset=custom", "dataset.source._target_=own_13.graph"], ["KeyError", "own_13.py:18"]),
        (["model=custom", "model._target_=own_13.Net", "model.depth=2"], ["depth", "in_channels"]),
    ],
)
def test_an_error_in_the_users_own_code_names_its_line(
    arguments: list[str],
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_13", raising=False)
    (tmp_path / "own_13.py").write_text(_OWN, encoding="utf-8")
    line = fails(capsys, monkeypatch, *arguments)
    assert all(word in line for word in words), line


@pytest.mark.parametrize("kind", [TypeError, ValueError, OSError, HydraException])
def test_a_fault_of_this_project_keeps_its_traceback(
    kind: type[Exception],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    def mistaken(*_: object) -> None:
        raise kind("a mistake of ours")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sgq_auto.commands.search_job.load_data", mistaken)
    monkeypatch.setattr(sys, "argv", ["search"])
    with pytest.raises(SystemExit) as ended:
        search.main()
    assert ended.value.code == 1
    errors = capsys.readouterr().err
    assert "Traceback" in errors
    assert "in mistaken" in errors
    assert not list(tmp_path.glob("outputs/*/*"))


def test_a_traceback_of_bad_input_is_shown_where_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SGQ_AUTO_TRACEBACK", "1")
    monkeypatch.setattr(sys, "argv", ["search", "n_trials=0"])
    with pytest.raises(SystemExit) as ended:
        search.main()
    assert ended.value.code == 2
    *trace, line = capsys.readouterr().err.splitlines()
    assert line == "sgq-auto: n_trials=0: it must be at least 1"
    assert trace[0].startswith("Traceback")


@pytest.mark.parametrize("cluster", ["slurm", "nowhere"])
def test_a_cluster_that_is_not_there_is_said_before_anything_is_trained(
    cluster: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    pytest.importorskip("submitit", reason="the extra 'submitit' is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    line = fails(capsys, monkeypatch, "engine=submitit", f"engine.cluster={cluster}")
    assert f"engine.cluster={cluster}: " in line
    assert not list(tmp_path.glob("outputs/pretrained/*"))
