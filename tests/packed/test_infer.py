"""What ``python -m sgq_auto.infer`` prints of the classes."""

import csv
import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import Case

from sgq_auto.commands import infer
from sgq_auto.node_files.node_ids import IDS_FILE, NodeIds, save_node_ids
from sgq_auto.node_files.predicted import Classes
from sgq_auto.packed import load, save


def _lines(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> list[str]:
    """What the command prints on a terminal that knows ASCII alone."""
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "argv", ["infer", *arguments])
    monkeypatch.setattr(sys, "stdout", terminal)
    infer.main()
    terminal.seek(0)
    return terminal.read().splitlines()


def test_predicted_classes_are_counted_by_name(
    small_case: Callable[[str], Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = replace(small_case("gcn").packed, classes=("ä", "b", "c", "d"))
    save(packed, tmp_path / "model.safetensors")
    arguments = (f"artifact={tmp_path / 'model.safetensors'}", f"out={tmp_path / 'all.npy'}")
    (line,) = (k for k in _lines(monkeypatch, *arguments) if k.startswith("Predicted: "))
    classes = np.load(tmp_path / "all.npy", allow_pickle=False)
    assert classes.dtype == np.int64
    counts = dict(zip((r"\xe4", "b", "c", "d"), np.bincount(classes, minlength=4), strict=True))
    named = [part[:-1].split(" (") for part in line.removeprefix("Predicted: ").split(", ")]
    assert {name: int(count) for name, count in named} == {k: n for k, n in counts.items() if n}
    assert [int(count) for _, count in named] == sorted(counts.values(), reverse=True)[: len(named)]


def test_some_nodes_are_told_by_name(
    small_case: Callable[[str], Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = replace(small_case("gcn").packed, classes=("a", "b", "c", "d"))
    save(packed, tmp_path / "model.safetensors")
    name = packed.classes[packed.predict([7]).argmax()]
    lines = _lines(monkeypatch, f"artifact={tmp_path / 'model.safetensors'}", "nodes=7")
    assert lines[:2] == [f"node 7: class {name}", f"Predicted: {name} (1)"]


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))[1:]


def _with_ids(artifact: Path, ids: list[str], study: str = "mine") -> None:
    """Give an artifact a study, and the study ids of its nodes."""
    model = replace(load(artifact), source={"study": "mine", "id_column": "user"})
    save(model, artifact)
    save_node_ids(NodeIds.of(ids, "user"), artifact.with_name(IDS_FILE), study)


@pytest.mark.parametrize("prefix", ["n", "", "ö"])
def test_nodes_are_called_as_in_the_search(
    prefix: str, artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted = _predicted(artifact)
    ids = [f"{prefix}{1000 - node}" for node in range(len(predicted))]
    _with_ids(artifact, ids)
    out = tmp_path / "preds.csv"
    lines = _lines(monkeypatch, f"artifact={artifact}", f"out={out}")
    assert "nodes are called by column 'user', as in the search" in lines
    assert _rows(out) == [list(pair) for pair in zip(ids, predicted, strict=True)]
    _lines(monkeypatch, f"artifact={artifact}", f"out={out}", f"nodes={ids[3]},{ids[1]}")
    assert _rows(out) == [[ids[3], predicted[3]], [ids[1], predicted[1]]]
    table = tmp_path / "n.csv"
    rows = [f"{node},{name},t{node}" for node, name in enumerate(ids)]
    table.write_text("\n".join(["age,user,title", *rows]), encoding="utf-8")
    for column, called in ((None, ids[2]), ("user", ids[2]), ("title", "t2")):
        more = [] if column is None else [f"ids_column={column}"]
        nodes = f"nodes={ids[2]}"
        _lines(monkeypatch, f"artifact={artifact}", f"ids={table}", f"out={out}", nodes, *more)
        assert _rows(out) == [[called, predicted[2]]]


def _stops(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> str:
    monkeypatch.setattr(sys, "argv", ["infer", *arguments])
    with pytest.raises(SystemExit) as ended:
        infer.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return str(line)


def test_numbers_are_rows_only_where_no_id_is_a_number(
    artifact: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    count = len(_predicted(artifact))
    _with_ids(artifact, [f"n{node}" for node in range(count)])
    assert _lines(monkeypatch, f"artifact={artifact}", "nodes=2")[0].startswith("node n2: ")
    _with_ids(artifact, [str(node + 1) for node in range(count)])
    assert _lines(monkeypatch, f"artifact={artifact}", "nodes=2")[0].startswith("node 2: ")
    line = _stops(monkeypatch, capsys, f"artifact={artifact}", "nodes=0")
    assert line.endswith("no node is called '0'; nodes are called like '1', '2', '3'")


def test_an_id_column_is_never_guessed(
    artifact: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    count = len(_predicted(artifact))
    table = tmp_path / "n.csv"
    table.write_text("age,name\n" + "".join(f"{k},n{k}\n" for k in range(count)))
    arguments = (f"artifact={artifact}", f"ids={table}")
    line = _stops(monkeypatch, capsys, *arguments)
    assert "which column holds the ids? there are 'age', 'name'" in line
    assert "ids_column=COLUMN" in line
    lines = _lines(monkeypatch, *arguments, "ids_column=name", "nodes=n2")
    assert lines[0].startswith("node n2: ")
    _with_ids(artifact, [f"u{k}" for k in range(count)])
    line = _stops(monkeypatch, capsys, *arguments)
    assert "no column 'user', which the search used; there are 'age', 'name'" in line
    table.write_text("user\n" + "".join(f"u{k}\n" for k in reversed(range(count))))
    line = _stops(monkeypatch, capsys, *arguments)
    assert "row 1 is called" in line
    assert "in the search it was 'u0'" in line


def test_ids_that_are_not_there_or_not_the_studys_are_told(
    artifact: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    count = len(_predicted(artifact))
    _with_ids(artifact, [f"u{k}" for k in range(count)], study="other")
    lines = _lines(monkeypatch, f"artifact={artifact}", "nodes=1")
    assert lines[0].startswith("node 1: ")
    (note,) = (line for line in lines if "called by the numbers of their rows" in line)
    assert "'user'" in note
    _with_ids(artifact, ["u0"])
    assert "an id for each" in _stops(monkeypatch, capsys, f"artifact={artifact}")
    (tmp_path / IDS_FILE).write_bytes(b"damaged")
    assert "damaged file" in _stops(monkeypatch, capsys, f"artifact={artifact}")


@pytest.fixture
def artifact(small_case: Callable[[str], Case], tmp_path: Path) -> Path:
    """A packed model of named classes."""
    path = tmp_path / "model.safetensors"
    save(replace(small_case("gcn").packed, classes=("a, b", "b", "c", "ä")), path)
    return path


def _predicted(artifact: Path) -> list[str]:
    model = load(artifact)
    return [model.classes[k] for k in model.predict().argmax(axis=1)]


def test_a_csv_file_names_nodes_and_classes(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted = _predicted(artifact)
    out, ids = tmp_path / "preds.csv", tmp_path / "nodes.csv"
    _lines(monkeypatch, f"artifact={artifact}", f"out={out}")
    with out.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["node", "class"]
    assert rows == [[str(node), name] for node, name in enumerate(predicted)]
    for separator, encoding in ((",", "utf-8"), (";", "utf-8-sig")):
        table = [["age", "id"], *(["1", f"ö{node}"] for node in range(len(predicted)))]
        ids.write_text("\n".join(separator.join(row) for row in table), encoding=encoding)
        _lines(monkeypatch, f"artifact={artifact}", f"out={out}", f"ids={ids}", "nodes=3,1")
        with out.open(encoding="utf-8", newline="") as file:
            assert list(csv.reader(file))[1:] == [["ö3", predicted[3]], ["ö1", predicted[1]]]
    ids.write_text("name\n" + "".join(f"n{node}\n" for node in range(len(predicted))))
    lines = _lines(monkeypatch, f"artifact={artifact}", f"ids={ids}", "nodes=2")
    assert lines[0].startswith("node n2: class ")


def test_the_folder_of_a_run_means_the_model_that_it_recommends(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = {"recommended": {"artifact_path": str(artifact)}}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    one, other = (_lines(monkeypatch, f"artifact={path}") for path in (tmp_path, artifact))
    assert one[0] == other[0]


@pytest.mark.parametrize(
    ("summary", "arguments", "words"),
    [
        (None, ["artifact={}"], "without the summary.json of a search"),
        ("[]", ["artifact={}"], "without the summary.json of a search"),
        ('{"recommended": null}', ["artifact={}"], "recommends no model"),
        (None, ["artifact={}/model.safetensors", "out=preds.txt"], "must end in .csv or .npy"),
        (None, ["artifact={}/model.safetensors", "ids={}/short.csv"], "it has 1 rows; the model"),
        (None, ["artifact={}/model.safetensors", "ids={}/no.csv"], "No such file"),
        (None, ["artifact={0}/model.safetensors", "ids={0}/model.safetensors"], "not a CSV file"),
    ],
)
@pytest.mark.usefixtures("artifact")
def test_what_does_not_fit_is_one_line(
    summary: str | None,
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "short.csv").write_text("id\nn1\n")
    if summary is not None:
        (tmp_path / "summary.json").write_text(summary)
    monkeypatch.setattr(sys, "argv", ["infer", *(a.format(tmp_path) for a in arguments)])
    with pytest.raises(SystemExit) as ended:
        infer.main()
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_many_classes_stay_one_short_line() -> None:
    classes = np.repeat(np.arange(40), np.arange(40, 0, -1) * 100)
    line = Classes(classes, [str(k) for k in range(40)]).summed_up
    assert line.startswith("0 (4,000), 1 (3,900), ")
    assert line.endswith(", 9 (3,100), 30 classes more")
