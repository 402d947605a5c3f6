"""Whole-graph tasks over ten folds: full precision, and models of few bits, as files.

Each row is a dataset and a network: mean and deviation over folds of the test accuracy of full
precision and of the file with the lowest estimated drop among the confirmed ones of at most
``--bits`` average bits. A fold is tested once; the fold before it validates, which chooses epochs
and allocations. Every fold is one ``python -m sgq_auto.search``, kept in ``outputs/graph_table``: a
run that was cut off goes on. ``bits`` counts what SGQuant's authors count; ``resident_ratio`` is
against fp32 held with care. Published figures to compare with are in ``docs/measurements.md``.
"""

import statistics
import time
from pathlib import Path
from typing import Any

from problem import finished_search, newest_summary
from report import Row, argument_parser, finish, std

_FOLDER = Path("outputs/graph_table")
_DATASETS = ("PROTEINS", "MUTAG", "IMDB-BINARY")
_MODELS = ("graph_gin", "graph_gcn")
_FOLDS = 10
_BUDGET = (
    *("granularity=lwq_cwq", "n_trials=16", "teachers=2", "pretrain.tune=off", "workers=2"),
    *("confirm.seeds=3", "confirm.max_points=4", "confirm.refinements=0"),
)
_QUICK = ("n_trials=6", "confirm.seeds=2", "pretrain.tune=off", "pretrain.epochs=10")


def main() -> None:
    """Search every fold that is not searched yet, and print what there is."""
    parser = argument_parser(__doc__)
    parser.add_argument("--bits", type=float, default=2.0, help="most average bits of a model")
    parser.add_argument("--datasets", nargs="+", default=_DATASETS)
    parser.add_argument("--models", nargs="+", default=_MODELS)
    options = parser.parse_args()
    datasets, models, folds = options.datasets, options.models, range(_FOLDS)
    if options.quick:
        datasets, models, folds = ("MUTAG",), models[:1], range(2)
    rows = [
        _row(dataset, model, folds, options.bits, quick=options.quick)
        for dataset in datasets
        for model in models
    ]
    finish(rows, options.json)


def _row(dataset: str, model: str, folds: range, bits: float, *, quick: bool) -> Row:
    start = time.perf_counter()
    found = [_fold(dataset, model, fold, bits, quick=quick) for fold in folds]
    columns = {name: [each[name] for each in found] for name in found[0]}
    full, few = columns["full"], columns["few"]
    return {
        "dataset": dataset,
        "model": model,
        "folds": len(found),
        "full": statistics.fmean(full),
        "full_std": std(full),
        "few": statistics.fmean(few),
        "few_std": std(few),
        "bits": statistics.fmean(columns["bits"]),
        "file_kib": statistics.fmean(columns["file_kib"]),
        "resident_ratio": statistics.fmean(columns["resident_ratio"]),
        "minutes": sum(columns["seconds"]) / 60,
        "wall_minutes": (time.perf_counter() - start) / 60,
    }


def _fold(dataset: str, model: str, fold: int, bits: float, *, quick: bool) -> dict[str, Any]:
    folder = _FOLDER / dataset / model / str(fold)
    summary = newest_summary(folder)
    if summary is None or not summary["confirmed"]:
        names = (f"dataset.source.name={dataset}", f"dataset.split.fold={fold}", f"model={model}")
        budget = _QUICK if quick else _BUDGET
        summary = finished_search(folder, "dataset=tu", *names, *budget)
    points = [point for point in summary["confirmed"] if point["average_bits"] <= bits]
    best = min(points, key=lambda point: point["confirmed"]["shipped"]["estimated_drop"])
    return {
        "full": 100 * summary["full_precision"]["test_accuracy"],
        "few": 100 * best["confirmed"]["test_accuracy"],
        "bits": best["average_bits"],
        "file_kib": best["stored_bytes"] / 1024,
        "resident_ratio": best["resident_ratio_sparse_fp32"],
        "seconds": summary["wall_seconds"],
    }


if __name__ == "__main__":
    main()
