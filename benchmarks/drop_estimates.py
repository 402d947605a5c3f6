"""How well drops on unseen nodes are known before test labels are read.

Over every point that the searches of ``paper_table.py`` confirmed: the drop on validation nodes,
and the estimate that chooses, each against the drop on test nodes. Points that lose more than
3 points on test nodes are left out; nobody would choose between those.
"""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from problem import newest_summary
from report import Row, arguments, finish

_FOLDER = Path("outputs/paper_table")
_LARGEST_DROP = 3.0


def main() -> None:
    """Compare both with the truth, dataset by dataset."""
    options = arguments(__doc__)
    points: dict[str, list[dict[str, Any]]] = {}
    for cell in sorted(_FOLDER.glob("*-*")):
        summary = newest_summary(cell)
        if summary is None:
            continue
        near = [p["confirmed"] for p in summary["confirmed"]]
        near = [p for p in near if p["test_accuracy_drop"] <= _LARGEST_DROP]
        points.setdefault(summary["dataset"], []).extend(near)
    rows = [_row(name, near) for name, near in points.items()]
    everything = [p for near in points.values() for p in near]
    finish([*rows, _row("all", everything)], options.json)


def _row(name: str, points: Sequence[dict[str, Any]]) -> Row:
    row: Row = {"dataset": name, "points": len(points)}
    for figure in ("val_drop", "estimated_drop"):
        errors = [p[figure] - p["test_accuracy_drop"] for p in points]
        row[f"{figure}_error"] = statistics.fmean(errors)
        row[f"{figure}_rmse"] = math.sqrt(statistics.fmean(e * e for e in errors))
    return row


if __name__ == "__main__":
    main()
