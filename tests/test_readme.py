"""The README shows the results that are kept, not others."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_table_of_results_is_the_one_that_is_kept() -> None:
    script = ROOT / "benchmarks" / "readme_table.py"
    table = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True
    ).stdout
    assert len(table.splitlines()) == 2 + 12 + 1
    assert table in (ROOT / "README.md").read_text()
