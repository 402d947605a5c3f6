"""Whether recommended artifacts keep their promise, on graphs with splits drawn anew.

Each cell is one search of 100 trials: a graph, a model and a random split, with all other nodes as
test nodes. The promise is the default one: at most 0.4 points are lost with 90 % confidence. Each
graph, and all, have a row: the share of recommended artifacts that lose more on test nodes, how
many intervals have the test drop (of every confirmed point that loses less than 4 points), the
price in bytes (geometric mean of the recommended artifact over the smallest confirmed one that
truly holds), and studies that have a safe point and recommend none.

The drops of each graph are estimated with constants (see ``drop_estimate.BIASES``) that were chosen
on the studies of the other graphs alone; a last table has what each graph, and all, would choose.
Studies are kept in ``outputs/trust``: a run that was cut off goes on. ``--part K/N`` runs every
N-th cell from the K-th on, so that several processes share the work; without it, the rows are of
the studies that are there.
"""

import argparse
import itertools
import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cells import GRAPHS, MODELS, random_split
from problem import finished_search, newest_summary
from report import Row, argument_parser, finish
from sgq_auto.searching.confirming.confirm_rows import DISTILLED, ConfirmRow
from sgq_auto.searching.confirming.confirmed_allocation import Shipped, shipped_of
from sgq_auto.searching.confirming.drop_estimate import BIASES, Bias, Biases
from sgq_auto.searching.settings.promise_settings import Promise

_FOLDER = Path("outputs/trust")
_PROMISE = Promise(drop=0.4, confidence=0.9)
_LARGEST_DROP = 4.0
# Fewer studies choose no constants.
_FEWEST = 3
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
        if _summary((graph, model, split)) is not None:
            continue
        folder = _FOLDER / f"{graph}-{model}-{split}"
        finished_search(folder, *random_split(graph, split), f"model={model}", *asked)
    studies = {cell: _Study.read(cell) for cell in cells if _summary(cell) is not None}
    graphs = list(dict.fromkeys(graph for graph, _, _ in studies))
    others = {g: [each for cell, each in studies.items() if cell[0] != g] for g in graphs}
    answers = {cell: study.points(_chosen(others[cell[0]])) for cell, study in studies.items()}
    rows = [_row(g, [points for cell, points in answers.items() if cell[0] == g]) for g in graphs]
    finish([*rows, _row("all", list(answers.values()))], options.json)
    groups = {g: [each for cell, each in studies.items() if cell[0] == g] for g in graphs}
    groups["all"] = list(studies.values())
    finish([_bias_row(name, own) for name, own in groups.items()], None)


def _arguments() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("--splits", type=int, default=5, help="random splits of each graph")
    parser.add_argument("--graphs", nargs="+", default=GRAPHS, help="some of the graphs")
    parser.add_argument("--models", nargs="+", default=MODELS, help="some of the models")
    parser.add_argument("--part", default="1/0", help="K/N: every N-th cell from the K-th on")
    options: argparse.Namespace = parser.parse_args()
    if options.quick:
        options.part = "0/1"
    return options


def _summary(cell: tuple[str, str, int]) -> dict[str, Any] | None:
    """What a study found; ``None`` where it is not there, or was cut off."""
    summary = newest_summary(_FOLDER / "-".join(map(str, cell)))
    return summary if summary and summary["confirmed"] else None


@dataclass(frozen=True)
class _Study:
    """A finished study: its summary, and the rows of its confirm stage by trial."""

    summary: dict[str, Any]
    rows: dict[int | None, list[ConfirmRow]]

    @classmethod
    def read(cls, cell: tuple[str, str, int]) -> "_Study":
        summary = _summary(cell)
        assert summary is not None
        folder = _FOLDER / "-".join(map(str, cell)) / "outputs" / "studies" / summary["study"]
        rows: dict[int | None, list[ConfirmRow]] = {}
        for line in (folder / "confirm.jsonl").read_text().splitlines():
            row = ConfirmRow.from_line(line)
            rows.setdefault(row.trial, []).append(row)
        return cls(summary, rows)

    def points(self, biases: Biases) -> list[_Point]:
        """What it would ship of each confirmed point, if these were the constants."""
        return [
            _Point(
                point["resident_bytes"],
                shipped_of(self.rows[None], self.rows[point["trial"]], _PROMISE, biases),
            )
            for point in self.summary["confirmed"]
        ]

    def shares(self) -> tuple[float, float] | None:
        """Drop less what opinions expect per changed prediction: of teaching, and of bits.

        Means over the models that lose less than 4 points.
        """
        accuracy = statistics.fmean(row.test_accuracy for row in self.rows[None])
        twins = {row.seed: row.test_accuracy for row in self.rows.get(DISTILLED, [])}
        pairs = []
        for row in itertools.chain(*(self.rows[p["trial"]] for p in self.summary["confirmed"])):
            if row.seed not in twins or 100 * (accuracy - row.test_accuracy) > _LARGEST_DROP:
                continue
            taught, bits = accuracy - twins[row.seed], twins[row.seed] - row.test_accuracy
            evidence = row.evidence
            if evidence.taught.changed and evidence.bits.changed:
                pairs.append(
                    (
                        (100 * taught - evidence.taught.expected) / evidence.taught.changed,
                        (100 * bits - evidence.bits.expected) / evidence.bits.changed,
                    )
                )
        if not pairs:
            return None
        first, second = zip(*pairs, strict=True)
        return statistics.fmean(first), statistics.fmean(second)


def _chosen(studies: list[_Study]) -> Biases:
    """The constants that some studies choose: each study counts once, its models are alike."""
    shares = [found for study in studies if (found := study.shares()) is not None]
    if len(shares) < _FEWEST:
        return BIASES
    # What is usual is uncertain too.
    factor = math.sqrt(1 + 1 / len(shares))
    columns = zip(*shares, strict=True)
    return Biases(*(Bias(statistics.fmean(c), factor * statistics.stdev(c)) for c in columns))


def _bias_row(name: str, studies: list[_Study]) -> Row:
    chosen = _chosen(studies)
    return {
        "chosen on": name,
        "taught_usual": chosen.taught.usual,
        "taught_spread": chosen.taught.spread,
        "bits_usual": chosen.bits.usual,
        "bits_spread": chosen.bits.spread,
    }


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
