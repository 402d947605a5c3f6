"""Commands as tests call them, and what they leave."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from empty_store import empty_store
from forked_commands import forked_command
from sgq_auto.commands import search

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


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sgq_auto.search", *arguments]


def call(
    folder: Path, module: str, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """``python -m sgq_auto.MODULE ARGUMENTS`` in a folder.

    With more in its environment, in an interpreter of its own, since imports may read it.
    """
    words = (f"sgq_auto.{module}", *arguments)
    if not environment:
        return forked_command(folder, *words)
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A search in a folder where somebody tracked before."""
    store = folder / "mlruns" / "mlflow.db"
    if not store.parent.exists():
        store.parent.mkdir(parents=True)
        shutil.copy(empty_store(), store)
    return call(folder, "search", *arguments, **environment)


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


def tracked_front(folder: Path) -> dict[int, float]:
    """The history of the front in the tracking store: accuracies by size in KiB."""
    with sqlite3.connect(folder / "mlruns" / "mlflow.db") as store:
        query = (
            "select step, value from metrics m join runs r on r.run_uuid = m.run_uuid "
            "where r.lifecycle_stage = 'active' and m.key = 'front_val_accuracy'"
        )
        points = store.execute(query).fetchall()
    assert len(dict(points)) == len(points)
    return dict(points)


def front_by_size(summary: dict[str, Any]) -> dict[int, float]:
    """The accuracies of a summary's front by size in KiB, the better one of each size."""
    by_size: dict[int, float] = {}
    for point in summary["front"]:
        step = max(1, round(point["resident_bytes"] / 1024))
        by_size[step] = max(point["val_accuracy"], by_size.get(step, 0.0))
    return by_size


def models(folder: Path) -> dict[str, Path]:
    """Folders by names of the models in the tracking store."""
    with sqlite3.connect(folder / "mlruns" / "mlflow.db") as store:
        found = store.execute("select name, artifact_location from logged_models").fetchall()
    return {name: Path(unquote(location.removeprefix("file://"))) for name, location in found}


def front(summary: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(p["bits"], p["val_accuracy"], p["resident_bytes"]) for p in summary["front"]]


def infer(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return call(folder, "infer", *arguments)


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
    # How the graph was read may be said before something else turns out wrong, and nothing more.
    assert all("nodes" in said or "Tracked" in said for said in captured.out.splitlines()[:1])
    assert "Traceback" not in captured.out
    return line


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
