"""The charts of a report: the front, and the hypervolume over trials."""

import re
from collections.abc import Mapping, Sequence

from sgq_auto.searching.progress import StudyProgress
from sgq_auto.searching.records import TrialRecord
from sgq_auto.searching.repeats import Estimate
from sgq_auto.searching.summary import Summary
from sgq_auto.tracking.pages import Axis, Chart, Curve, Level, Mark, MarkKind, steps
from sgq_auto.tracking.units import kib, percent

# Trials that lose more to the best lie on the lower edge, so that the front keeps its shape.
_DEEPEST = 0.15
_FRONT, _CONFIRMED, _BEST, _TRIAL = 0, 1, 4, 5


def front_chart(progress: StudyProgress, summary: Summary) -> Chart:
    """All trials, the front, and the confirmed points with their spread over seeds."""
    trials = [record for record in progress.records if record.complete]
    axes = _axes(trials, summary)
    marks = [_trial_mark(progress, axes, record, MarkKind.TRIAL) for record in trials]
    marks += [_trial_mark(progress, axes, point, MarkKind.FRONT) for point in progress.front]
    confirmed = [_confirmed_mark(axes, point, summary) for point in summary["confirmed"]]
    marks += confirmed
    best = (summary["recommended"] or {}).get("trial")
    marks += [
        Mark(MarkKind.RECOMMENDED, mark.x, mark.y, mark.text, color=_BEST)
        for mark in confirmed
        if mark.trial == best
    ]
    x, y = axes
    staircase = [(p.num_bytes / 1024, 100 * p.val_accuracy) for p in progress.front]
    return Chart(
        "Accuracy against memory of every trial",
        x,
        y,
        tuple(marks),
        (Curve(steps(x, y, staircase), "", _FRONT),),
        levels=tuple(_levels(y, summary)),
    )


def hypervolume_chart(hypervolumes: Sequence[float]) -> Chart:
    """The hypervolume after each trial."""
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


def _axes(trials: Sequence[TrialRecord], summary: Summary) -> tuple[Axis, Axis]:
    objective = str(summary["objective"]).removesuffix("_bytes")
    sizes = [record.num_bytes / 1024 for record in trials]
    full = summary["full_precision"]
    accuracies = [record.val_accuracy for record in trials]
    floor = max(accuracies, default=0.0) - _DEEPEST
    accuracies += [a for a in (full["val_accuracy"], full["test_accuracy"]) if a is not None]
    for point in summary["confirmed"]:
        found = point["confirmed"]
        spread = found["test_accuracy_std"]
        accuracies += [found["test_accuracy"] - spread, found["test_accuracy"] + spread]
    return (
        Axis.around(f"{objective} memory (KiB, log scale)", sizes, is_log=True),
        Axis.around("accuracy (%)", [100 * max(a, floor) for a in accuracies]),
    )


def _trial_mark(
    progress: StudyProgress, axes: tuple[Axis, Axis], point: TrialRecord | Estimate, kind: MarkKind
) -> Mark:
    x, y = axes
    bits = describe_bits(progress.allocation(point).by_name())
    text = f"trial {point.number}\n{kib(point.num_bytes)}, {percent(point.val_accuracy)} validation"
    return Mark(
        kind,
        x.place(point.num_bytes / 1024),
        100 - y.place(100 * point.val_accuracy),
        f"{text}\n{bits}",
        point.number,
        color=_TRIAL if kind is MarkKind.TRIAL else _FRONT,
    )


def _confirmed_mark(axes: tuple[Axis, Axis], point: Summary, summary: Summary) -> Mark:
    x, y = axes
    found, num_bytes = point["confirmed"], point[summary["objective"]]
    accuracy, std = found["test_accuracy"], found["test_accuracy_std"]
    return Mark(
        MarkKind.CONFIRMED,
        x.place(num_bytes / 1024),
        100 - y.place(100 * accuracy),
        f"trial {point['trial']}, confirmed\n{kib(num_bytes)}, {percent(accuracy)} ± "
        f"{100 * std:.1f} test, {found['seeds']} seeds\n{describe_bits(point['bits'])}",
        point["trial"],
        (100 - y.place(100 * (accuracy + std)), 100 - y.place(100 * (accuracy - std))),
        _CONFIRMED,
    )


def _levels(y: Axis, summary: Summary) -> list[Level]:
    full = summary["full_precision"]
    levels = []
    if full["val_accuracy"] is not None:
        place = 100 - y.place(100 * full["val_accuracy"])
        levels.append(Level(place, "full precision, validation", color=_FRONT))
    if full["test_accuracy"] is not None:
        place = 100 - y.place(100 * full["test_accuracy"])
        levels.append(Level(place, "full precision, test", color=_CONFIRMED))
    return levels
