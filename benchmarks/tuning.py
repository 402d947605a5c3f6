"""What tuning makes of full precision: the settings given, a grid of 16 beside it, and tuning.

Each row is a graph with one split. All three choose by validation nodes alone; what they choose is
then trained with five fresh seeds, and only that is tested. The features come as a user's ``npz``
would bring them, not normalised. Rows are written as they come; those that are there are kept.
``--model`` chooses another model.
"""

import itertools
import json
import statistics
import tempfile
import time
from dataclasses import replace

from cells import GRAPHS, random_split
from problem import load_problem
from report import Row, argument_parser, finish, std
from sgq_auto.graphs import PreparedData
from sgq_auto.quantize import prepare
from sgq_auto.searching import SearchSettings
from sgq_auto.searching.command_stages import unheard
from sgq_auto.searching.measuring.reference_models import pretrain_model
from sgq_auto.searching.tuning import tuned
from sgq_auto.searching.tuning.training_recipe import Recipe
from sgq_auto.searching.tuning.training_runs import TrainingRun, train
from sgq_auto.training import predict

_FRESH = range(100, 105)
_PLANETOID = GRAPHS[:3]
_GRID = {
    "pretrain.learning_rate": (0.01, 0.05),
    "pretrain.weight_decay": (0.0, 5e-4),
    "pretrain.dropout": (0.2, 0.5),
    "dataset.normalize_rows": (False, True),
}


def main() -> None:
    """Measure every graph and split."""
    parser = argument_parser(__doc__)
    parser.add_argument("--model", default="gcn", help="a file of conf/model")
    parser.add_argument("--splits", type=int, default=3, help="random splits of each graph")
    parser.add_argument("--graphs", nargs="+", default=GRAPHS, help="some of the graphs")
    options = parser.parse_args()
    cells = {f"{name} public": _public(name) for name in _PLANETOID if name in options.graphs}
    for name, split in itertools.product(options.graphs, range(options.splits)):
        cells[f"{name} {split}"] = _random(name, split)
    if options.quick:
        cells = {"embedded_cora": ("dataset=embedded_cora", "pretrain.epochs=50")}
    rows: list[Row] = []
    if options.json is not None and options.json.exists():
        rows = json.loads(options.json.read_text())
    for cell, overrides in cells.items():
        if any((row["graph"], row["model"]) == (cell, options.model) for row in rows):
            continue
        rows.append(_row(cell, options.model, overrides))
        finish(rows[-1:], None)
        if options.json is not None:
            options.json.write_text(json.dumps(rows, indent=2) + "\n")
    finish(rows, options.json)


def _public(name: str) -> tuple[str, ...]:
    return (f"dataset={name}", "dataset.normalize_rows=false")


def _random(name: str, split: int) -> tuple[str, ...]:
    return (*random_split(name, split), "dataset.normalize_rows=false")


def _row(cell: str, model: str, overrides: tuple[str, ...]) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        problem = load_problem(*overrides, f"model={model}", f"output_root={folder}")
        settings, data = problem.settings, problem.data
        # As a user's file: neither the grid nor tuning knows what was set by hand.
        settings = replace(settings, config={})
        began = time.perf_counter()
        tuned_settings, tuned_data, found = tuned(settings, data, unheard)
        seconds = time.perf_counter() - began
        grid = _grid_choice(settings, data)
        row: Row = {"graph": cell, "model": model}
        sides = {
            "given": (settings, data),
            "grid": (grid.applied(settings), grid.prepared_data(data)),
            "tuned": (tuned_settings, tuned_data),
        }
        for name, (own, prepared) in sides.items():
            row |= {f"{name}_{key}": value for key, value in _tested(own, prepared).items()}
    row["tune_s"] = seconds
    row["overrides"] = " ".join(found.overrides[1:]) if found else ""
    return row


def _grid_choice(settings: SearchSettings, data: PreparedData) -> Recipe:
    recipes = [
        Recipe(dict(zip(_GRID, values, strict=True)))
        for values in itertools.product(*_GRID.values())
    ]
    graph = data.graph
    return max(
        recipes, key=lambda recipe: train(settings, graph, TrainingRun(recipe, 0)).val_accuracy
    )


def _tested(settings: SearchSettings, data: PreparedData) -> dict[str, float]:
    models = [pretrain_model(settings, data.graph, seed) for seed in _FRESH]
    logits = [predict(prepare(each.model, data.graph), data.graph) for each in models]
    tests = [100 * data.held_out.accuracy(each) for each in logits]
    return {
        "val_%": 100 * statistics.fmean(each.val_accuracy for each in models),
        "test_%": statistics.fmean(tests),
        "std": std(tests),
    }


if __name__ == "__main__":
    main()
