"""Ten kinds of published models, each searched on a graph, packed, and its file asked.

Each row is one ``python -m sgq_auto.search`` with the default budget, on the model of that name in
``public_architectures.py``; then the recommended file is loaded and predicts all nodes. ``drop`` is
what the file loses against the full-precision model on test nodes; ``sites`` is how many bit-widths
the recommended model has; ``classes`` is how many classes the file predicts.
Searches are kept in ``outputs/architectures``: a run that was cut off goes on. ``--part K/N`` runs
every N-th row from the K-th on; rows of the others that ``--json`` has stay there.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from problem import finished_search, load_problem, newest_summary
from report import Row, argument_parser, finish
from sgq_auto.packed import load
from weighted_graph import weighted_graph

_FOLDER = Path("outputs/architectures")
_TOLERANCE = 0.4
QUICK = ("n_trials=6", "confirm.seeds=2", "pretrain.tune=off", "tolerance=100")


@dataclass(frozen=True)
class Case:
    """A model of ``public_architectures`` and a graph."""

    model: str
    dataset: str


_CASES = (
    Case("ResidualSage", "cora"),
    Case("JumpingGatv2", "citeseer"),
    Case("DeepBlocks", "pubmed"),
    Case("Gcnii", "cora"),
    Case("PropagatedMlp", "citeseer"),
    Case("TransformerLayer", "cora"),
    Case("Pna", "citeseer"),
    Case("GinMlp", "pubmed"),
    Case("MlpAndSgc", "cora"),
    Case("WeightedGcn", "weighted"),
)


def main() -> None:
    """Search every case that is not searched yet, and print what there is."""
    parser = argument_parser(__doc__)
    parser.add_argument("--part", default="0/1", help="K/N: every N-th row from the K-th on")
    options = parser.parse_args()
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    first, step = (int(number) for number in options.part.split("/"))
    cases = _CASES[:1] if options.quick else _CASES[first::step]
    rows = _kept(options.json)
    for case in cases:
        rows[case.model] = _measure(case, quick=options.quick)
        if options.json is not None:
            ordered = [rows[each.model] for each in _CASES if each.model in rows]
            options.json.write_text(json.dumps(ordered, indent=2) + "\n")
    finish(list(rows.values()), None)


def _kept(path: Path | None) -> dict[str, Row]:
    """The rows of a file by model."""
    if path is None or not path.exists():
        return {}
    return {row["model"]: row for row in json.loads(path.read_text())}


def _measure(case: Case, *, quick: bool) -> Row:
    folder = _FOLDER / case.model
    summary = newest_summary(folder)
    if summary is None or not summary["confirmed"]:
        more = QUICK if quick else ()
        summary = finished_search(folder, *_overrides(case, folder), *more)
    best = summary["recommended"] or summary["nearest_miss"]
    shipped, row = best["shipped"], {"model": case.model, "dataset": case.dataset}
    row |= {
        "sites": len(best["bits"]),
        "kib": best["resident_bytes"] / 1024,
        "resident_ratio": best["resident_ratio"],
        "resident_ratio_sparse_fp32": best["resident_ratio_sparse_fp32"],
        "average_bits": best["average_bits"],
        "recommended": summary["recommended"] is not None,
        "full_%": 100 * summary["full_precision"]["test_accuracy"],
        "packed_%": 100 * shipped["test_accuracy"],
        "drop": shipped["test_accuracy_drop"],
        "within": shipped["test_accuracy_drop"] <= _TOLERANCE,
    }
    if best["artifact_path"] is None:
        return row | {"file_kib": None, "reason": best["artifact_reason"]}
    packed = load(best["artifact_path"])
    predicted = packed.predict().argmax(1)
    return row | {
        "file_kib": Path(best["artifact_path"]).stat().st_size / 1024,
        "classes": int(np.unique(predicted).size),
    }


def _overrides(case: Case, folder: Path) -> list[str]:
    target = f"model._target_=public_architectures.{case.model}"
    overrides = ["model=custom", target]
    if case.dataset == "weighted":
        overrides += _weighted(folder)
    else:
        overrides.append(f"dataset={case.dataset}")
    if case.model == "Pna":
        adjacency = load_problem(f"dataset={case.dataset}").data.graph.adj_t
        degrees = adjacency.rowptr.diff().sub(1).bincount().tolist()
        overrides.append(f"model.deg={degrees}".replace(" ", ""))
    return overrides


def _weighted(folder: Path) -> list[str]:
    """Overrides for a graph whose weights tell, written as an archive of numpy."""
    data = weighted_graph(0)
    folder.mkdir(parents=True, exist_ok=True)
    path = (folder / "weighted.npz").resolve()
    arrays = {name: data[name].numpy() for name in ("x", "y", "edge_index", "edge_weight")}
    masks = {name: data[name].numpy() for name in ("train_mask", "val_mask", "test_mask")}
    np.savez(path, **arrays, **masks)
    return ["dataset=npz", f"dataset.source.path={path}"]


if __name__ == "__main__":
    main()
