"""How much of a search's accuracy was luck, without re-measuring and with it.

Each study is the real command. Two picks are followed to the confirm stage: the recommended point,
and the one that the search alone would have picked (the smallest front member within the
tolerance). ``excess`` is the validation accuracy in the search minus the mean over the fresh seeds
of the confirm stage, in percentage points; ``paired`` is the same of drops from full precision,
which leaves out whether the pre-training of the search was a lucky one.
"""

import argparse
import statistics
from pathlib import Path
from typing import Any

from problem import summary_of_search
from report import Row, finish

_SIDES = {"no re-measuring": ("remeasuring=0",), "re-measuring": ()}
Summary = dict[str, Any]


def main() -> None:
    """Run the studies of both sides, seed by seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two seeds, 20 trials")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--seeds", type=int, default=10, help="studies of each side")
    parser.add_argument("overrides", nargs="*", help="of every study, like dataset=cora")
    options = parser.parse_args()
    overrides = [*options.overrides, *(["n_trials=20"] if options.quick else [])]
    summaries: dict[str, list[Summary]] = {name: [] for name in _SIDES}
    for seed in range(2 if options.quick else options.seeds):
        for name, own in _SIDES.items():
            summaries[name].append(summary_of_search(f"seed={seed}", *own, *overrides))
    finish([_row(name, runs) for name, runs in summaries.items()], options.json)


def _row(name: str, runs: list[Summary]) -> Row:
    row: Row = {"side": name, "studies": len(runs)}
    for pick, found in (
        ("recommended", [(run, _recommended(run)) for run in runs]),
        ("picked_by_search", [(run, _picked_by_search(run)) for run in runs]),
    ):
        points = [(run, point) for run, point in found if point]
        excess = [optimism(p) for _, p in points]
        paired = [p["confirmed"]["val_drop"] - _search_drop(run, p) for run, p in points]
        row |= {
            f"{pick}": len(points),
            f"{pick}_excess": statistics.fmean(excess) if excess else None,
            f"{pick}_excess_std": statistics.stdev(excess) if len(excess) > 1 else None,
            f"{pick}_paired": statistics.fmean(paired) if paired else None,
            f"{pick}_paired_std": statistics.stdev(paired) if len(paired) > 1 else None,
        }
    return row


def optimism(point: dict[str, Any]) -> float:
    """Points of validation accuracy in the search above the mean over fresh seeds."""
    return 100 * (float(point["val_accuracy"]) - float(point["confirmed"]["val_accuracy"]))


def _recommended(run: Summary) -> dict[str, Any] | None:
    trial = run["recommended"] and run["recommended"]["trial"]
    return next((p for p in run["confirmed"] if p["trial"] == trial), None)


def _picked_by_search(run: Summary) -> dict[str, Any] | None:
    """``None`` where no front member was within the tolerance, or its pick was not confirmed."""
    within = (p for p in run["front"] if _search_drop(run, p) <= run["tolerance"] + 1e-9)
    pick = next(within, None)
    return pick if pick and pick["confirmed"] else None


def _search_drop(run: Summary, point: dict[str, Any]) -> float:
    full: float = run["full_precision"]["search_val_accuracy"]
    return 100 * (full - float(point["val_accuracy"]))


if __name__ == "__main__":
    main()
