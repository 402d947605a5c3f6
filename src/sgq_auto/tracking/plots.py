"""Pictures: the front, and what each group of sites loses."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.colors
import matplotlib.figure
import matplotlib.ticker
import numpy as np

from sgq_auto.searching.progress import StudyProgress
from sgq_auto.searching.records import TrialRecord
from sgq_auto.searching.repeats import Estimate
from sgq_auto.searching.sensitivity import Sensitivities
from sgq_auto.searching.summary import Summary

_TRIAL, _FRONT, _CONFIRMED, _BEST = "#b8c4d0", "#1f6fb2", "#d9822b", "#c23030"


@dataclass(frozen=True)
class _Series:
    """One set of points: KiB, and accuracy in percent."""

    kib: list[float]
    accuracy: list[float]


def save_front_png(progress: StudyProgress, summary: Summary, path: Path) -> None:
    """Draw all trials, the front, and the confirmed points with their spread over seeds."""
    figure = matplotlib.figure.Figure(figsize=(7.5, 4.8), dpi=140, layout="constrained")
    axes = figure.add_subplot()
    trials = _series([record for record in progress.records if record.complete])
    front = _series(progress.front)
    if trials.kib:
        axes.scatter(trials.kib, trials.accuracy, s=14, color=_TRIAL, label="trials")
    if front.kib:
        axes.step(
            front.kib, front.accuracy, where="post", color=_FRONT, marker="o", ms=4, label="front"
        )
    confirmed, errors = _confirmed(summary)
    if confirmed.kib:
        axes.errorbar(
            confirmed.kib,
            confirmed.accuracy,
            yerr=errors,
            fmt="D",
            ms=4,
            color=_CONFIRMED,
            capsize=2,
            label="confirmed, test nodes",
        )
    _draw_levels(axes, summary)
    if not trials.kib:
        _say_nothing(axes, summary)
    _scale_kib(axes, "{x:,.0f}")
    axes.set_xlabel(f"{_objective_name(summary)} (KiB, log scale)")
    axes.set_ylabel("accuracy (%)")
    axes.set_title(_title(summary), fontsize=10)
    axes.grid(alpha=0.25)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, loc="lower right")
    figure.savefig(path)


def _say_nothing(axes: Any, summary: Summary) -> None:
    """Why there is no point to draw."""
    reason = textwrap.fill(str(summary["recommended_reason"] or "no trial ran to its end"), 60)
    middle = {"transform": axes.transAxes, "ha": "center", "va": "center"}
    axes.text(0.5, 0.5, reason, fontsize=9, **middle)


def _scale_kib(axes: Any, text: str) -> None:
    """A log scale of sizes, labelled in plain numbers; a plot without sizes has none."""
    axes.set_xscale("log")
    for set_formatter in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        set_formatter(matplotlib.ticker.StrMethodFormatter(text))


def save_sensitivities_png(sensitivities: Sensitivities, path: Path) -> None:
    """Draw what each group of sites loses where it alone has few bits."""
    loss = sensitivities.monotone
    groups, ladder = sensitivities.groups, sensitivities.ladder
    figure = matplotlib.figure.Figure(
        figsize=(1.8 + 0.7 * len(ladder), 1.3 + 0.26 * len(groups)), dpi=140, layout="constrained"
    )
    axes = figure.add_subplot()
    # Below a thousandth nothing is lost; colours are on a log scale above it.
    norm = matplotlib.colors.LogNorm(1e-3, max(1e-2, float(loss.max())))
    image = axes.imshow(np.clip(loss, 1e-3, None), norm=norm, cmap="YlOrRd", aspect="auto")
    axes.set_xticks(range(len(ladder)), [str(bits) for bits in ladder])
    axes.set_yticks(range(len(groups)), groups, fontsize=8)
    for (row, column), value in np.ndenumerate(loss):
        axes.text(column, row, f"{value:.2g}", ha="center", va="center", fontsize=6)
    axes.set_xlabel("bits")
    axes.set_title("increase of the validation loss, without fine-tuning", fontsize=9)
    figure.colorbar(image)
    figure.savefig(path)


def _draw_levels(axes: Any, summary: Summary) -> None:
    full = summary["full_precision"]
    if full["val_accuracy"] is not None:
        axes.axhline(
            100 * full["val_accuracy"], color="black", lw=0.8, ls="--", label="full precision, val"
        )
    if full["test_accuracy"] is not None:
        axes.axhline(
            100 * full["test_accuracy"],
            color=_CONFIRMED,
            lw=0.8,
            ls="--",
            label="full precision, test",
        )
    best = summary["recommended"]
    if best:
        axes.axvline(
            best[summary["objective"]] / 1024, color=_BEST, lw=0.8, ls=":", label="recommended"
        )


def _series(points: Sequence[TrialRecord | Estimate]) -> _Series:
    return _Series([p.num_bytes / 1024 for p in points], [100 * p.val_accuracy for p in points])


def _confirmed(summary: Summary) -> tuple[_Series, list[float]]:
    points = summary["confirmed"]
    series = _Series(
        [p[summary["objective"]] / 1024 for p in points],
        [100 * p["confirmed"]["test_accuracy"] for p in points],
    )
    return series, [100 * p["confirmed"]["test_accuracy_std"] for p in points]


def _objective_name(summary: Summary) -> str:
    return str(summary["objective"]).removesuffix("_bytes") + " memory"


def _title(summary: Summary) -> str:
    return f"{summary['model']} on {summary['dataset']}, {summary['granularity']}"
