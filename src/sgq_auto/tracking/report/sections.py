"""What a report says in words and figures, section by section."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sgq_auto.packed import FootprintModel, Part
from sgq_auto.searching.summary import Summary
from sgq_auto.tracking.intervals import half_width_95
from sgq_auto.tracking.units import kib, percent

# Parts of a footprint as a report names them.
_PARTS: dict[str, tuple[Part, ...]] = {
    "features": (Part.FEATURES,),
    "graph": (Part.GRAPH,),
    "weights": (Part.WEIGHTS,),
    "scales": (Part.SCALES,),
    "activations": (Part.EMBEDDING, Part.ATTENTION),
}
# Percentage points left free beside the intervals.
_MARGIN = 0.5


@dataclass(frozen=True)
class Fact:
    """A figure with its name and what to hold it against."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class PartRow:
    """Bytes of one part of a footprint: packed, in PyG fp32, and in sparse fp32."""

    name: str
    packed: int
    full: int
    sparse: int


@dataclass(frozen=True)
class ConfirmedRow:
    """A confirmed point; places are percent of the scale that all rows share.

    Attributes:
        trial: The trial.
        size: Its bytes under the objective, in words.
        ratio: Full precision divided by it.
        drop: Its drop on test nodes, percentage points.
        half_width: Half of that drop's 95 % interval; ``None`` with a single seed.
        estimate: The drop as it is known without test labels, which chooses.
        is_best: Whether it is the recommended one.
        dot: Where its drop lies.
        bar: Where its interval begins, and how wide it is.
        tick: Where its estimate lies.
    """

    trial: int
    size: str
    ratio: float
    drop: float
    half_width: float | None
    estimate: float
    is_best: bool
    dot: float
    bar: tuple[float, float]
    tick: float


@dataclass(frozen=True)
class ConfirmedTable:
    """Confirmed points on one scale; ``zero`` and ``limit`` are places on it, in percent."""

    rows: tuple[ConfirmedRow, ...]
    zero: float
    limit: float
    allowed_drop: float


def answer(summary: Summary) -> str:
    """What the search found, in one sentence."""
    best, full = summary["recommended"], summary["full_precision"]
    what = f"{summary['model']} on {summary['dataset']}"
    if best is None:
        return f"No allocation for {what} is recommended: {summary['recommended_reason']}."
    name = summary["objective"]
    kind = name.removesuffix("_bytes")
    own, before = percent(best["test_accuracy"]), percent(full["test_accuracy"])
    return (
        f"{what} needs {kib(best[name])} of {kind} memory instead of {kib(full[name])}, "
        f"{best[f'{kind}_ratio']:.0f} times less, at {own} test accuracy against {before} at full "
        f"precision (a drop of {_test_drop(best)} points over {best['seeds']} seeds)."
    )


def warning(summary: Summary) -> str | None:
    """What makes the answer worth little: full precision that is no better than guessing."""
    # Summaries of earlier versions have no such entry.
    found: str | None = (summary.get("guessing") or {}).get("warning")
    return found


def facts(summary: Summary) -> tuple[Fact, ...]:
    """The figures of the recommended point."""
    best = summary["recommended"]
    if best is None:
        return ()
    sizes = [
        Fact(f"{kind} memory", kib(best[f"{kind}_bytes"]), _ratios(best, kind))
        for kind in ("resident", "stored", "peak", "sgquant")
    ]
    return (
        Fact(
            "recommended", f"trial {best['trial']}", f"{best['average_bits']:.2f} bits on average"
        ),
        *sizes,
        Fact(
            "test accuracy",
            percent(best["test_accuracy"]),
            f"± {100 * best['test_accuracy_std']:.1f} over {best['seeds']} seeds",
        ),
        Fact("test drop, points", _test_drop(best), "95 % interval over seeds, paired"),
        Fact("search", _span(summary["wall_seconds"]), f"{sum(summary['trials'].values())} trials"),
    )


def part_rows(footprints: FootprintModel, packed: Mapping[str, int]) -> tuple[PartRow, ...]:
    """The packed bytes of each part against fp32's."""
    full, sparse = footprints.full_precision_parts(), footprints.sparse_fp32_parts()
    return tuple(
        PartRow(name, *(sum(each[part] for part in parts) for each in (packed, full, sparse)))
        for name, parts in _PARTS.items()
    )


def confirmed_table(summary: Summary, allowed_drop: float) -> ConfirmedTable:
    """The confirmed points with the intervals of their drops."""
    points = summary["confirmed"]
    low, high = _scale(points, allowed_drop)

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    best = (summary["recommended"] or {}).get("trial")
    rows = tuple(
        _confirmed_row(point, summary["objective"], place, is_best=point["trial"] == best)
        for point in points
    )
    return ConfirmedTable(rows, place(0.0), place(allowed_drop), allowed_drop)


def _confirmed_row(
    point: Summary, objective: str, place: Callable[[float], float], *, is_best: bool
) -> ConfirmedRow:
    drop, half = _drop(point)
    left, right = (place(drop + side * (half or 0.0)) for side in (-1, 1))
    estimate = point["confirmed"]["estimated_drop"]
    return ConfirmedRow(
        trial=point["trial"],
        size=kib(point[objective]),
        ratio=point[f"{objective.removesuffix('_bytes')}_ratio"],
        drop=drop,
        half_width=half,
        estimate=estimate,
        is_best=is_best,
        dot=place(drop),
        bar=(left, round(right - left, 2)),
        tick=place(estimate),
    )


def _test_drop(best: Summary) -> str:
    width = half_width_95(best["test_accuracy_drop_std"], best["seeds"])
    return f"{best['test_accuracy_drop']:+.2f}" + ("" if width is None else f" ± {width:.2f}")


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 180 else f"{seconds / 60:.0f} min"


def _ratios(best: Summary, kind: str) -> str:
    ratio = f"{best[f'{kind}_ratio']:.1f}x less"
    sparse = best.get(f"{kind}_ratio_sparse_fp32")
    return ratio if sparse is None else f"{ratio}; {sparse:.1f}x than sparse fp32"


def _drop(point: Summary) -> tuple[float, float | None]:
    found = point["confirmed"]
    width = half_width_95(found["test_accuracy_drop_std"], found["seeds"])
    return found["test_accuracy_drop"], width


def _scale(points: Sequence[Summary], allowed_drop: float) -> tuple[float, float]:
    """The range of everything that is drawn, and a margin."""
    values = [0.0, allowed_drop]
    for point in points:
        drop, half = _drop(point)
        values += [drop - (half or 0.0), drop + (half or 0.0), point["confirmed"]["estimated_drop"]]
    return min(values) - _MARGIN, max(values) + _MARGIN
