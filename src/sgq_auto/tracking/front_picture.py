"""The picture of a front: the panel that decides, and below it the panel of the search."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.figure
import matplotlib.ticker

from sgq_auto.searching.progress import StudyProgress
from sgq_auto.searching.summary import Summary
from sgq_auto.tracking.pages import Axis
from sgq_auto.tracking.verdict.panels import Panels

_TRIAL, _FRONT, _ESTIMATE, _TEST = "#b8c4d0", "#1f6fb2", "#24506e", "#d06f14"
_BEST, _BAND, _TWIN = "#c23030", "#2e8b57", "#7a5195"
_RING = {"ls": "", "marker": "o", "ms": 11, "mfc": "none", "mec": _BEST, "mew": 1.6}
# A label whose point is nearer to an edge than this, percent, begins or ends there.
_EDGE = 25


def save_front_png(progress: StudyProgress, summary: Summary, path: Path) -> None:
    """Draw the drops of the confirmed points, and the accuracies of all trials and the front."""
    front_figure(progress, summary).savefig(path)


def front_figure(progress: StudyProgress, summary: Summary) -> matplotlib.figure.Figure:
    """The picture: drops above, where points were confirmed, and the search below."""
    panels = Panels.of(progress, summary)
    ratios, height = ([1.25, 1], 7.0) if panels.points else ([1], 4.2)
    figure = matplotlib.figure.Figure(figsize=(7.5, height), dpi=140, layout="constrained")
    axes = figure.subplots(len(ratios), sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
    if panels.points:
        _draw_drops(axes[0], panels, summary)
        _mark_recommended(axes[0], panels)
        _add_legend(axes[0], -0.02)
    _draw_search(axes[-1], panels, progress, summary)
    _scale_sizes(axes[-1], panels.size)
    _add_legend(axes[-1], -0.2)
    figure.suptitle(_title(summary), fontsize=10)
    return figure


def _draw_drops(axes: Any, panels: Panels, summary: Summary) -> None:
    names, axis = panels.names(summary), panels.drop
    kib = [panels.size.value(place) for place in panels.places]
    estimates = _inside([point.estimate for point in panels.points], axis)
    whiskers = [
        _whisker(p.interval, y, axis) for p, y in zip(panels.points, estimates, strict=True)
    ]
    axes.plot(
        kib,
        estimates,
        ls="",
        marker="D",
        ms=5,
        color=_ESTIMATE,
        label=names.estimate,
        clip_on=False,
    )
    axes.errorbar(
        kib, estimates, list(zip(*whiskers, strict=True)), fmt="none", lw=1.3, ecolor=_ESTIMATE
    )
    bounds = [
        (x, p.at_most) for x, p in zip(kib, panels.points, strict=True) if p.at_most is not None
    ]
    if bounds:
        sizes, drops = zip(*bounds, strict=True)
        dash = {"ls": "", "marker": "_", "ms": 8, "mew": 2.4}
        axes.plot(sizes, _inside(drops, axis), color=_ESTIMATE, label=names.bound, **dash)
    axes.plot(
        [panels.size.value(place) for place in panels.test_places],
        _inside([point.test_drop for point in panels.points], axis),
        ls="",
        marker="o",
        ms=5,
        mfc="white",
        mew=1.4,
        color=_TEST,
        label=names.test,
        clip_on=False,
    )
    if panels.allowed is not None:
        axes.axhspan(axis.low, panels.allowed, color=_BAND, alpha=0.14, lw=0, label=names.band)
    if panels.edge_note:
        axes.plot([], [], ls="", label=panels.edge_note)
    axes.axhline(0, color="black", lw=0.8, alpha=0.5, zorder=1)
    axes.set_ylim(axis.low, axis.high)
    axes.set_ylabel(axis.label)


def _whisker(
    interval: tuple[float, float] | None, middle: float, axis: Axis
) -> tuple[float, float]:
    """How far an interval reaches below and above its middle, inside the picture."""
    if interval is None:
        return 0.0, 0.0
    low, high = _inside(interval, axis)
    return max(0.0, middle - low), max(0.0, high - middle)


def _mark_recommended(axes: Any, panels: Panels) -> None:
    """A ring and a line at the recommended point, and its name above the panel."""
    if panels.best is None:
        return
    place = panels.places[panels.best]
    size = panels.size.value(place)
    axes.axvline(size, color=_BEST, lw=1, ls=":", zorder=1)
    axes.plot([size], [panels.points[panels.best].estimate], **_RING)
    side = "left" if place < _EDGE else "right" if place > 100 - _EDGE else "center"
    axes.annotate(
        panels.label,
        (place / 100, 1),
        xycoords="axes fraction",
        xytext=(0, 4),
        textcoords="offset points",
        ha=side,
        va="bottom",
        color=_BEST,
        fontsize=9,
        fontweight="bold",
    )


def _draw_search(axes: Any, panels: Panels, progress: StudyProgress, summary: Summary) -> None:
    trials = [record for record in progress.records if record.complete]
    if not trials:
        reason = textwrap.fill(str(summary["recommended_reason"] or "no trial ran to its end"), 60)
        middle = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.text(0.5, 0.5, reason, fontsize=9, **middle)
    else:
        kib = [record.num_bytes / 1024 for record in trials]
        heights = _inside([100 * record.val_accuracy for record in trials], panels.accuracy)
        axes.scatter(kib, heights, s=14, color=_TRIAL, label="trials, in the search", clip_on=False)
    _draw_front(axes, panels, progress)
    for (name, accuracy), color in zip(panels.levels, ("black", _TWIN), strict=False):
        axes.axhline(accuracy, color=color, lw=1, ls="--", label=f"{name}, mean of seeds")
    best = None if panels.best is None else panels.points[panels.best]
    for record in trials:
        if best is not None and record.number == best.trial:
            axes.plot([best.kib], _inside([100 * record.val_accuracy], panels.accuracy), **_RING)
    axes.set_ylim(panels.accuracy.low, panels.accuracy.high)
    axes.set_ylabel(panels.accuracy.label)


def _draw_front(axes: Any, panels: Panels, progress: StudyProgress) -> None:
    """A staircase to the right edge."""
    front = progress.front
    if not front:
        return
    sizes = [*(point.num_bytes / 1024 for point in front), panels.size.high]
    heights = _inside([100 * point.val_accuracy for point in (*front, front[-1])], panels.accuracy)
    dots = {"marker": "o", "ms": 4, "markevery": list(range(len(front)))}
    axes.step(sizes, heights, where="post", color=_FRONT, label="front", **dots)


def _scale_sizes(axes: Any, axis: Axis) -> None:
    """A log scale of sizes with few labels, in plain numbers."""
    axes.set_xscale("log")
    axes.set_xlim(axis.low, axis.high)
    ticks = axis.ticks
    axes.set_xticks([axis.value(tick.place) for tick in ticks], [tick.text for tick in ticks])
    axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.set_xlabel(axis.label)


def _add_legend(axes: Any, below: float) -> None:
    """The legend below a panel, where it covers nothing."""
    axes.grid(alpha=0.25)
    if axes.get_legend_handles_labels()[0]:
        where = {"loc": "upper left", "bbox_to_anchor": (0, below)}
        axes.legend(fontsize=7.5, ncols=2, frameon=False, **where)


def _inside(values: Sequence[float], axis: Axis) -> list[float]:
    """Values, those beyond the axis on its edge."""
    return [min(axis.high, max(axis.low, value)) for value in values]


def _title(summary: Summary) -> str:
    return f"{summary['model']} on {summary['dataset']}, {summary['granularity']}"
