"""The picture of a front: the panel that decides, and below it the panel of the search."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.figure
import matplotlib.ticker
from matplotlib.transforms import ScaledTranslation

from sgq_auto.reporting.pages import Axis
from sgq_auto.reporting.verdict.front_panels import Names, Panels
from sgq_auto.reporting.written_units import plotted
from sgq_auto.searching.search_progress import StudyProgress, Summary
from sgq_auto.searching.trials.repeated_measurements import Estimate
from sgq_auto.searching.trials.trial_records import TrialRecord

_TRIAL, _FRONT, _ESTIMATE, _TEST = "#b8c4d0", "#1f6fb2", "#24506e", "#d06f14"
_BEST, _BAND, _TWIN = "#c23030", "#2e8b57", "#7a5195"
_RING = {"ls": "", "marker": "o", "ms": 11, "mfc": "none", "mec": _BEST, "mew": 1.6}
# A label whose point is nearer to an edge than this, percent, begins or ends there.
_EDGE = 25
# More names than these would touch one another.
_ROOMY = 12


def save_front_png(progress: StudyProgress, summary: Summary, path: Path) -> None:
    """Draw the drops of the confirmed points, and the accuracies of all trials and the front."""
    front_figure(progress, summary).savefig(path)


def front_figure(progress: StudyProgress, summary: Summary) -> matplotlib.figure.Figure:
    """The picture: drops above, where points were confirmed, and the search below."""
    panels = Panels.of(progress, summary)
    ratios, height = ([1.25, 1], 7.0) if panels.points else ([1], 4.2)
    figure = matplotlib.figure.Figure(figsize=(7.5, height), dpi=140, layout="constrained")
    axes = figure.subplots(len(ratios), squeeze=False, height_ratios=ratios)[:, 0]
    if panels.points:
        _draw_drops(axes[0], panels, summary)
        _mark_recommended(axes[0], panels)
        _name_slots(axes[0], panels)
    _draw_search(axes[-1], panels, progress, summary)
    _scale_sizes(axes[-1], panels.size)
    figure.suptitle(_title(summary), fontsize=10)
    figure.draw_without_rendering()  # Where labels end is known from here on.
    for each in axes:
        _add_legend(each)
    return figure


def _draw_drops(axes: Any, panels: Panels, summary: Summary) -> None:
    names, axis = panels.names(summary), panels.drop
    _draw_estimates(axes, panels, names)
    tests = _inside([point.test_drop for point in panels.points], axis)
    ring = {"marker": "o", "ms": 5, "mfc": "white", "mew": 1.4, "clip_on": False}
    axes.plot(panels.test_places, tests, ls="", color=_TEST, label=names.test, **ring)
    if panels.allowed is not None:
        axes.axhspan(axis.low, panels.allowed, color=_BAND, alpha=0.14, lw=0, label=names.band)
    if panels.edge_note:
        axes.plot([], [], ls="", label=panels.edge_note)
    axes.axhline(0, color="black", lw=0.8, alpha=0.5, zorder=1)
    axes.set_ylim(axis.low, axis.high)
    axes.set_ylabel(axis.label)


def _draw_estimates(axes: Any, panels: Panels, names: Names) -> None:
    """Estimates with their intervals, and the bounds that decide."""
    points, places, axis = panels.points, panels.places, panels.drop
    estimates = _inside([point.estimate for point in points], axis)
    diamond = {"marker": "D", "ms": 5, "clip_on": False}
    axes.plot(places, estimates, ls="", color=_ESTIMATE, label=names.estimate, **diamond)
    ends = [_whisker(p.interval, y, axis) for p, y in zip(points, estimates, strict=True)]
    reach = list(zip(*ends, strict=True))
    axes.errorbar(places, estimates, reach, fmt="none", lw=1.3, ecolor=_ESTIMATE)
    bounds = [(x, p.at_most) for x, p in zip(places, points, strict=True) if p.at_most is not None]
    if bounds:
        marked, drops = zip(*bounds, strict=True)
        dash = {"marker": "_", "ms": 8, "mew": 2.4}
        axes.plot(marked, _inside(drops, axis), ls="", color=_ESTIMATE, label=names.bound, **dash)


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
    axes.axvline(place, color=_BEST, lw=1, ls=":", zorder=1)
    axes.plot([place], [panels.points[panels.best].estimate], **_RING)
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


def _name_slots(axes: Any, panels: Panels) -> None:
    """The size of each point below it, and its trial where there is room."""
    ticks, count = panels.slots.ticks, len(panels.points)
    named = zip(ticks, panels.points, strict=True)
    is_roomy = count <= _ROOMY
    names = [f"{t.text}\ntrial {p.trial}" if is_roomy else t.text for t, p in named]
    turned = {} if is_roomy else {"rotation": 60, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks([tick.place for tick in ticks], names, fontsize=7.5, **turned)
    axes.set_xlim(0, 100)
    axes.set_xlabel(panels.slots.label)


def _draw_search(axes: Any, panels: Panels, progress: StudyProgress, summary: Summary) -> None:
    trials = [record for record in progress.records if record.complete]
    if not trials:
        reason = textwrap.fill(str(summary["recommended_reason"] or "no trial ran to its end"), 60)
        middle = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.text(0.5, 0.5, reason, fontsize=9, **middle)
    else:
        kib = [record.num_bytes / 1024 for record in trials]
        heights = _heights(panels, trials)
        axes.scatter(kib, heights, s=14, color=_TRIAL, label="trials, in the search", clip_on=False)
    _draw_front(axes, panels, progress)
    for (name, accuracy), color in zip(panels.levels, ("black", _TWIN), strict=False):
        axes.axhline(accuracy, color=color, lw=1, ls="--", label=f"{name}, mean of seeds")
    best = None if panels.best is None else panels.points[panels.best]
    for record in trials:
        if best is not None and record.number == best.trial:
            axes.plot([best.kib], _heights(panels, [record]), **_RING)
    axes.set_ylim(panels.accuracy.low, panels.accuracy.high)
    axes.set_ylabel(panels.accuracy.label)


def _draw_front(axes: Any, panels: Panels, progress: StudyProgress) -> None:
    """A staircase to the right edge."""
    front = progress.front
    if not front:
        return
    sizes = [*(point.num_bytes / 1024 for point in front), panels.size.high]
    heights = _heights(panels, [*front, front[-1]])
    dots = {"marker": "o", "ms": 4, "markevery": list(range(len(front)))}
    axes.step(sizes, heights, where="post", color=_FRONT, label="front", **dots)


def _scale_sizes(axes: Any, axis: Axis) -> None:
    """A log scale of sizes with few labels, in plain numbers."""
    axes.set_xscale("log")
    axes.xaxis.grid(alpha=0.25)
    axes.set_xlim(axis.low, axis.high)
    ticks = axis.ticks
    axes.set_xticks([axis.value(tick.place) for tick in ticks], [tick.text for tick in ticks])
    axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.set_xlabel(axis.label)


def _add_legend(axes: Any) -> None:
    """The legend below a panel and its labels, where it covers nothing."""
    axes.yaxis.grid(alpha=0.25)
    if not axes.get_legend_handles_labels()[0]:
        return
    figure = axes.figure
    depth = (axes.bbox.y0 - axes.xaxis.get_tightbbox().y0) / figure.dpi
    below = axes.transAxes + ScaledTranslation(0, -depth, figure.dpi_scale_trans)
    where = {"loc": "upper left", "bbox_to_anchor": (0, 0), "bbox_transform": below}
    axes.legend(fontsize=7.5, ncols=2, frameon=False, **where)


def _inside(values: Sequence[float], axis: Axis) -> list[float]:
    """Values, those beyond the axis on its edge."""
    return [min(axis.high, max(axis.low, value)) for value in values]


def _title(summary: Summary) -> str:
    return f"{summary['model']} on {summary['dataset']}, {summary['granularity']}"


def _heights(panels: Panels, points: Sequence[TrialRecord | Estimate]) -> Any:
    """Where the figures of trials lie on the axis of the search."""
    seen = [plotted(panels.metric, point.val_accuracy) for point in points]
    return _inside(seen, panels.accuracy)
