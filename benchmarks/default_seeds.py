"""Whether the default command keeps its promise, with ten seeds.

Each row is ``python -m sgq_auto.search seed=N`` on embedded Cora: the recommended artifact's size
and ratios, the drop that is promised, the one that test nodes show, and the time of the search.
The first one tunes full precision; all seeds share what it found. Searches are kept in
``outputs/default_seeds``: a run that was cut off goes on.
"""

import json
import statistics
from pathlib import Path
from typing import Any

from problem import finished_search
from report import Row, argument_parser, finish

_FOLDER = Path("outputs/default_seeds")
_TOLERANCE = 0.4
QUICK = ("n_trials=8", "confirm.seeds=2", "pretrain.tune=off")


def main() -> None:
    """Search with every seed that was not searched with, and print what there is."""
    parser = argument_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="seeds 0, 1, ...")
    options = parser.parse_args()
    seeds = range(1 if options.quick else options.seeds)
    found = _summaries()
    for seed in (each for each in seeds if each not in found):
        finished_search(_FOLDER, f"seed={seed}", *(QUICK if options.quick else ()))
        found = _summaries()
    rows = [_row(found[seed]) for seed in seeds]
    finish([*rows, _all(rows)], options.json)


def _summaries() -> dict[int, dict[str, Any]]:
    """The newest summary of each seed."""
    paths = sorted(_FOLDER.glob("outputs/runs/*/summary.json"), key=lambda path: path.parent.name)
    summaries = (json.loads(path.read_text()) for path in paths)
    return {summary["seed"]: summary for summary in summaries if summary["confirmed"]}


def _row(summary: dict[str, Any]) -> Row:
    best = summary["recommended"] or {}
    shipped = best.get("shipped", {})
    test_drop = shipped.get("test_accuracy_drop")
    return {
        "seed": summary["seed"],
        "kib": best["resident_bytes"] / 1024 if best else None,
        "resident_ratio": best.get("resident_ratio"),
        "resident_ratio_sparse_fp32": best.get("resident_ratio_sparse_fp32"),
        "drop_at_most": shipped.get("drop_at_most"),
        "test_drop": test_drop,
        "within": test_drop is not None and test_drop <= _TOLERANCE,
        "wall_s": summary["wall_seconds"],
    }


def _all(rows: list[Row]) -> Row:
    """How many keep the promise, geometric means of the ratios, medians of the rest."""
    found = [row for row in rows if row["kib"] is not None]
    row: Row = {"seed": "all", "within": sum(row["within"] for row in rows)}
    for name in ("resident_ratio", "resident_ratio_sparse_fp32"):
        row[name] = statistics.geometric_mean(each[name] for each in found) if found else None
    for name in ("kib", "test_drop", "wall_s"):
        row[name] = statistics.median(each[name] for each in found) if found else None
    return row


if __name__ == "__main__":
    main()
