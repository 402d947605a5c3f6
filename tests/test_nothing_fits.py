"""A budget that even the fewest bits break: an answer, for every command."""

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch_geometric.data import Data

from command_runs import QUICK, SYNTHETIC, run, summaries
from sgq_auto.library import search
from sgq_auto.models import GCN

pytestmark = pytest.mark.system

_REASON = "nothing fits: max_kib=1, and the fewest bits everywhere take"
_SPLIT = ("train", "val", "test")
Call = Callable[..., str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which such a search was run."""
    folder = tmp_path_factory.mktemp("searched")
    done = run(folder, *SYNTHETIC, *QUICK, "max_kib=1")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"No recommendation: {_REASON}" in done.stdout
    assert "training full" not in done.stdout
    assert "nan" not in done.stdout
    return folder


@pytest.fixture
def call(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run another command there; what it prints, or the one line and status that it ends with."""
    monkeypatch.chdir(folder)

    def called(module: str, *arguments: str, status: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", [module, *arguments])
        code: object = 0
        try:
            importlib.import_module(f"sgq_auto.{module}").main()
        except SystemExit as ended:
            code = ended.code or 0
        assert code == status
        out, errors = capsys.readouterr()
        assert len(errors.splitlines()) == (1 if status else 0)
        return errors if status else out

    return called


def test_the_search_leaves_all_its_files(folder: Path) -> None:
    (summary,) = summaries(folder)
    assert summary["recommended"] is None
    assert summary["recommended_reason"].startswith(_REASON)
    assert summary["guessing"] is None
    (report,) = folder.glob("outputs/runs/*/report.html")
    assert {"front.png", "summary.json"} <= {path.name for path in report.parent.iterdir()}
    assert not (folder / "outputs" / "pretrained").exists()


def test_every_command_on_it_says_so(folder: Path, call: Call, tmp_path: Path) -> None:
    (summary,) = summaries(folder)
    study = f"study={summary['study']}"
    assert call("status", study).splitlines() == [
        f"{summary['study']}: {summary['recommended_reason']}; no trial is run"
    ]
    assert f"no recommendation: {_REASON}" in call("compare", summary["study"])
    assert "has 0 trials of" in call("sync", study)
    out = tmp_path / "study.zip"
    assert str(out) in call("export", study, f"out={out}")
    root = f"output_root={tmp_path}"
    assert "sgq_auto.status" in call("restore", f"file={out}", root)
    assert _REASON in call("status", study, root)
    line = call("export", study, "trial=0", status=2)
    assert "it has none" in line
    assert not (folder / "outputs" / "pretrained").exists()


def test_the_library_returns_it(tmp_path: Path, call: Call) -> None:
    generator = torch.Generator().manual_seed(0)
    data = Data(
        x=torch.rand(60, 5, generator=generator),
        edge_index=torch.randint(60, (2, 200), generator=generator),
        y=torch.arange(60) % 3,
        **{f"{name}_mask": torch.arange(60) // 20 == k for k, name in enumerate(_SPLIT)},
    )
    for seed in (0, 1):
        found = search(GCN, data, output_root=tmp_path, seed=seed, overrides=["max_kib=0.01"])
        assert found.artifact is None
        assert found.summary["recommended_reason"].startswith("nothing fits: max_kib=0.01")
    written = json.loads((tmp_path / "studies" / found.study / "summary.json").read_text())
    assert written["recommended"] is None
    names = ",".join(path.name for path in (tmp_path / "studies").iterdir())
    line = call("merge", f"studies={names}", f"output_root={tmp_path}", status=2)
    assert "none of them has a trial that ran to its end" in line
