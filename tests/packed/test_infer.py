"""What ``python -m sgq_auto.infer`` prints of the classes."""

import io
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import Case

from sgq_auto import infer
from sgq_auto.packed import save


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


def test_many_classes_stay_one_short_line() -> None:
    classes = np.repeat(np.arange(40), np.arange(40, 0, -1) * 100)
    line = infer._by_class(classes, [str(k) for k in range(40)])
    assert line.startswith("0 (4,000), 1 (3,900), ")
    assert line.endswith(", 9 (3,100), 30 classes more")
