"""What both sides of a benchmark work on, configured as the search command is."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir

from sgq_auto.configuration.checked_settings import checked, conf_dir, load_data, search_settings
from sgq_auto.graphs import PreparedData
from sgq_auto.searching import SearchSettings
from sgq_auto.searching.measuring.workbench import Workbench


def scratch_overrides(folder: str) -> list[str]:
    """Overrides that keep everything a search writes inside a folder."""
    return [
        f"output_root={folder}/outputs",
        f"tracking.uri=sqlite:///{folder}/mlruns/mlflow.db",
        f"tracking.artifacts={folder}/mlruns/artifacts",
    ]


def newest_summary(folder: Path) -> dict[str, Any] | None:
    """The newest summary of searches run with :func:`scratch_overrides`, if there is any."""
    runs = folder.glob("outputs/runs/*/summary.json")
    newest = max(runs, key=lambda path: path.parent.name, default=None)
    return None if newest is None else json.loads(newest.read_text())


def finished_search(folder: Path, *overrides: str) -> dict[str, Any]:
    """The summary of ``python -m sgq_auto.search OVERRIDES``, whose files stay in ``folder``.

    A search that was cut off goes on where it was; a finished one answers at once.
    """
    kept = scratch_overrides(str(folder.resolve()))
    command = [sys.executable, "-m", "sgq_auto.search", *overrides, *kept]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    summary = newest_summary(folder)
    assert summary is not None
    return summary


def summary_of_search(*overrides: str) -> dict[str, Any]:
    """Run ``python -m sgq_auto.search OVERRIDES`` in a scratch folder; its summary."""
    with tempfile.TemporaryDirectory() as folder:
        return finished_search(Path(folder), *overrides)


@dataclass(frozen=True, eq=False)
class Problem:
    """A search to run: its settings and its graph."""

    settings: SearchSettings
    data: PreparedData

    def workbench(self) -> Workbench:
        """Full-precision weights (cached), sizes and the search space."""
        return Workbench.build(self.settings, self.data.graph)


def load_problem(*overrides: str) -> Problem:
    """The problem of ``python -m sgq_auto.search OVERRIDES``."""
    # Only a running Hydra job knows the launch folder that tracking would be placed in.
    values = [*overrides, "tracking.uri=none", "tracking.artifacts=none"]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        choices = compose(
            "config", overrides=values, return_hydra_config=True
        ).hydra.runtime.choices
        cfg = checked(compose("config", overrides=values))
    return Problem(search_settings(cfg, choices), load_data(cfg))
