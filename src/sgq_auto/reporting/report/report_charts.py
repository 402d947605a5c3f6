"""The charts of a report: what decides, the search, and the hypervolume over trials."""

import re
from collections.abc import Mapping, Sequence

from sgq_auto.reporting.pages import (
    Axis,
    Band,
    Chart,
    Curve,
    Label,
    Level,
    Mark,
    MarkKind,
    steps,
)
from sgq_auto.reporting.verdict import DropPoint
from sgq_auto.reporting.verdict.front_panels import Panels
from sgq_auto.reporting.written_units import kib, plotted, spread
from sgq_auto.searching.search_progress import StudyProgress, Summary
from sgq_auto.searching.trials.repeated_measurements import Estimate
from sgq_auto.searching.trials.trial_records import TrialRecord
from sgq_auto.task import Metric

# Indices of colours in the style sheet.
_FRONT, _TEST, _BAND, _TWIN, _BEST, _TRIAL, _ESTIMATE, _FULL = 0, 1, 2, 3, 4, 5, 6, 7


def drop_chart(panels: Panels, summary: Summary) -> Chart:
    """The panel that decides: drops of the confirmed points, estimated and on test nodes."""
    names, y = panels.names(summary), panels.drop
    marks: list[Mark] = []
    places = zip(panels.places, panels.test_places, strict=True)
    for point, entry, both in zip(panels.points, summary["confirmed"], places, strict=True):
        marks += _drop_marks(point, both, y, _point_text(point, entry, panels.metric))
    order = (MarkKind.CONFIRMED, MarkKind.BOUND, MarkKind.TEST, MarkKind.RECOMMENDED)
    label, levels = None, [Level(100 - y.place(0.0), "", color=_TRIAL)]
    if panels.best is not None:
        place = panels.places[panels.best]
        label = Label(place, panels.label)
        levels.append(Level(place, "", is_upright=True, color=_BEST))
    return Chart(
        "Drops of the confirmed points",
        panels.slots,
        y,
        tuple(sorted(marks, key=lambda mark: order.index(mark.kind))),
        bands=_bands(panels, names.band),
        levels=tuple(levels),
        label=label,
        note=panels.edge_note,
        kind_names={
            MarkKind.CONFIRMED: names.estimate,
            MarkKind.BOUND: names.bound,
            MarkKind.TEST: names.test,
        },
    )


def search_chart(progress: StudyProgress, panels: Panels) -> Chart:
    """The panel of the search: validation accuracy of all trials, the front, the references."""
    x, y = panels.size, panels.accuracy
    trials = [record for record in progress.records if record.complete]
    marks = [_trial_mark(progress, panels, record, MarkKind.TRIAL) for record in trials]
    marks += [_trial_mark(progress, panels, point, MarkKind.FRONT) for point in progress.front]
    best = None if panels.best is None else panels.points[panels.best].trial
    marks += [
        Mark(MarkKind.RECOMMENDED, mark.x, mark.y, mark.text, color=_BEST)
        for mark in marks
        if mark.trial == best and mark.kind is MarkKind.TRIAL
    ]
    reached = [plotted(panels.metric, p.val_accuracy) for p in progress.front]
    staircase = [(p.num_bytes / 1024, at) for p, at in zip(progress.front, reached, strict=True)]
    levels = zip(panels.levels, (_FULL, _TWIN), strict=False)
    return Chart(
        f"Validation {panels.metric.words} against memory of every trial",
        x,
        y,
        tuple(marks),
        (Curve(steps(x, y, staircase), "", _FRONT),),
        levels=tuple(
            Level(100 - y.place(accuracy), f"{name}, mean of seeds", color=color)
            for (name, accuracy), color in levels
        ),
    )


def hypervolume_chart(hypervolumes: Sequence[float]) -> Chart:
    """The hypervolume after each trial: where it is flat, more trials find little."""
    x = Axis("trials", 0.0, float(max(len(hypervolumes), 1)))
    y = Axis.around("hypervolume", hypervolumes)
    points = tuple((x.place(k + 1), 100 - y.place(v)) for k, v in enumerate(hypervolumes))
    return Chart("Hypervolume over trials", x, y, curves=(Curve(points, "", _FRONT),))


def describe_bits(bits: Mapping[str, int]) -> str:
    """Bits by site in a line for each component of a layer, its buckets in order."""
    rows: dict[str, list[str]] = {}
    for site, width in bits.items():
        rows.setdefault(re.sub(r"\.\d+$", "", site), []).append(str(width))
    return "\n".join(f"{name}: {' '.join(row)}" for name, row in rows.items())


def _drop_marks(point: DropPoint, places: Sequence[float], axis: Axis, text: str) -> list[Mark]:
    """A point's estimate with its interval, its bound, its test drop, and a ring if it is best.

    Args:
        point: The point.
        places: Where it and its test drop lie, percent from the left.
        axis: The axis of drops.
        text: What hovering shows.
    """
    x, beside = places

    def top(drop: float) -> float:
        return round(100 - axis.place(drop), 2)

    trial, low_high = point.trial, point.interval
    whisker = None if low_high is None else (top(low_high[1]), top(low_high[0]))
    estimate = top(point.estimate)
    marks = [
        Mark(MarkKind.CONFIRMED, x, estimate, text, trial, whisker, _ESTIMATE),
        Mark(MarkKind.TEST, beside, top(point.test_drop), text, trial, color=_TEST),
    ]
    if point.at_most is not None:
        marks.append(Mark(MarkKind.BOUND, x, top(point.at_most), text, trial, color=_ESTIMATE))
    if point.is_best:
        marks.append(Mark(MarkKind.RECOMMENDED, x, estimate, text, color=_BEST))
    return marks


def _point_text(point: DropPoint, entry: Summary, metric: Metric) -> str:
    """What hovering says of a confirmed point, which is also an entry of the summary."""
    found = entry["confirmed"]
    lines = [
        f"trial {point.trial}, confirmed",
        f"{kib(point.num_bytes)}, {metric.text(found['test_accuracy'])} ± "
        f"{spread(metric, found['test_accuracy_std'])} test, {found['seeds']} seeds",
    ]
    lines.append(f"estimated drop {point.estimate:+.2f}")
    if point.interval is not None:
        lines[-1] += f" ({point.interval[0]:+.2f} to {point.interval[1]:+.2f})"
    if point.at_most is not None:
        lines.append(f"at most {point.at_most:+.2f}")
        lines.append(f"on test nodes {point.test_drop:+.2f}")
    lines.append(f"on test nodes, mean of seeds {point.mean_test_drop:+.2f}")
    return "\n".join([*lines, describe_bits(entry["bits"])])


def _bands(panels: Panels, name: str) -> tuple[Band, ...]:
    """Every drop that is allowed."""
    if panels.allowed is None:
        return ()
    top = round(100 - panels.drop.place(panels.allowed), 2)
    return (Band(((0.0, top), (100.0, top), (100.0, 100.0), (0.0, 100.0)), _BAND, name),)


def _trial_mark(
    progress: StudyProgress, panels: Panels, point: TrialRecord | Estimate, kind: MarkKind
) -> Mark:
    bits = describe_bits(progress.allocation(point).by_name())
    own = panels.metric.text(point.val_accuracy)
    text = f"trial {point.number}\n{kib(point.num_bytes)}, {own} validation"
    return Mark(
        kind,
        panels.size.place(point.num_bytes / 1024),
        100 - panels.accuracy.place(plotted(panels.metric, point.val_accuracy)),
        f"{text}\n{bits}",
        point.number,
        color=_TRIAL if kind is MarkKind.TRIAL else _FRONT,
    )
