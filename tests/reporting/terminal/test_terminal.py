"""What people read at the end of a search."""

import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sgq_auto.reporting import Terminal
from sgq_auto.task import Metric


def point(trial: int, drop: float) -> dict[str, Any]:
    confirmed = {
        "val_accuracy": 0.8,
        "estimated_drop": drop - 0.1,
        "test_accuracy": 0.81,
        "test_accuracy_std": 0.01,
        "test_accuracy_drop": drop,
    }
    sizes = {"resident_bytes": 102400, "resident_ratio": 100.0}
    sizes |= {"stored_bytes": 51200, "stored_ratio": 200.0}
    return {"trial": trial, "average_bits": 2.5, **sizes, "confirmed": confirmed}


def summary(recommended: dict[str, Any] | None, reason: str | None) -> dict[str, Any]:
    full = {
        "val_accuracy": 0.81,
        "test_accuracy": 0.82,
        "test_accuracy_std": 0.004,
        "resident_bytes": 10240000,
        "stored_bytes": 10240000,
    }
    return {
        "full_precision": full,
        "objective": "resident_bytes",
        "guessing": None,
        "confirmed": [point(3, 1.5), point(7, 0.25)],
        "recommended": recommended,
        "recommended_reason": reason,
        "nearest_miss": None,
        "trials": {"complete": 5, "stopped_early": 4, "failed": 1},
        "epochs_saved_fraction": 0.31,
    }


def printed(capsys: pytest.CaptureFixture[str], found: dict[str, Any]) -> str:
    terminal = Terminal(Path("out/summary.json"), Path("out/report.html"), "python -m sgq_auto.ui")
    settings = SimpleNamespace(output_root=Path("outputs"))
    bench = SimpleNamespace(unpackable=None, nothing_fits=None, settings=settings)
    progress = cast(Any, SimpleNamespace(records=[None] * 10, study_name="s", bench=bench))
    terminal.finished(progress, found)
    return capsys.readouterr().out


def test_the_table_marks_the_recommended_point(capsys: pytest.CaptureFixture[str]) -> None:
    best = {
        "trial": 7,
        "resident_bytes": 102400,
        "resident_ratio": 100.0,
        "resident_ratio_sparse_fp32": 7.0,
        "test_accuracy_drop": 0.25,
        "test_accuracy_drop_std": 0.5,
        "seeds": 5,
        "artifact_path": "studies/s/trial-7.safetensors",
        "artifact_file_bytes": 70_656,
        "artifact_reason": None,
    }
    text = printed(capsys, summary(best, None))
    assert "Artifact: studies/s/trial-7.safetensors (69.0 KiB)" in text
    assert "python -m sgq_auto.infer artifact=out\n" in text
    assert "test accuracy drop +0.25 ± 0.62 (95 %) points over 5 seeds" in text
    unpacked = best | {"artifact_path": None, "artifact_reason": "the disk is full"}
    assert "No artifact: the disk is full" in printed(capsys, summary(unpacked, None))
    other, row = [line for line in text.splitlines() if line[3:].startswith("trial ")]
    assert row.startswith("-> trial 7")
    assert row.rstrip().endswith("+0.25")
    assert other.startswith("   trial 3")
    assert other.index("+1.50") == row.index("+0.25")
    assert "100.0 KiB resident (7.0x smaller than sparse fp32, 100.0x than PyG fp32)" in text
    assert "1 of 10 trials failed" in text
    assert "4 of 10 trials were stopped early: 31.0 % of the epochs saved" in text
    assert "out/summary.json" in text
    assert "python -m sgq_auto.ui" in text


def confident(**shipped: float) -> dict[str, Any]:
    """A summary whose points know their one model; trial 7 is recommended."""
    found = summary(None, None) | {"confidence": 0.9, "tolerance": 0.4, "max_drop": None}
    found["distilled"] = found["full_precision"] | {"test_accuracy_drop": -0.75}
    best = {"val_accuracy": 0.83, "estimated_drop": -0.25, "drop_at_most": 0.33}
    best |= {"drop_low": -1.5, "drop_high": 1.0, "test_accuracy": 0.8, "test_accuracy_drop": 0.2}
    models = [best | {"drop_at_most": 2.5, "seed": 4}, best | {"seed": 9} | shipped]
    for place, (entry, model) in enumerate(zip(found["confirmed"], models, strict=True)):
        entry["resident_bytes"] += 1024 * place
        entry["confirmed"] |= {"shipped": model, "seeds": 5, "distilled_test_accuracy_drop": 1.11}
    own = found["confirmed"][1]
    sizes = {"resident_ratio_sparse_fp32": 7.0, "artifact_path": None, "artifact_reason": None}
    found["recommended"] = own | own["confirmed"] | sizes | {"test_accuracy_drop_std": 0.5}
    return found


def test_the_one_file_and_why_it_is_the_one_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, confident()).splitlines()
    heading, full, distilled, first, best = (line.split() for line in lines[:5])
    assert " ".join(heading).endswith("val % est. drop at most test % test drop bits cost")
    assert full[:2] == ["full", "precision"]
    assert distilled[0] == "distilled"
    assert distilled[-1] == "-0.75"
    assert first[-7:] == ["-0.25", "+2.50", "81.0", "±", "1.0", "+1.50", "+1.11"]
    assert best[-7:] == ["-0.25", "+0.33", "81.0", "±", "1.0", "+0.25", "+1.11"]
    text = "\n".join(lines)
    assert "Its one model (seed 9): validation accuracy 83.0 %, estimated drop -0.25" in text
    assert "(-1.50 to +1.00 with 90 % confidence), test accuracy 80.0 %, test drop +0.20" in text
    assert "Mean over seeds: test accuracy 81.0 ± 1.0 %" in text
    assert "(bound +0.33); the next smaller one, trial 3 in 100.0 KiB, may lose 2.50" in text
    assert "On test nodes" not in text
    lost = printed(capsys, confident(test_accuracy_drop=0.9))
    assert "On test nodes this artifact loses 0.90 points, more than the tolerance of 0.4" in lost


