"""Comparisons of studies: what they average, what they refuse, and what they leave."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from command_runs import call
from sgq_auto.comparison import Comparison, find_summaries, write_comparison
from sgq_auto.comparison.summary_checks import summary_fault
from sgq_auto.errors import InputError

pytestmark = pytest.mark.system

_HOSTILE = "<script>hacked=1</script>"


def made(seed: int, front: list[tuple[int, float]], **changes: Any) -> dict[str, Any]:
    """A summary with a front of (bytes, accuracy), the first of which is recommended."""
    point = {"trial": 0, "average_bits": 2.0, "test_accuracy": 0.8 + 0.01 * seed}
    best = point | {"resident_bytes": front[0][0], "resident_ratio": 4.0**seed}
    drops = {"test_accuracy_drop": 0.5 * seed, "test_accuracy_drop_std": 0.3}
    return {
        "study": f"study-seed{seed}",
        "family": "a",
        "dataset": "cora",
        "model": "gcn",
        "granularity": "lwq",
        "sampler": "abs",
        "seed": seed,
        "n_trials": 9,
        "objective": "resident_bytes",
        "hypervolume": 0.5 + 0.1 * seed,
        "wall_seconds": 10.0,
        "full_precision": {"val_accuracy": 0.8, "test_accuracy": 0.81},
        "recommended": best | drops | {"resident_ratio_sparse_fp32": 2.0},
        "front": [
            {"trial": k, "resident_bytes": size, "val_accuracy": accuracy}
            for k, (size, accuracy) in enumerate(front)
        ],
        **changes,
    }


def saved(folder: Path, summary: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    path = folder / "summary.json"
    path.write_text(json.dumps(summary))
    return path


def compare(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return call(folder, "compare", *arguments)


def test_seeds_of_one_study_are_a_mean_and_a_band() -> None:
    first = made(0, [(1024, 0.5), (3072, 0.7)])
    second = made(1, [(2048, 0.6), (4096, 0.9)])
    (group,) = Comparison.of([first, second]).groups
    # Below 2 KiB the second study has no point.
    assert dict(group.mean_front()) == pytest.approx({2: 55.0, 3: 65.0, 4: 80.0})
    assert dict(group.mean_front(min)) == pytest.approx({2: 50.0, 3: 60.0, 4: 70.0})
    ((dataset, chart),) = Comparison.of([first, second]).charts()
    assert dataset == "cora"
    assert len(chart.bands) == len(chart.curves) == 1
    ((name, seeds, _, size, ratio, sparse, _, test, drop, hypervolume, _),) = Comparison.of(
        [second, first]
    ).rows()
    assert (name, seeds) == ("gcn on cora, lwq, abs", "0, 1")
    assert (size, ratio, sparse) == ("1.4 KiB", "2.0x", "2.0x")
    assert (test, drop, hypervolume) == ("80.5", "+0.25 ± 0.35", "0.5500")


def test_the_drop_of_the_packed_model_stands_before_the_mean() -> None:
    first, second = made(0, [(1024, 0.5)]), made(1, [(2048, 0.6)])
    first["recommended"]["shipped"] = {"test_accuracy_drop": 1.5}
    (row,) = Comparison.of([first]).rows()
    assert row[8] == "+1.50 (mean +0.00 ± 0.30)"
    # Studies of which one knows the mean alone are compared by means.
    (row,) = Comparison.of([first, second]).rows()
    assert row[8] == "+0.25 ± 0.35"
    second["recommended"]["shipped"] = {"test_accuracy_drop": 0.5}
    comparison = Comparison.of([first, second])
    assert comparison.rows()[0][8] == "+1.00 (mean +0.25 ± 0.35)"
    assert comparison.brief_drops() == ["+1.00"]


@pytest.mark.filterwarnings("error")
def test_names_wider_than_the_picture_are_wrapped(tmp_path: Path) -> None:
    words = " ".join(f"finetune.setting_{k}={k}" for k in range(12))
    command = "python -m sgq_auto.search"
    first = made(0, [(1024, 0.5), (2048, 0.6)], command=f"{command} {words}")
    second = made(0, [(1024, 0.5)], command=f"{command} n_trials=3", family="b", study="other")
    comparison = Comparison.of([first, second])
    assert any(words in group.name for group in comparison.groups)
    _, picture, _, _ = write_comparison(comparison, tmp_path)
    assert picture.stat().st_size > 5000


def test_studies_that_differ_in_more_than_the_seed_stay_apart() -> None:
    command = "python -m sgq_auto.search model=gcn seed=0"
    first = made(0, [(1024, 0.5)], command=command)
    second = made(0, [(1024, 0.5)], command=f"{command} ranges=minmax", family="b", study="other")
    names = [group.name for group in Comparison.of([first, second]).groups]
    assert names == ["gcn on cora, lwq, abs", "gcn on cora, lwq, abs (ranges=minmax)"]
    old = [made(0, [(1024, 0.5)], study=study) for study in ("s-1", "s-2")]
    for summary in old:
        del summary["family"]  # Of a version that noted none.
    names = [group.name for group in Comparison.of(old).groups]
    assert names == ["gcn on cora, lwq, abs [1]", "gcn on cora, lwq, abs [2]"]


def test_a_study_without_a_recommendation_leaves_its_cells_empty(tmp_path: Path) -> None:
    comparison = Comparison.of([made(0, [(1024, 0.5)], recommended=None, model=_HOSTILE)])
    (row,) = comparison.rows()
    assert row[3:9] == ("none", "", "", "", "", "")
    page, picture, _, _ = write_comparison(comparison, tmp_path / "new")
    assert "<script>hacked" not in page.read_text()
    assert "&lt;script&gt;hacked" in page.read_text()
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_objectives_that_differ_are_refused() -> None:
    other = made(1, [(1024, 0.5)], objective="peak_bytes")
    with pytest.raises(InputError, match="compare under one objective only"):
        Comparison.of([made(0, [(1024, 0.5)]), other])


def test_names_stand_for_files_folders_sweeps_and_studies(tmp_path: Path) -> None:
    root = tmp_path / "outputs"
    run = saved(root / "runs" / "a", made(0, [(1024, 0.5)]))
    for seed in (1, 2):
        saved(root / "sweeps" / "b" / f"seed={seed}", made(seed, [(1024, 0.5)]))
    saved(root / "studies" / "study-seed0", made(0, [(1024, 0.5)]))
    names = [str(run), str(run.parent), str(root / "sweeps" / "b"), "study-seed0"]
    found = find_summaries(names, root, "sqlite:///none.db")
    assert [summary["seed"] for summary in found] == [0, 1, 2]


def test_the_command_prints_writes_and_tracks(tmp_path: Path) -> None:
    path = saved(tmp_path / "a", made(0, [(1024, 0.5), (2048, 0.75)]))
    done = compare(tmp_path, str(path), "out=c")
    assert (done.returncode, done.stderr) == (0, "")
    assert "gcn on cora, lwq, abs" in done.stdout
    assert {p.name for p in (tmp_path / "c").iterdir()} == {
        f"comparison.{ending}" for ending in ("html", "png", "csv", "md")
    }
    (row,) = csv.DictReader((tmp_path / "c" / "comparison.csv").open())
    assert float(row["recommended_resident_ratio"]) == 1.0
    assert row["study"] == "study-seed0"
    text = (tmp_path / "c" / "comparison.md").read_text()
    assert text.startswith("| study | seeds |")
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlruns' / 'mlflow.db'}")
    run_id = done.stdout.split()[-1]
    assert client.get_run(run_id).data.tags["mlflow.note.content"] == text
    names = {file.path for file in client.list_artifacts(run_id)}
    assert names == {p.name for p in (tmp_path / "c").iterdir()}
    with pytest.raises(InputError, match="this run is no study's"):
        find_summaries([run_id], tmp_path, f"sqlite:///{tmp_path / 'mlruns' / 'mlflow.db'}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no runs to compare; usage: python -m sgq_auto.compare RUN"),
        (["nothing"], "nothing: there is no such folder, file, study or run"),
        (["empty"], "neither it nor a folder in it has a summary.json"),
        (["odd.json"], "odd.json: it is no summary of a search"),
        (["broken.json"], "broken.json: it cannot be read as JSON"),
        (["odd.json", "colour=red"], "colour is unknown; usage"),
        (["0" * 32], "there is no tracking store"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from sgq_auto.commands import compare as command

    (tmp_path / "empty").mkdir()
    (tmp_path / "odd.json").write_text("{}")
    (tmp_path / "broken.json").write_text("{")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["compare", *arguments])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.parametrize("front", [[], [(1024, 0.5)], [(1024, 0.5), (1024, 0.5)]])
@pytest.mark.parametrize("accuracy", [None, 0.5])
def test_studies_of_few_points_or_none_are_compared(
    front: list[tuple[int, float]], accuracy: float | None, tmp_path: Path
) -> None:
    reason = "nothing fits: max_kib=1, and the fewest bits everywhere take 5.0 KiB resident_bytes"
    full = {"val_accuracy": accuracy, "test_accuracy": accuracy}
    nothing = {"recommended": None, "recommended_reason": reason, "full_precision": full}
    poor = {"guessing": {"warning": "Warning: full precision is barely better than guessing"}}
    first = made(0, front or [(1, 0.0)], **nothing)
    first |= {} if front else {"front": []}
    comparison = Comparison.of([first, made(1, [(2048, 0.6)], **poor)])
    page, picture, table, text = write_comparison(comparison, tmp_path / "out")
    assert picture.stat().st_size > 5000
    assert len(table.read_text().splitlines()) == 3
    for remark in (
        f"seed 0: no recommendation: {reason}",
        f"seed 1: {poor['guessing']['warning']}",
    ):
        assert remark in page.read_text()
        assert remark in text.read_text()
    alone = Comparison.of([first])
    write_comparison(alone, tmp_path / "alone")
    assert alone.rows()[0][3] == "none"


_FORGED: list[Any] = [None, "x", -1, 0, float("nan"), 1e300, 10**400, True, [], {}, [[]], [{}]]


def _changed(value: Any) -> list[Any]:
    """Copies of a JSON value, each with one entry at any depth replaced or left out."""
    if isinstance(value, dict):
        found = [{k: v for k, v in value.items() if k != name} for name in value]
        return found + [value | {k: new} for k, old in value.items() for new in _changed(old)]
    if isinstance(value, list):
        found = [[*value[:k], new, *value[k + 1 :]] for k in (0,) for new in _changed(value[k])]
        return [*_FORGED, *found]
    return list(_FORGED)


def test_a_forged_summary_is_one_line_that_names_the_file(tmp_path: Path) -> None:
    whole = made(0, [(1024, 0.5), (3072, 0.7)], guessing={"warning": "weak"}, command="a b c d")
    whole["recommended"]["shipped"] = {"test_accuracy_drop": 0.5}
    refused = 0
    path = tmp_path / "forged.json"
    for forged in _changed(whole):
        path.write_text(json.dumps(forged))
        if summary_fault(json.loads(path.read_text())) is not None:
            with pytest.raises(InputError, match=re.escape(str(path))):
                find_summaries([str(path)], tmp_path, "sqlite:///none")
            refused += 1
            continue
        comparison = Comparison.of(find_summaries([str(path)], tmp_path, "sqlite:///none"))
        assert comparison.rows()
        assert comparison.charts()
        comparison.remarks()
    assert refused > 200
