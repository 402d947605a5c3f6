"""Why a point is recommended, what can be promised otherwise, and what test nodes say of it."""

from sgq_auto.reporting.verdict.drop_points import (
    DropPoint,
    allowed_drop,
    confidence_text,
    drop_points,
)
from sgq_auto.reporting.written_units import amount, kib, metric_of
from sgq_auto.searching.search_progress import Summary

# Drops are differences of decimal fractions: an exact tie is off in the last bits.
_TIE = 1e-9


def why_this_one(summary: Summary) -> str | None:
    """Why the recommended point is the one, in a sentence.

    Returns:
        ``None`` where nothing is recommended, or by a version that knew no bound.
    """
    confirmed, best = _recommended(summary)
    allowed, sure = allowed_drop(summary), confidence_text(summary)
    if best is None or allowed is None or sure is None:
        return None
    smaller = [point for point in confirmed if point.num_bytes < best.num_bytes]
    among = (
        "it is the only confirmed point, and its artifact"
        if len(confirmed) == 1
        else f"of {len(confirmed)} confirmed points, it is the smallest whose artifact"
    )
    most = amount(metric_of(summary), allowed)
    return (
        f"Why this one: {among} loses at most {most} with {sure} confidence "
        f"(bound {best.at_most:+.2f}); {_next_smaller(best, smaller)}"
    )


def _recommended(summary: Summary) -> tuple[list[DropPoint], DropPoint | None]:
    """The confirmed points, and of them the recommended one where its drop has a bound."""
    confirmed = drop_points(summary)
    found = (point for point in confirmed if point.is_best and point.at_most is not None)
    return confirmed, next(found, None)


def _next_smaller(best: DropPoint, smaller: list[DropPoint]) -> str:
    if not smaller:
        return "no smaller one was confirmed"
    near = max(smaller, key=lambda point: point.num_bytes)
    # Of several with as many bytes, the one that comes closest.
    alike = [p for p in smaller if p.num_bytes == near.num_bytes and p.at_most is not None]
    near = min(alike, key=lambda point: point.at_most or 0.0, default=near)
    bound = "" if near.at_most is None else f", may lose {near.at_most:.2f}"
    size = f"in {kib(near.num_bytes)}"
    if kib(near.num_bytes) == kib(best.num_bytes):
        size = f"({best.num_bytes - near.num_bytes:,.0f} bytes less)"
    return f"the next smaller one, trial {near.trial} {size}{bound}"


def more_than_allowed(summary: Summary) -> str | None:
    """That the recommended artifact loses more on test nodes than is allowed, and the next price.

    It is information. Test nodes have no part in the choice.

    Returns:
        ``None`` where it holds on test nodes too, or nothing is recommended, or by a version that
        knew means alone.
    """
    confirmed, best = _recommended(summary)
    allowed = allowed_drop(summary)
    if best is None or allowed is None or best.test_drop <= allowed + _TIE:
        return None
    limit = f"the tolerance of {allowed:g}"
    if summary.get("max_drop") is not None:
        limit = f"the {allowed:g} that max_drop allows"
    unit = metric_of(summary).unit
    larger = [point for point in confirmed if point.num_bytes > best.num_bytes]
    return (
        f"On test nodes this artifact loses {best.test_drop:.2f} {unit}, more than {limit}; "
        f"{_next_larger(best, larger, unit)}. Test nodes had no part in the choice."
    )


def _next_larger(best: DropPoint, larger: list[DropPoint], unit: str) -> str:
    if not larger:
        return "no larger point was confirmed"
    near = min(larger, key=lambda point: point.num_bytes)
    more = near.num_bytes - best.num_bytes
    share = 100 * more / best.num_bytes
    price = f"+{kib(more)}, {share:.0f} % larger" if share >= 1 else f"+{kib(more)}"
    return f"trial {near.trial} ({price}) {lost(near.test_drop, unit)} there"


def lost(drop: float, unit: str = "points") -> str:
    """A drop in words, like ``loses 0.25 points``."""
    size = f"{abs(drop):.2f}"
    if size == "0.00":
        return "loses nothing"
    return f"{'loses' if drop > 0 else 'gains'} {size} {unit}"


def promised(summary: Summary) -> str | None:
    """What can be promised where nothing is recommended, and what would make it more certain.

    Returns:
        ``None`` where something is recommended, nothing was confirmed, or by a version that knew no
        bound.
    """
    miss, sure = summary.get("nearest_miss") or {}, confidence_text(summary)
    allowed = allowed_drop(summary)
    if summary["recommended"] or not miss.get("confirmed") or sure is None or allowed is None:
        return None
    point = DropPoint.of(miss, summary["objective"], None)
    if point.at_most is None or point.interval is None:
        return None
    unit = metric_of(summary).unit
    text = (
        f"What can be promised: with {sure} confidence trial {point.trial} loses at most "
        f"{point.at_most:.2f} {unit}."
    )
    if point.estimate > allowed:
        return f"{text} Its estimate, {point.estimate:+.2f}, is itself above {allowed:g}."
    nodes = (summary.get("guessing") or {}).get("val_nodes")
    few = "so few of them" if nodes is None else f"{nodes:,} of them"
    half = (point.interval[1] - point.interval[0]) / 2
    return (
        f"{text} More validation labels would help: with {few}, its drop is uncertain by "
        f"± {half:.2f} {unit}."
    )
