"""The real commands, as people run them."""

import json
import os
import pickle
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

from sgq_auto import search
from sgq_auto.graphs.sources import EmbeddedCora
from sgq_auto.packed import load

QUICK = [
    "n_trials=8",
    "model.hidden=4",
    "pretrain.epochs=20",
    "finetune.epochs=2",
    "confirm.seeds=2",
    "confirm.max_points=2",
    "tolerance=100",
]
SYNTHETIC = ["dataset=synthetic", "dataset.source.num_nodes=600", "dataset.source.num_edges=1500"]
SUMMARY_KEYS = (
    "study dataset model granularity sampler seed n_trials workers finetune_epochs wall_seconds "
    "trials_per_second overhead_fraction hypervolume trials full_precision recommended front"
)
RECOMMENDED_KEYS = (
    "trial bits average_bits val_accuracy test_accuracy test_accuracy_std test_accuracy_drop "
    "resident_bytes resident_ratio stored_bytes stored_ratio peak_bytes peak_ratio sgquant_bytes "
    "sgquant_ratio artifact_path"
)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sgq_auto.search", *arguments]


def call(folder: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``python -m sgq_auto.MODULE ARGUMENTS`` in a folder."""
    words = [sys.executable, "-m", f"sgq_auto.{module}", *arguments]
    return subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return call(folder, "search", *arguments)


def summaries(folder: Path) -> list[dict[str, Any]]:
    """What each search that ended found, in order."""
    paths = sorted((folder / "outputs").glob("*/**/summary.json"))
    return [json.loads(path.read_text()) for path in paths if "studies" not in path.parts]


def tracked(folder: Path) -> tuple[int, int]:
    """Parent runs and trial runs that are not deleted in the tracking store."""
    with sqlite3.connect(folder / "mlruns" / "mlflow.db") as store:
        query = (
            "select count(distinct r.run_uuid) from runs r join tags t on r.run_uuid = t.run_uuid "
            "where r.lifecycle_stage = 'active' and t.key = ?"
        )
        counts = [
            store.execute(query, (f"sgq_auto.{k}",)).fetchone()[0] for k in ("study", "trial")
        ]
    return counts[0], counts[1]


def models(folder: Path) -> dict[str, Path]:
    """Folders by names of the models in the tracking store."""
    with sqlite3.connect(folder / "mlruns" / "mlflow.db") as store:
        found = store.execute("select name, artifact_location from logged_models").fetchall()
    return {name: Path(location.removeprefix("file://")) for name, location in found}


def front(summary: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(p["bits"], p["val_accuracy"], p["resident_bytes"]) for p in summary["front"]]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the default dataset was searched once."""
    folder = tmp_path_factory.mktemp("searched")
    done = run(folder, *QUICK)
    assert done.returncode == 0, done.stderr
    assert "<- recommended" in done.stdout
    assert "python -m sgq_auto.ui" in done.stdout
    assert "mlflow models serve -m models:/m-" in done.stdout
    assert "trials ━" not in done.stdout
    assert done.stderr == ""
    return folder


def test_the_summary_keeps_its_contract(searched: Path) -> None:
    (summary,) = summaries(searched)
    assert set(SUMMARY_KEYS.split()) <= set(summary)
    assert summary["dataset"] == "embedded_cora"
    assert summary["trials"] == {"complete": 8, "stopped_early": 0, "failed": 0}
    best = summary["recommended"]
    assert set(RECOMMENDED_KEYS.split()) <= set(best)
    full = summary["full_precision"]
    assert best["resident_ratio"] == pytest.approx(full["resident_bytes"] / best["resident_bytes"])
    assert best["stored_bytes"] < best["resident_bytes"]
    drop = 100 * (full["test_accuracy"] - best["test_accuracy"])
    assert best["test_accuracy_drop"] == pytest.approx(drop)
    assert 0 < summary["hypervolume"] <= 1
    assert 0 < summary["overhead_fraction"] < 1


def test_a_search_leaves_a_report_that_repeats_it(searched: Path) -> None:
    (summary,) = summaries(searched)
    (report,) = searched.glob("outputs/runs/*/report.html")
    study = searched / "outputs" / "studies" / summary["study"]
    assert (study / "report.html").read_bytes() == report.read_bytes()
    assert summary["command"].startswith("python -m sgq_auto.search n_trials=8 model.hidden=4")
    page = report.read_text()
    for text in (summary["command"], summary["environment"]["torch"], summary["study"]):
        assert text in page
    (logged,) = searched.glob("mlruns/artifacts/*/artifacts/report.html")
    assert logged.read_bytes() == report.read_bytes()


def test_tracking_holds_one_parent_and_n_trials_children(searched: Path) -> None:
    assert tracked(searched) == (1, 8)
    assert {p.name for p in searched.iterdir()} == {"outputs", "mlruns"}


def test_tracking_holds_the_recommended_model(searched: Path) -> None:
    (summary,) = summaries(searched)
    artifact = Path(summary["recommended"]["artifact_path"])
    folder = models(searched)[artifact.stem]
    assert (folder / "artifacts" / artifact.name).read_bytes() == artifact.read_bytes()
    assert "python_function" in (folder / "MLmodel").read_text()


def test_the_same_command_in_another_folder_gives_the_same_front(
    searched: Path, tmp_path: Path
) -> None:
    assert run(tmp_path, *QUICK).returncode == 0
    assert front(summaries(tmp_path)[0]) == front(summaries(searched)[0])


def test_a_finished_study_returns_at_once_and_a_larger_total_continues_it(
    searched: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(searched / "outputs", folder / "outputs")
    again = run(folder, *QUICK)
    assert again.returncode == 0
    first, second = summaries(folder)
    assert front(first) == front(second)
    # The study was moved, and its artifact with it.
    moved, kept = (Path(s["recommended"].pop("artifact_path")) for s in (second, first))
    assert moved.relative_to(folder) == kept.relative_to(searched)
    assert first["recommended"] == second["recommended"]
    assert tracked(folder) == (1, 8)
    assert run(folder, *QUICK, "n_trials=10").returncode == 0
    trials = max((s["trials"] for s in summaries(folder)), key=lambda t: sum(t.values()))
    assert trials["complete"] + trials["stopped_early"] == 10
    assert trials["failed"] == 0
    assert tracked(folder) == (1, 10)


def test_a_killed_search_continues_to_the_same_total(tmp_path: Path) -> None:
    slow = [*SYNTHETIC, *QUICK, "finetune.epochs=60", "n_trials=12"]
    process = subprocess.Popen(
        command(*slow),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for_trials(tmp_path, 3)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_until_gone(process.pid)
    assert run(tmp_path, *slow).returncode == 0
    (summary,) = summaries(tmp_path)
    assert sum(summary["trials"].values()) == 12
    assert summary["trials"]["failed"] == 0
    assert tracked(tmp_path) == (1, 12)


def test_ctrl_c_leaves_a_valid_summary(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(*SYNTHETIC, *QUICK, "n_trials=500"),
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A suite that runs in the background hands down a SIGINT that is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_for_trials(tmp_path, 3)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    (summary,) = summaries(tmp_path)
    assert summary["recommended"] is None
    assert "interrupted" in summary["recommended_reason"]
    assert 3 <= summary["trials"]["complete"] < 500
    assert tracked(tmp_path) == (1, sum(summary["trials"].values()))


def wait_until_gone(group: int) -> None:
    """Wait until a killed command has left no worker behind."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("a worker outlived its command")


def wait_for_trials(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        journals = list(folder.glob("outputs/studies/*/journal.log"))
        if journals and journals[0].read_text().count('"state":1,') >= count:
            return
        time.sleep(0.05)
    pytest.fail("the search did not get going")


def test_multirun_makes_a_study_and_a_packed_model_for_each_job(tmp_path: Path) -> None:
    done = run(tmp_path, "-m", *SYNTHETIC, *QUICK, "n_trials=3", "model=sage,gin", "seed=1")
    assert done.returncode == 0, done.stderr
    found = summaries(tmp_path)
    assert [(s["model"], s["seed"]) for s in found] == [("sage", 1), ("gin", 1)]
    assert len({s["study"] for s in found}) == 2
    assert tracked(tmp_path) == (2, 6)
    for summary in found:
        artifact = summary["recommended"]["artifact_path"]
        predicted = infer(tmp_path, f"artifact={artifact}", "nodes=0,599")
        assert predicted.returncode == 0, predicted.stderr
        assert "node 599: class " in predicted.stdout
        assert load(artifact).footprint().stored_bytes == summary["recommended"]["stored_bytes"]


def npz(path: Path, **changes: Any) -> Path:
    rng = np.random.default_rng(0)
    arrays = {
        "x": rng.random((60, 5), dtype=np.float32),
        "edge_index": rng.integers(60, size=(2, 200)),
        "y": np.arange(60) % 3,
        **{
            f"{part}_mask": np.arange(60) // 20 == k
            for k, part in enumerate(("train", "val", "test"))
        },
    }
    np.savez(path, **arrays | changes)
    return path


def fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> str:
    """The one line that a bad command prints."""
    monkeypatch.setattr(sys, "argv", ["search", *arguments])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(SystemExit) as exit_info:
        search.main()
    assert exit_info.value.code == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert captured.out == ""
    return line


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
        (["n_trails=5"], ["n_trails"]),
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
    assert not list(tmp_path.glob("outputs/studies/*"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": np.ones((59, 5))}, ["x", "59"]),
        ({"x": np.full((60, 5), np.nan)}, ["NaN"]),
        ({"edge_index": np.full((2, 3), 60)}, ["edge_index", "0 to 59"]),
        ({"edge_index": np.zeros((3, 3), dtype=int)}, ["edge_index", "[2, edges]"]),
        ({"y": np.zeros(60)}, ["y", "integer"]),
        ({"y": np.arange(60) // 20}, ["class 1", "training"]),
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


def infer(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return call(folder, "infer", *arguments)


def test_infer_predicts_with_the_recommended_artifact(searched: Path, tmp_path: Path) -> None:
    (summary,) = summaries(searched)
    artifact = f"artifact={summary['recommended']['artifact_path']}"
    done = infer(tmp_path, artifact, "out=all.npy", "threads=2")
    assert done.returncode == 0, done.stderr
    assert "2708 of 2708 nodes predicted" in done.stdout
    assert "peak memory of the process" in done.stdout
    classes = np.load(tmp_path / "all.npy", allow_pickle=False)
    assert classes.shape == (2708,)
    assert classes.dtype == np.int64
    names = EmbeddedCora().load().class_names
    assert names is not None
    some = infer(tmp_path, artifact, "nodes=5,2707")
    first, second = (names[classes[node]] for node in (5, 2707))
    assert some.stdout.startswith(f"node 5: class {first}\nnode 2707: class {second}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "artifact is missing"),
        (["artifact=a", "node=1"], "node is unknown; usage"),
        (["artifact=nowhere.safetensors"], "nowhere.safetensors: No such file"),
        (["artifact=a", "threads=two"], "usage"),
    ],
)
def test_infer_refuses_bad_input_in_one_line(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    done = infer(tmp_path, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_infer_names_an_unknown_node(searched: Path) -> None:
    (summary,) = summaries(searched)
    done = infer(searched, f"artifact={summary['recommended']['artifact_path']}", "nodes=9999")
    assert done.returncode == 2
    assert "node 9999 is unknown; the 2708 nodes are 0 to 2707" in done.stderr


def export(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return call(folder, "export", *arguments)


def test_export_packs_any_trial(searched: Path, tmp_path: Path) -> None:
    (summary,) = summaries(searched)
    confirmed = {point["trial"] for point in summary["confirmed"]}
    for trial in (min(confirmed), min(set(range(8)) - confirmed, default=0)):
        path = tmp_path / f"{trial}.safetensors"
        done = export(searched, f"study={summary['study']}", f"trial={trial}", f"out={path}")
        assert done.returncode == 0, done.stderr
        packed = load(path)
        assert packed.source["trial"] == trial
        assert (packed.source["test_accuracy"] is not None) == (trial in confirmed)
        assert packed.predict([1, 2]).shape == (2, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trial=1"], "study is missing"),
        (["study=nothing", "trial=1"], "study=nothing: no such study; known: embedded_cora-gcn"),
        (["study={}", "trial=one"], "trial=one: it must be the number of a trial"),
        (["study={}", "trial=99"], "trial=99: the study has no such trial that ran to its end"),
    ],
)
def test_export_refuses_bad_input_in_one_line(
    arguments: list[str], message: str, searched: Path
) -> None:
    (summary,) = summaries(searched)
    done = export(searched, *(a.format(summary["study"]) for a in arguments))
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_launchers_of_multiruns_can_send_the_task_elsewhere() -> None:
    # As they do where the command is the main module: by value.
    cloudpickle.register_pickle_by_value(search)
    try:
        assert callable(pickle.loads(cloudpickle.dumps(search._task)))
    finally:
        cloudpickle.unregister_pickle_by_value(search)