def test_without_a_recommendation_it_says_what_can_be_promised(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = confident(drop_at_most=1.1)
    found |= {"recommended": None, "recommended_reason": "none", "guessing": {"val_nodes": 95}}
    text = printed(capsys, found | {"nearest_miss": found["confirmed"][1]})
    assert "with 90 % confidence trial 7 loses at most 1.10 points" in text
    assert "with 95 of them, its drop is uncertain by ± 1.25 points" in text


def test_without_a_recommendation_it_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(
        capsys, summary(None, "the nearest is trial 7") | {"nearest_miss": point(7, 2.0)}
    )
    assert "No recommendation: the nearest is trial 7" in text
    assert "python -m sgq_auto.export study=s trial=7\n" in text
    assert "-> " not in text


def test_a_weak_full_precision_is_said_again_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    warning = "Warning: full precision is no better than guessing: and so on"
    text = printed(capsys, summary(None, "none") | {"guessing": {"warning": warning}})
    assert warning in text.splitlines()


def test_other_bytes_that_were_minimised_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    found = summary(None, None) | {"objective": "stored_bytes"}
    best = point(7, 0.25) | point(7, 0.25)["confirmed"]
    best |= {"test_accuracy_drop_std": 0.5, "seeds": 1, "resident_ratio_sparse_fp32": 7.0}
    best |= {"artifact_path": None, "artifact_reason": None}
    text = printed(capsys, found | {"recommended": best})
    assert "Recommended: trial 7, 50.0 KiB stored (200.0x smaller), 100.0 KiB resident" in text


def test_what_failed_is_said_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(Path("summary.json"), Path("report.html"), "ui")
    failure = "ValueError: cannot read [/data/x], shape [nodes, features]"
    record = SimpleNamespace(number=4, failure=failure)
    graph = SimpleNamespace(metric=Metric.ACCURACY)
    settings = SimpleNamespace(n_trials=9, allowed_drop=0.4)
    bench = SimpleNamespace(settings=settings, graph=graph)
    progress = SimpleNamespace(records=[], bench=bench)
    terminal.trials_finished(cast(Any, progress), [cast(Any, record)])
    terminal.stage(None)
    assert capsys.readouterr().out == f"trial 4 failed: {failure}\n"


def test_what_tracking_misses_can_be_added_by_a_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal = Terminal(Path("summary.json"), Path("report.html"), "ui")
    terminal.untracked("MLflow at http://host:1", "s", Path("elsewhere"))
    said, command = capsys.readouterr().out.splitlines()
    assert "Tracking is missing in MLflow at http://host:1" in said
    assert command == "python -m sgq_auto.sync study=s output_root=elsewhere"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_long_note_wraps_between_words(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    note = "nodes.csv: columns not used: " + ", ".join(f"column_{k}-of-many" for k in range(30))
    command = "To pack it: python -m sgq_auto.export study=" + "a-long-name-" * 12
    for terminal in ("1", None):
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "xterm-256color")
        if terminal:
            monkeypatch.setenv("FORCE_COLOR", terminal)
        else:
            monkeypatch.delenv("FORCE_COLOR")
        Terminal(Path("s"), Path("r"), "ui", [note, command]).stage(None)
        lines = capsys.readouterr().out.splitlines()
        if terminal:
            assert all(len(line) <= width or line.strip().count(" ") == 0 for line in lines)
            assert " ".join(line.strip() for line in lines) == f"{note} {command}"
            assert all(line.startswith("  ") for line in lines[1:3])
        else:
            assert lines == [note, command]  # A file is searched by lines.


def test_how_to_serve_a_model_can_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    Terminal(Path("summary.json"), Path("report.html"), "ui").served(
        "models:/m-1", "sqlite:////my runs/mlflow.db"
    )
    line = capsys.readouterr().out
    words = shlex.split(line.removeprefix("Serve it: "))
    assert words[0] == "MLFLOW_TRACKING_URI=sqlite:////my runs/mlflow.db"
    assert words[1:6] == ["mlflow", "models", "serve", "-m", "models:/m-1"]


def test_notes_on_graph_and_model_are_printed_as_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    notes = ("nodes: 5 nodes, 2 edges", "edges.csv: set dataset.source.edge_columns=[a,b]")
    terminal = Terminal(Path("summary.json"), Path("report.html"), "ui", notes)
    bench = SimpleNamespace(
        is_trained=True,
        nothing_fits=None,
        settings=SimpleNamespace(n_trials=5, seed=0),
        space=SimpleNamespace(searched=[0, 1]),
        pretrained=SimpleNamespace(val_accuracy=0.8),
        graph=SimpleNamespace(metric=Metric.ACCURACY),
        generic="without a quantized twin: convs.[a]",
        unpackable="convs.[a]: no such layer",
    )
    found = {"study_name": "s", "bench": bench, "full_bytes": 2048, "leads": True, "records": []}
    terminal.started(cast(Any, SimpleNamespace(**found)))
    terminal.stage(None)
    first, second, third, fourth, *last = capsys.readouterr().out.splitlines()
    assert (first, second) == notes
    assert third.startswith("s: 2 bit-widths")
    assert fourth == "Layers without a quantized twin: convs.[a]"
    assert last[0].startswith("This model cannot be packed (convs.[a]: no such layer)")
