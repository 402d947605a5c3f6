"""SGQuant's table with this tool: what each graph and model costs in memory and accuracy.

Every cell is one search with the command's defaults, confirmed on ten fresh seeds: validation
nodes choose, test nodes are read for the points that were chosen. Where nothing was within the
tolerance the cell shows the nearest miss, and says so. Studies are kept in ``outputs/paper_table``,
so that a run that was cut off goes on where it was; rows are written after every cell.
"""

import json
import math
from pathlib import Path
from typing import Any

from scipy.stats import t as student_t

from problem import finished_search
from report import Row, arguments, finish

_DATASETS = ("cora", "citeseer", "pubmed", "amazon_computers")
_MODELS = ("gcn", "agnn", "gat")
_FOLDER = Path("outputs/paper_table")
_ASKED = ("tolerance=0.2", "confirm.seeds=10", "workers=2")
_RATIOS = ("sgquant_ratio", "resident_ratio", "stored_ratio")


def main() -> None:
    """Measure every cell."""
    options = arguments(__doc__)
    cells = [(d, m) for m in _MODELS for d in _DATASETS]
    few: tuple[str, ...] = ()
    if options.quick:
        cells, few = [("cora", "gcn")], ("n_trials=8", "confirm.seeds=2")
    rows: list[Row] = []
    for dataset, model in cells:
        folder = _FOLDER / f"{dataset}-{model}{'-quick' if few else ''}"
        asked = (f"dataset={dataset}", f"model={model}", *_ASKED, *few)
        rows.append(_row(finished_search(folder, *asked)))
        if options.json is not None:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(rows, indent=2) + "\n")
    finish([*rows, _mean(rows)], None)


def _row(summary: dict[str, Any]) -> Row:
    full, chosen = summary["full_precision"], summary["recommended"]
    if chosen is None:
        chosen = summary["nearest_miss"] | summary["nearest_miss"]["confirmed"]
    drop, seeds = chosen["test_accuracy_drop"], chosen["seeds"]
    spread = chosen["test_accuracy_drop_std"] / math.sqrt(seeds)
    return {
        "dataset": summary["dataset"],
        "model": summary["model"],
        "within": summary["recommended"] is not None,
        "fp32_test_%": 100 * full["test_accuracy"],
        "fp32_std": 100 * full["test_accuracy_std"],
        "test_%": 100 * chosen["test_accuracy"],
        "std": 100 * chosen["test_accuracy_std"],
        "drop": drop,
        "drop_ci95": float(student_t.ppf(0.975, seeds - 1)) * spread,
        "val_drop": chosen["val_drop"],
        "estimated_drop": chosen["estimated_drop"],
        "average_bits": chosen["average_bits"],
        "hidden_bits": chosen["hidden_bits"],
        **{name: chosen[name] for name in _RATIOS},
        **{f"{n}_sparse": chosen[f"{n}_sparse_fp32"] for n in _RATIOS if n != "sgquant_ratio"},
        "seeds": seeds,
        "wall_s": summary["wall_seconds"],
    }


def _mean(rows: list[Row]) -> Row:
    """Mean drop and bits, geometric mean ratios."""
    ratios = [name for name in rows[0] if "_ratio" in name]
    mean: Row = {"dataset": "mean", "drop": sum(row["drop"] for row in rows) / len(rows)}
    for name in ratios:
        mean[name] = math.exp(sum(math.log(row[name]) for row in rows) / len(rows))
    return mean


if __name__ == "__main__":
    main()
