"""What opinions are usually wrong by, from which the constants of ``drop_estimate`` are chosen.

On each graph, model and random split, full precision, its distilled twin and a few allocations are
trained, three seeds each, without a search. The drop on all other nodes is compared with what
models without part expect, per prediction that changes: once for what teaching changes, once for
what bits change. Points that lose more than 4 points to bits are left out; nobody would choose
between those. The last rows are the constants with each graph left out, and of all.

Rows of points are kept in ``outputs/drop_bias``, so that a run that was cut off goes on.
"""

import itertools
import json
import random
import statistics
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cells import GRAPHS, MODELS, random_split
from problem import load_problem
from report import Row, argument_parser, finish
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import prepare
from sgq_auto.searching.confirming.drop_estimate import answers, drop_evidence
from sgq_auto.searching.measuring.workbench import Workbench, mean_probabilities, pretrain_models
from sgq_auto.training import DivergedError, predict

_FOLDER = Path("outputs/drop_bias")
_SEEDS = 3
_REFERENCES = 3
_LARGEST_DROP = 4.0
# Fewest and most bits that groups of sites draw theirs from.
_RANGES = ((1, 2), (1, 3), (1, 4), (2, 4), (1, 1), (2, 2), (3, 3))


def main() -> None:
    """Measure every cell, and choose."""
    parser = argument_parser(__doc__)
    parser.add_argument("--splits", type=int, default=1, help="random splits of each graph")
    options = parser.parse_args()
    cells = list(itertools.product(GRAPHS, MODELS, range(options.splits)))
    if options.quick:
        cells = [("embedded_cora", "gcn", 0)]
    points: list[dict[str, Any]] = []
    for graph, model, split in cells:
        points += _points(graph, model, split, quick=options.quick)
    near = [p for p in points if p["bits_drop"] <= _LARGEST_DROP]
    graphs = list(dict.fromkeys(p["graph"] for p in near))
    rows = [_row(graph, [p for p in near if p["graph"] == graph]) for graph in graphs]
    if len(graphs) > 1:
        rows += [
            _row(f"without {graph}", [p for p in near if p["graph"] != graph]) for graph in graphs
        ]
    finish([*rows, _row("all", near)], options.json)


def _row(name: str, points: list[dict[str, Any]]) -> Row:
    """Each graph and model counts once: points of one are alike."""
    row: Row = {"graphs": name, "points": len(points)}
    for step in ("taught", "bits"):
        cells: dict[tuple[str, str, int], list[float]] = {}
        for point in points:
            if point[f"{step}_changed"] > 0:
                share = point[f"{step}_bias"] / point[f"{step}_changed"]
                cells.setdefault((point["graph"], point["model"], point["split"]), []).append(share)
        means = [statistics.fmean(shares) for shares in cells.values()]
        row[f"{step}_usual"] = statistics.fmean(means)
        row[f"{step}_spread"] = statistics.stdev(means) if len(means) > 1 else None
    return row


def _points(graph: str, model: str, split: int, *, quick: bool) -> list[dict[str, Any]]:
    path = _FOLDER / f"{graph}-{model}-{split}{'-quick' if quick else ''}.json"
    if not path.exists():
        short = ("pretrain.epochs=40", "finetune.epochs=20") if quick else ()
        overrides = (*random_split(graph, split), f"model={model}", f"output_root={_FOLDER}")
        found = _measured(*overrides, *short)
        named = {"graph": graph, "model": model, "split": split}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([named | each for each in found], indent=1))
    kept: list[dict[str, Any]] = json.loads(path.read_text())
    return kept


def _measured(*overrides: str) -> list[dict[str, Any]]:
    problem = load_problem(*overrides, "pretrain.tune=off")
    settings, graph, held_out = problem.settings, problem.data.graph, problem.data.held_out
    first = _SEEDS + settings.teachers - 1
    reference = mean_probabilities(settings, graph, range(first, first + _REFERENCES))
    models = pretrain_models(settings, graph, range(_SEEDS))
    full = [predict(prepare(each.model, graph), graph) for each in models]
    accuracy = statistics.fmean(held_out.accuracy(logits) for logits in full)
    found = []
    for seed in range(_SEEDS):
        bench = Workbench.build(settings, graph, seed)
        twin = predict(bench.distil(seed)[0], graph)
        for allocation in _allocations(bench):
            try:
                logits = predict(bench.finetune(allocation, seed)[0], graph)
            except DivergedError:
                continue
            taught = 100 * (accuracy - held_out.accuracy(twin))
            bits = 100 * (held_out.accuracy(twin) - held_out.accuracy(logits))
            evidence = drop_evidence(
                *(reference, answers(full), answers([twin]), answers([logits])),
                *(graph, held_out.nodes.numel()),
            )
            found.append(
                {
                    "seed": seed,
                    "taught_drop": taught,
                    "bits_drop": bits,
                    "taught_bias": taught - evidence.taught.expected,
                    "taught_changed": evidence.taught.changed,
                    "bits_bias": bits - evidence.bits.expected,
                    "bits_changed": evidence.bits.changed,
                    "evidence": asdict(evidence),
                }
            )
    return found


def _allocations(bench: Workbench) -> list[BitAllocation]:
    """The same for every seed of a cell."""
    draw, groups = random.Random(0), bench.space.groups
    made = []
    for fewest, most in _RANGES:
        bits = {name: draw.randint(fewest, most) for name in groups}
        made.append(BitAllocation({s: bits[name] for name in groups for s in groups[name]}))
    return made


if __name__ == "__main__":
    main()
