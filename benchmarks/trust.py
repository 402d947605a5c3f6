"""Whether recommended artifacts keep their promise, on graphs with splits drawn anew.

Each cell is one search of 100 trials: a graph, a model and a random split, with all other nodes as
test nodes. The promise is the default one: at most 0.4 points are lost with 90 % confidence. Each
graph, and all, have a row: the share of recommended artifacts that lose more on test nodes, how
many intervals have the test drop (of every confirmed point that loses less than 4 points), the
price in bytes (geometric mean of the recommended artifact over the smallest confirmed one that
truly holds), and studies that have a safe point and recommend none.

The drops of each graph are estimated with constants (see ``drop_estimate.BIASES``) that were chosen
on the studies of the other graphs alone, where there are studies of two others; and with the
tool's own, a row for the studies that took no part in choosing these among them. A last table has
what the studies of each graph, and all, would choose.
Studies are kept in ``outputs/trust``: a run that was cut off goes on. ``--part K/N`` runs every
N-th cell from the K-th on, so that several processes share the work; without it, the rows are of
the studies that are there.
"""

import argparse
import itertools
import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cells import GRAPHS, MODELS, random_split
from problem import finished_search, newest_summary
from report import Row, argument_parser, finish, std
from sgq_auto.searching.confirming.confirm_rows import DISTILLED, ConfirmRow
from sgq_auto.searching.confirming.confirmed_allocation import Shipped, shipped_of
from sgq_auto.searching.confirming.drop_estimate import BIASES, Bias, Biases
from sgq_auto.searching.settings.promise_settings import Promise

_FOLDER = Path("outputs/trust")
_PROMISE = Promise(drop=0.4, confidence=0.9)
_LARGEST_DROP = 4.0
# Fewer studies, or graphs, choose no constants.
_FEWEST, _FEWEST_GRAPHS = 3, 2
# The studies on which the tool's own constants were chosen.
_CHOSE = {
    *itertools.product(("cora", "citeseer"), ("gcn",), (0, 1)),
    *itertools.product(("cora", "citeseer"), ("agnn", "gat"), (0,)),
    ("cora", "agnn", 1),
    ("pubmed", "gcn", 0),
}
Cell = tuple[str, str, int]
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
    finish([*_rows_of_others(studies), *_rows_of_own(studies)], options.json)
    finish([_bias_row(name, cells, studies) for name, cells in _groups(studies).items()], None)


def _rows_of_others(studies: "Mapping[Cell, _Study]") -> list[Row]:
    """Rows with constants that the studies of the other graphs choose; none where these are few."""
    found = {}
    for cell, study in studies.items():
        chosen = _chosen({c: each for c, each in studies.items() if c[0] != cell[0]})
        if chosen is not None:
            found[cell] = study.points(chosen)
    return _rows("others", found, _groups(found))


def _rows_of_own(studies: "Mapping[Cell, _Study]") -> list[Row]:
    """Rows with the tool's own constants."""
    found = {cell: study.points(BIASES) for cell, study in studies.items()}
    groups = _groups(found)
    groups["took no part"] = [cell for cell in found if cell not in _CHOSE]
    return _rows("the tool's", found, groups)


def _groups(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """The cells of each graph, and all."""
    listed = list(cells)
    graphs = dict.fromkeys(graph for graph, _, _ in listed)
    return {**{g: [cell for cell in listed if cell[0] == g] for g in graphs}, "all": listed}


def _rows(
    constants: str, points: "Mapping[Cell, list[_Point]]", groups: Mapping[str, list[Cell]]
) -> list[Row]:
    return [
        {"graph": name, "constants": constants, **_figures([points[cell] for cell in cells])}
        for name, cells in groups.items()
        if cells
    ]


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


def _summary(cell: Cell) -> dict[str, Any] | None:
    """What a study found; ``None`` where it is not there, or was cut off."""
    summary = newest_summary(_FOLDER / "-".join(map(str, cell)))
    return summary if summary and summary["confirmed"] else None


@dataclass(frozen=True)
class _Study:
    """A finished study: its summary, and the rows of its confirm stage by trial."""

    summary: dict[str, Any]
    rows: dict[int | None, list[ConfirmRow]]

    @classmethod
    def read(cls, cell: Cell) -> "_Study":
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


def _chosen(studies: Mapping[Cell, _Study]) -> Biases | None:
    """The constants that some studies choose, for a graph that is none of theirs."""
    shares = {cell: found for cell, study in studies.items() if (found := study.shares())}
    groups = _groups(shares)
    del groups["all"]
    if len(shares) < _FEWEST or len(groups) < _FEWEST_GRAPHS:
        return None
    steps = range(2)
    return Biases(*(_bias([[shares[c][k] for c in own] for own in groups.values()]) for k in steps))


def _bias(groups: list[list[float]]) -> Bias:
    """Mean and spread of the shares of a study on another graph, from those of each graph.

    Studies of a graph have something in common: a random effect (DerSimonian and Laird 1986, with
    graphs that count alike).
    """
    means = [statistics.fmean(own) for own in groups]
    count = sum(map(len, groups))
    squares = sum((x - m) ** 2 for own, m in zip(groups, means, strict=True) for x in own)
    within = squares / max(1, count - len(groups))
    by_chance = within * statistics.fmean(1 / len(own) for own in groups)
    between = max(0.0, statistics.variance(means) - by_chance)
    # What is usual is uncertain too.
    variance = within * (1 + 1 / count) + between * (1 + 1 / len(groups))
    return Bias(statistics.fmean(means), math.sqrt(variance))


def _bias_row(name: str, cells: list[Cell], studies: Mapping[Cell, _Study]) -> Row:
    shares = [found for cell in cells if (found := studies[cell].shares())]
    row: Row = {"studies of": name}
    for step, found in zip(("taught", "bits"), zip(*shares, strict=True), strict=False):
        row |= {f"{step}_mean": statistics.fmean(found), f"{step}_std": std(found)}
    return row


def _figures(studies: list[list[_Point]]) -> Row:
    best = [_smallest(p for p in points if p.is_promised) for points in studies]
    safe = [_smallest(p for p in points if p.is_kept) for points in studies]
    recommended = [point for point in best if point is not None]
    intervals = [p.shipped for points in studies for p in points]
    near = [each for each in intervals if each.test_accuracy_drop <= _LARGEST_DROP]
    inside = [each.drop_low <= each.test_accuracy_drop <= each.drop_high for each in near]
    prices = [b.num_bytes / s.num_bytes for b, s in zip(best, safe, strict=True) if b and s]
    return {
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
