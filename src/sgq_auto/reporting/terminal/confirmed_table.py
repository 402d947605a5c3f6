"""The table at the end of a search: the two references, and the confirmed points."""

from collections.abc import Sequence
from typing import Any

from sgq_auto.reporting.terminal.tables import Column
from sgq_auto.reporting.verdict import DropPoint, confidence_text, drop_points
from sgq_auto.reporting.written_units import (
    device_kinds,
    figure,
    has_device_bounds,
    kib,
    memory_name,
    metric_of,
    spread,
)
from sgq_auto.searching.search_progress import Summary
from sgq_auto.task import Metric

_MARKER = "->"


def confirmed_columns(summary: Summary) -> list[Column]:
    """Full precision first, its distilled twin, then the confirmed points, smallest first.

    The recommended point is marked at the left, and the bytes that were minimised always stay.
    Summaries of earlier versions have neither a twin nor bounds.
    """
    points, references = summary["confirmed"], _references(summary)
    kind = str(summary["objective"]).removesuffix("_bytes")
    others = [name for name in ("resident", "stored") if name != kind]
    on_device = [name for name in device_kinds(summary) if name != kind]
    # What is bounded matters as much as what is minimised.
    rank = None if has_device_bounds(summary) else -1
    bits = ["32"] * len(references) + [f"{p['average_bits']:.1f}" for p in points]
    return [
        _names(summary),
        Column("bits", bits, rank=2),
        _sizes(summary, kind, None),
        _ratios(summary, kind),
        *(_sizes(summary, name, 1 - place) for place, name in enumerate(others)),
        *(_sizes(summary, name, rank) for name in on_device),
        *_figures(metric_of(summary), references, points, drop_points(summary)),
    ]


def column_note(summary: Summary) -> str | None:
    """Which columns are of one model and which are means; ``None`` where all are means."""
    sure, points = confidence_text(summary), summary["confirmed"]
    if sure is None or not any((p["confirmed"] or {}).get("shipped") for p in points):
        return None
    seeds = points[0]["confirmed"]["seeds"]
    twin = " and bits cost (compared with distilled)" if summary.get("distilled") else ""
    figures = _figures_called(metric_of(summary))
    return (
        f"est. drop and at most are of the one model of each trial that would be shipped ({sure} "
        f"confidence). {figures}, test drop (compared with full precision){twin} are means over "
        f"{seeds} seed{'' if seeds == 1 else 's'}."
    )


def _figures_called(metric: Metric) -> str:
    """What the columns of figures are, for the sentence below them."""
    if metric is Metric.ACCURACY:
        return "Accuracies"
    unit = "%" if metric.is_share else "drops in % of it"
    return f"Figures ({metric.words}, {unit})"


def _references(summary: Summary) -> list[dict[str, Any]]:
    """Full precision, and its distilled twin where there is one."""
    twin = summary.get("distilled")
    return [summary["full_precision"], *([twin] if twin else [])]


def _names(summary: Summary) -> Column:
    best = (summary["recommended"] or {}).get("trial")
    indent = " " * len(_MARKER)
    names = [
        f"{_MARKER if point['trial'] == best else indent} trial {point['trial']}"
        for point in summary["confirmed"]
    ]
    references = [f"{indent} full precision", f"{indent} distilled"][: len(_references(summary))]
    return Column("", [*references, *names], is_text=True)


def _sizes(summary: Summary, kind: str, rank: int | None) -> Column:
    """Bytes of one kind. The twin is as large as full precision."""
    own = [summary["full_precision"]] * len(_references(summary)) + summary["confirmed"]
    return Column(memory_name(kind), [kib(each[f"{kind}_bytes"]) for each in own], rank)


def _ratios(summary: Summary, kind: str) -> Column:
    """Full precision's bytes of one kind divided by each one's."""
    ratios = (f"{point[f'{kind}_ratio']:.1f}x" for point in summary["confirmed"])
    return Column("ratio", [*("1.0x" for _ in _references(summary)), *ratios], 4)


def _figures(
    metric: Metric,
    references: Sequence[dict[str, Any]],
    points: Sequence[dict[str, Any]],
    drops: Sequence[DropPoint],
) -> list[Column]:
    """The artifacts' estimates and bounds, and means over seeds; new columns need a figure."""
    own = [*references, *(point["confirmed"] for point in points)]
    found = [c["test_accuracy"] for c in own]
    tests = [None if value is None else figure(metric, value) for value in found]
    # A single seed tells no spread.
    is_single = any(point["confirmed"].get("seeds") == 1 for point in points)
    spreads = [
        test or ""
        if test is None or is_single
        else f"{test} ± {spread(metric, c['test_accuracy_std'])}"
        for test, c in zip(tests, own, strict=True)
    ]
    lost = [reference.get("test_accuracy_drop") for reference in references]
    none: list[float | None] = [None] * len(references)
    unit, vals = "%" if metric.is_share else "error", [c["val_accuracy"] for c in own]
    columns = [
        Column(f"val {unit}", ["" if v is None else figure(metric, v) for v in vals], 3),
        Column("est. drop", _signed([*none, *(p.estimate for p in drops)]), 7),
        Column("at most", _signed([*none, *(p.at_most for p in drops)])),
        Column(f"test {unit}", spreads, brief=[test or "" for test in tests], brief_rank=6),
        Column("test drop", _signed([*lost, *(p.mean_test_drop for p in drops)])),
        Column("bits cost", _signed([*none, *(p.bits_cost for p in drops)]), 5),
    ]
    return [c for c in columns if c.heading not in ("at most", "bits cost") or any(c.cells)]


def _signed(drops: Sequence[float | None]) -> list[str]:
    return ["" if drop is None else f"{drop:+.2f}" for drop in drops]
