"""Whole-graph tasks over ten folds: full precision, and models of few bits, as files.

Each row is a dataset and a network: mean and deviation over folds of the test accuracy of full
precision and of the allocation with the lowest estimated drop among the confirmed ones of at most
so many average bits, each the mean of the confirm stage's seeds. A fold is tested once; the fold
before it validates, which chooses epochs and allocations. Every fold is one ``python -m
sgq_auto.search``, kept in ``outputs/graph_table``: a run that was cut off goes on, and with
``--json`` the file has the folds that are done. ``bits`` counts what SGQuant's authors count;
``resident_ratio`` is against fp32 held with care; ``minutes`` are of all folds together.
"""

import json
import statistics
from pathlib import Path
from typing import Any

from problem import finished_search, newest_summary
from report import Row, argument_parser, finish, std

_FOLDER = Path("outputs/graph_table")
# Datasets, and the most average bits of a model.
_DATASETS = {"PROTEINS": 2.0, "MUTAG": 2.0, "IMDB-BINARY": 2.5}
_MODELS = ("graph_gin", "graph_gcn")
_FOLDS = tuple(range(10))
_BUDGET = (
    *("granularity=lwq_cwq", "n_trials=16", "teachers=2", "workers=2"),
    *("pretrain.tune=off", "confirm.seeds=2", "confirm.max_points=3", "confirm.refinements=0"),
)
_QUICK = ("n_trials=6", "confirm.seeds=2", "pretrain.tune=off", "pretrain.epochs=10")


def main() -> None:
    """Search every fold that is not searched yet, and print what there is."""
    parser = argument_parser(__doc__)
    parser.add_argument("--bits", type=float, help="most average bits of a model, of any dataset")
    parser.add_argument("--datasets", nargs="+", default=tuple(_DATASETS), choices=_DATASETS)
    parser.add_argument("--models", nargs="+", default=_MODELS, choices=_MODELS)
    parser.add_argument("--folds", nargs="+", type=int, default=_FOLDS, choices=_FOLDS)
    options = parser.parse_args()
    datasets, models, folds = options.datasets, options.models, options.folds
    if options.quick:
        datasets, models, folds = ("MUTAG",), models[:1], range(2)
    rows = _kept(options.json)
    for dataset in datasets:
        for model in models:
            bits = options.bits or _DATASETS[dataset]
            found = []
            for fold in folds:
                found.append(_fold(dataset, model, fold, bits, quick=options.quick))
                rows[dataset, model] = _row(dataset, model, found)
                _keep(rows, options.json)
    finish(list(rows.values()), None)


def _kept(path: Path | None) -> dict[tuple[str, str], Row]:
    """The rows of a file, by dataset and model."""
    if path is None or not path.exists():
        return {}
    return {(row["dataset"], row["model"]): row for row in json.loads(path.read_text())}


def _keep(rows: dict[tuple[str, str], Row], path: Path | None) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(list(rows.values()), indent=2) + "\n")


def _row(dataset: str, model: str, found: list[dict[str, Any]]) -> Row:
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
    }


def _fold(dataset: str, model: str, fold: int, bits: float, *, quick: bool) -> dict[str, Any]:
    folder = _FOLDER / dataset / model / str(fold)
    summary = newest_summary(folder)
    if summary is None or not summary["confirmed"]:
        names = (f"dataset.source.name={dataset}", f"dataset.split.fold={fold}", f"model={model}")
        budget = _QUICK if quick else _BUDGET
        summary = finished_search(folder, "dataset=tu", *names, *budget)
    points = [point for point in summary["confirmed"] if point["average_bits"] <= bits]
    if not points:
        raise SystemExit(f"{folder}: no confirmed point has {bits:g} bits or fewer")
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
