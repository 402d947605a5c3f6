"""SGQuant's table with this tool: what each graph and model costs in memory and accuracy.

Every cell is one search with the command's defaults and ``tolerance=0.2``, confirmed on ten fresh
seeds: validation nodes choose, test nodes are read for the points that were chosen. Where nothing
was within the tolerance the cell shows the nearest miss, and says so. Studies are kept in
``outputs/paper_table``, so that a run that was cut off goes on where it was; rows are written
after every cell. ``--reddit`` measures one row more, with few trials and epochs.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

from scipy.stats import t as student_t

from kept_rows import mean_row
from problem import finished_search
from report import Row, argument_parser, finish

_DATASETS = ("cora", "citeseer", "pubmed", "amazon_computers")
_MODELS = ("gcn", "agnn", "gat")
_FOLDER = Path("outputs/paper_table")
_RATIOS = ("sgquant_ratio", "resident_ratio", "stored_ratio")
ASKED = ("tolerance=0.2", "confirm.seeds=10", "workers=2")
# Two models train better with other hyper-parameters: GAT on PubMed with those of its authors, and
# fine-tuned for more epochs; AGNN on Computers with dropout and decay, fine-tuned in smaller and
# more steps by teachers that are not sharpened; all of which their validation nodes prefer. Nearly
# all nodes of Computers have degrees above the default split points.
_OWN = {
    "pubmed-gat": (
        *("model.output_heads=8", "pretrain.learning_rate=0.01", "finetune.epochs=200"),
    ),
    "amazon_computers-agnn": (
        *("pretrain.dropout=0.1", "pretrain.weight_decay=1e-5", "finetune.dropout=0.1"),
        *("finetune.epochs=300", "finetune.learning_rate=0.007", "finetune.keep=best"),
        *("finetune.evaluate_every=10", "finetune.teacher_temperature=1"),
        "buckets.quantiles=[0.25,0.5,0.75]",
    ),
}
QUICK = ("n_trials=8", "confirm.seeds=2")
# A graph of 57 million edges, each stored both ways, takes minutes for what others do in seconds.
_REDDIT = (
    *("granularity=lwq_cwq", "n_trials=8", "pretrain.epochs=30", "finetune.epochs=10"),
    *("teachers=1", "seeding=2", "confirm.seeds=2", "confirm.max_points=3"),
    *("confirm.refinements=0", "tolerance=0.2"),
)


def main() -> None:
    """Measure every cell."""
    options = _arguments()
    cells = {f"{d}-{m}": (f"dataset={d}", f"model={m}", *ASKED) for m in _MODELS for d in _DATASETS}
    if options.quick:
        cells = {"quick": ("dataset=cora", "model=gcn", *ASKED, *QUICK)}
    if options.reddit:
        cells = {f"{options.reddit}-gcn": (f"dataset={options.reddit}", "model=gcn", *_REDDIT)}
    rows: list[Row] = []
    for name, asked in cells.items():
        rows.append(_row(finished_search(_FOLDER / name, *asked, *_OWN.get(name, ()))))
        if options.json is not None:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(rows, indent=2) + "\n")
    finish([*rows, mean_row(rows)], None)


def _arguments() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--reddit",
        choices=("reddit", "synthetic_reddit"),
        help="only GCN on Reddit, or on a drawn graph of its size",
    )
    return parser.parse_args()


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


if __name__ == "__main__":
    main()
