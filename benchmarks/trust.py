"""Whether recommended artifacts keep their promise, on graphs with splits drawn anew.

Each cell is one search of 100 trials: a graph, a model and a random split, with all other nodes as
test nodes.
The promise is the default one: at most 0.4 points are lost with 90 % confidence. Printed are, for
each graph and in all: studies, the share of recommended artifacts that lose more on test nodes, how
many intervals have the test drop (of every confirmed point that loses less than 4 points), the
price in bytes (geometric mean of the recommended artifact over the smallest confirmed one that
truly holds), and studies that have a safe point and recommend none.

``--left-out`` reads what ``drop_bias.py --json PATH`` wrote, and estimates the drops of each graph
anew with the constants that were chosen without it. Studies are kept in ``outputs/trust``: a run
that was cut off goes on. ``--part K/N`` runs every N-th cell from the K-th on, so that several
processes share the work; without it, the rows are of the studies that are there.
"""

import argparse
import itertools
import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cells import GRAPHS, MODELS, random_split
from problem import finished_search, newest_summary
from report import Row, argument_parser, finish
from sgq_auto.searching.confirming.confirm_rows import ConfirmRow
from sgq_auto.searching.confirming.confirmed import Shipped, shipped_of
from sgq_auto.searching.confirming.drop_estimate import BIASES, Bias, Biases
from sgq_auto.searching.settings.promise import Promise

_FOLDER = Path("outputs/trust")
_PROMISE = Promise(drop=0.4, confidence=0.9)
_LARGEST_DROP = 4.0
QUICK = ("n_trials=8", "confirm.seeds=2", "pretrain.tune=off")


@dataclass(frozen=True)
class _Point:
    """A confirmed point of a study: bytes, and the artifact it would ship."""

    num_bytes: int
    shipped: Shipped

    @property
    def is_promised(self) -> bool:
        return _PROMISE.allows(self.shipped.drop_at_most)

    @property
    def is_kept(self) -> bool:
        return _PROMISE.allows(self.shipped.test_accuracy_drop)


def main() -> None:
    """Search every cell, or those of a part, and print what the studies that are there say."""
    options = _arguments()
    # Split by split: what is there of a run that was cut off has all graphs and models.
    orders = itertools.product(range(options.splits), options.graphs, options.models)
    cells = [(graph, model, split) for split, graph, model in orders]
    if options.quick:
        cells = [("embedded_cora", "gcn", 0)]
    first, step = (int(number) for number in options.part.split("/"))
    for graph, model, split in cells[first % step :: step] if step else []:
        asked = QUICK if options.quick else ()
        folder = _FOLDER / f"{graph}-{model}-{split}"
        finished_search(folder, *random_split(graph, split), f"model={model}", *asked)
    left_out = json.loads(options.left_out.read_text()) if options.left_out else []
    studies = {cell: _points(cell, left_out) for cell in cells if _summary(cell) is not None}
    graphs = list(dict.fromkeys(graph for graph, _, _ in studies))
    rows = [_row(g, [points for cell, points in studies.items() if cell[0] == g]) for g in graphs]
    finish([*rows, _row("all", list(studies.values()))], options.json)


def _arguments() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--splits", type=int, default=5, help="random splits of each graph")
    parser.add_argument("--graphs", nargs="+", default=GRAPHS, help="some of the graphs")
    parser.add_argument("--models", nargs="+", default=MODELS, help="some of the models")
    parser.add_argument("--part", default="1/0", help="K/N: every N-th cell from the K-th on")
    parser.add_argument("--left-out", type=Path, help="rows of drop_bias.py")
    options: argparse.Namespace = parser.parse_args()
    if options.quick:
        options.part = "0/1"
    return options


def _summary(cell: tuple[str, str, int]) -> dict[str, Any] | None:
    graph, model, split = cell
    return newest_summary(_FOLDER / f"{graph}-{model}-{split}")


def _points(cell: tuple[str, str, int], left_out: list[Row]) -> list[_Point]:
    summary = _summary(cell)
    assert summary is not None
    folder = _FOLDER / "-".join(map(str, cell)) / "outputs" / "studies" / summary["study"]
    lines = (folder / "confirm.jsonl").read_text().splitlines()
    rows: dict[int | None, list[ConfirmRow]] = {}
    for row in map(ConfirmRow.from_line, lines):
        rows.setdefault(row.trial, []).append(row)
    biases = _biases(cell[0], left_out)
    return [
        _Point(
            point["resident_bytes"],
            shipped_of(rows[None], rows[point["trial"]], _PROMISE, biases),
        )
        for point in summary["confirmed"]
    ]


def _biases(graph: str, left_out: list[Row]) -> Biases:
    """Those that were chosen without a graph, if they are known."""
    for row in left_out:
        if row["graphs"] == f"without {graph}":
            steps = ("taught", "bits")
            return Biases(*(Bias(row[f"{s}_usual"], row[f"{s}_spread"]) for s in steps))
    return BIASES


def _row(name: str, studies: list[list[_Point]]) -> Row:
    best = [_smallest(p for p in points if p.is_promised) for points in studies]
    safe = [_smallest(p for p in points if p.is_kept) for points in studies]
    recommended = [point for point in best if point is not None]
    intervals = [p.shipped for points in studies for p in points]
    near = [each for each in intervals if each.test_accuracy_drop <= _LARGEST_DROP]
    inside = [each.drop_low <= each.test_accuracy_drop <= each.drop_high for each in near]
    prices = [b.num_bytes / s.num_bytes for b, s in zip(best, safe, strict=True) if b and s]
    return {
        "graph": name,
        "studies": len(studies),
        "recommended": len(recommended),
        "exceed_%": 100 * _share([not point.is_kept for point in recommended]),
        "intervals": len(inside),
        "coverage_%": 100 * _share(inside),
        "price": statistics.geometric_mean(prices) if prices else None,
        "safe_without": sum(s is not None and b is None for b, s in zip(best, safe, strict=True)),
    }


def _smallest(points: Iterable[_Point]) -> _Point | None:
    return min(points, key=lambda point: point.num_bytes, default=None)


def _share(flags: list[bool]) -> float:
    return statistics.fmean(flags) if flags else 0.0


if __name__ == "__main__":
    main()
