"""The commands, as people run them after one another."""

import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from command_runs import (
    QUICK,
    call,
    front,
    front_by_size,
    infer,
    models,
    run,
    summaries,
    tracked,
    tracked_front,
)
from sgq_auto.commands import export as export_command
from sgq_auto.graphs.sources import EmbeddedCora
from sgq_auto.packed import load

pytestmark = pytest.mark.system

SUMMARY_KEYS = (
    "study dataset model granularity sampler seed n_trials workers finetune_epochs wall_seconds "
    "trials_per_second overhead_fraction hypervolume trials full_precision recommended front"
)
RECOMMENDED_KEYS = (
    "trial bits average_bits val_accuracy test_accuracy test_accuracy_std test_accuracy_drop "
    "resident_bytes resident_ratio stored_bytes stored_ratio peak_bytes peak_ratio sgquant_bytes "
    "sgquant_ratio artifact_path"
)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the default dataset was searched once, of a name that people may have.

    What is printed there goes to a pipe that is not UTF-8.
    """
    folder = tmp_path_factory.mktemp("my runs = 1, é [x] 'y'")
    done = call(folder, "search", *QUICK, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "\n-> trial " in done.stdout
    assert " +/- " in done.stdout
    assert "my runs = 1, \\xe9 [x]" in done.stdout
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


@pytest.mark.slow
def test_the_same_command_in_another_folder_gives_the_same_front(
    searched: Path, tmp_path: Path
) -> None:
    assert run(tmp_path, *QUICK).returncode == 0
    assert front(summaries(tmp_path)[0]) == front(summaries(searched)[0])


@pytest.mark.slow
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
    longest = max(summaries(folder), key=lambda s: sum(s["trials"].values()))
    trials = longest["trials"]
    assert trials["complete"] + trials["stopped_early"] == 10
    assert trials["failed"] == 0
    assert tracked(folder) == (1, 10)
    assert tracked_front(folder) == front_by_size(longest)


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
        (["artifact=a", "node=1"], "node is unknown; did you mean 'nodes'?; usage"),
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


@pytest.mark.slow
def test_what_is_printed_can_be_pasted(searched: Path, tmp_path: Path) -> None:
    """The command on a finished study, by a path that a shell completes, and what it prints."""
    shutil.copytree(searched / "outputs", tmp_path / "my = 1, é")
    again = run(tmp_path, *QUICK, "output_root=my = 1, é", "hydra.run.dir=runs = 1, é/a'b")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "runs = 1, é" / "a'b" / "summary.json").is_file()
    (line,) = re.findall("^Predict with it: (.*)$", again.stdout, re.M)
    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "sgq_auto.infer"]
    predicted = infer(tmp_path, *words[3:], "nodes=5", "out=é = 1, 2.csv")
    assert predicted.returncode == 0, predicted.stderr
    assert (tmp_path / "é = 1, 2.csv").is_file()
    summary = json.loads((tmp_path / "runs = 1, é/a'b/summary.json").read_text(encoding="utf-8"))
    repeated = shlex.split(summary["command"])
    assert repeated[-1] == "output_root=my = 1, é"
    status = call(tmp_path, "status", f"study={summary['study']}", "output_root=my = 1, é")
    assert status.returncode == 0, status.stderr
    assert "8 of 8 trials; confirmed" in status.stdout


@pytest.fixture
def export(searched: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The command in the searched folder, in this process."""
    monkeypatch.chdir(searched)

    def run_it(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["sgq-auto-export", *arguments])
        export_command.main()

    return run_it


def test_export_packs_any_trial(
    searched: Path, tmp_path: Path, export: Callable[..., None]
) -> None:
    (summary,) = summaries(searched)
    confirmed = {point["trial"] for point in summary["confirmed"]}
    for trial in (min(confirmed), min(set(range(8)) - confirmed, default=0)):
        path = tmp_path / f"{trial}.safetensors"
        export(f"study={summary['study']}", f"trial={trial}", f"out={path}")
        packed = load(path)
        assert packed.source["trial"] == trial
        assert (packed.source["test_accuracy"] is not None) == (trial in confirmed)
        assert packed.predict([1, 2]).shape == (2, 7)


def test_export_writes_the_recommended_model_as_c(
    searched: Path,
    tmp_path: Path,
    export: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (summary,) = summaries(searched)
    for chosen in ([], ["trial=0"]):
        folder = tmp_path / f"device{len(chosen)}"
        export(f"study={summary['study']}", *chosen, "format=c", f"out={folder}")
        assert f"C model: {folder} (flash " in capsys.readouterr().out
        assert "#define SGQ_NUM_NODES" in (folder / "sgq_model.h").read_text(encoding="utf-8")


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
    arguments: list[str],
    message: str,
    searched: Path,
    export: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    (summary,) = summaries(searched)
    with pytest.raises(SystemExit) as ended:
        export(*(a.format(summary["study"]) for a in arguments))
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
