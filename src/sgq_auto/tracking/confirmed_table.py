"""The table at the end of a search: full precision, and the confirmed points."""

from collections.abc import Sequence

from sgq_auto.searching.summary import Summary
from sgq_auto.tracking.tables import Column
from sgq_auto.tracking.units import kib

_MARKER = "->"


def confirmed_columns(summary: Summary) -> list[Column]:
    """Full precision first, then the confirmed points, smallest first.

    The recommended point is marked at the left, and the bytes that were minimised always stay.
    """
    points = summary["confirmed"]
    kind = str(summary["objective"]).removesuffix("_bytes")
    others = [name for name in ("resident", "stored") if name != kind]
    return [
        _names(summary),
        Column("bits", ["32", *(f"{p['average_bits']:.1f}" for p in points)], rank=2),
        _sizes(summary, kind, None),
        _ratios(summary, kind),
        *(_sizes(summary, name, 1 - rank) for rank, name in enumerate(others)),
        *_accuracies(summary, points),
    ]


def _names(summary: Summary) -> Column:
    best = (summary["recommended"] or {}).get("trial")
    indent = " " * len(_MARKER)
    names = [
        f"{_MARKER if point['trial'] == best else indent} trial {point['trial']}"
        for point in summary["confirmed"]
    ]
    return Column("", [f"{indent} full precision", *names], is_text=True)


def _sizes(summary: Summary, kind: str, rank: int | None) -> Column:
    """Bytes of one kind."""
    own = [summary["full_precision"], *summary["confirmed"]]
    return Column(kind, [kib(each[f"{kind}_bytes"]) for each in own], rank)


def _ratios(summary: Summary, kind: str) -> Column:
    """Full precision's bytes of one kind divided by each one's."""
    ratios = (f"{point[f'{kind}_ratio']:.1f}x" for point in summary["confirmed"])
    return Column("ratio", ["1.0x", *ratios], 4)


def _accuracies(summary: Summary, points: Sequence[Summary]) -> list[Column]:
    full, confirmed = summary["full_precision"], [point["confirmed"] for point in points]
    own = [full, *confirmed]
    tests = [None if c["test_accuracy"] is None else f"{100 * c['test_accuracy']:.1f}" for c in own]
    spreads = [
        "" if test is None else f"{test} ± {100 * c['test_accuracy_std']:.1f}"
        for test, c in zip(tests, own, strict=True)
    ]
    val = [_percent(c["val_accuracy"]) for c in own]
    estimates = [f"{c['estimated_drop']:+.2f}" for c in confirmed]
    drops = [f"{c['test_accuracy_drop']:+.2f}" for c in confirmed]
    return [
        Column("val %", val, 3),
        Column("est. drop", ["", *estimates], 5),
        Column("test %", spreads, brief=[test or "" for test in tests]),
        Column("test drop", ["", *drops]),
    ]


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.1f}"
