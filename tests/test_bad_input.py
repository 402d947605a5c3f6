"""Settings and graphs that the search command refuses, in one line each."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import fails, npz


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
        ({"y": np.zeros(60)}, ["y", "integer"]),
        ({"y": np.arange(60) // 20}, ["class 1", "training"]),
        ({"edge_weight": np.ones(3)}, ["edge_weight", "leave it out"]),
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
