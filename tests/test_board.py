"""From a search for a board to its model in C: the sizes that were promised are written."""

import re
from pathlib import Path

import pytest

from command_runs import QUICK, SYNTHETIC, call, run, summaries

pytestmark = pytest.mark.system


@pytest.mark.slow
def test_a_search_for_a_board_ends_in_a_model_in_c_that_fits_it(tmp_path: Path) -> None:
    few = ["n_trials=4", "seeding=0", "confirm.seeds=1"]
    small = [*few, "board=cortex_m3", "max_ram_kib=1", "hydra.run.dir=outputs/runs/small"]
    done = run(tmp_path, *SYNTHETIC, *QUICK, *small)
    assert (done.returncode, done.stderr) == (0, "")
    (summary,) = summaries(tmp_path)
    assert (summary["max_flash_kib"], summary["max_ram_kib"]) == (48, 1)
    best = summary["recommended"]
    assert best["ram_bytes"] <= 1024 < summary["full_precision"]["ram_bytes"]
    assert best["flash_bytes"] <= 48 * 1024
    words = " ".join(done.stdout.split())
    assert "of RAM (at most 1), beside code and stack" in words
    exported = call(tmp_path, "export", "artifact=outputs/runs/small", "format=c", "out=device")
    assert exported.returncode == 0, exported.stderr
    header = (tmp_path / "device" / "sgq_model.h").read_text()
    written = re.search(r"Flash: (\d+) bytes of tables. RAM: (\d+) bytes", header)
    assert written
    assert [int(n) for n in written.groups()] == [best["flash_bytes"], best["ram_bytes"]]
