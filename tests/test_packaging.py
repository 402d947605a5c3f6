"""What an installed package needs: its configuration, and a packed room without torch."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from sgq_auto.configuration.checked_settings import conf_dir

pytestmark = pytest.mark.system


def test_the_packed_room_loads_neither_torch_nor_pyg() -> None:
    code = (
        "import sys, sgq_auto.packed; "
        "banned = {'torch', 'torch_geometric', 'mlflow', 'optuna', 'scipy'} & set(sys.modules); "
        "sys.exit(', '.join(banned) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_configuration_is_found() -> None:
    groups = {path.name for path in conf_dir().iterdir() if path.is_dir()}
    kinds = {"board", "dataset", "engine", "model", "granularity", "sampler", "storage"}
    assert groups == kinds
    datasets = {path.stem for path in (conf_dir() / "dataset").iterdir()}
    assert datasets == {
        "embedded_cora",
        "pyg_graphs",
        "tu",
        "cora",
        "citeseer",
        "pubmed",
        "amazon_computers",
        "amazon_photo",
        "coauthor_cs",
        "reddit",
        "ogbn_arxiv",
        "npz",
        "pyg_file",
        "table",
        "custom",
        "synthetic",
        "synthetic_reddit",
    }


@pytest.mark.slow
def test_a_wheel_installed_elsewhere_finds_its_configuration(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert "sgq_auto/conf/config.yaml" in names
        assert "sgq_auto/tracking/pages/templates/report.html" in names
        archive.extractall(site)
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r}); from sgq_auto.search import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "n_trials=0"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "sgq-auto: n_trials=0: it must be at least 1\n"
