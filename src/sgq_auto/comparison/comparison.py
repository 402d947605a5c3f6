"""What a comparison shows, as values."""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sgq_auto.comparison.seed_groups import Group, group_studies
from sgq_auto.reporting.pages import Axis, Band, Chart, Curve, Level, Mark, MarkKind, steps
from sgq_auto.reporting.report import warning
from sgq_auto.reporting.written_units import (
    axis_label,
    figure,
    kib,
    memory_words,
    metric_of,
    plotted,
)
from sgq_auto.searching.search_progress import Summary
from sgq_auto.task import Metric

# Colours that the style sheet has.
_COLORS = 8
# Points that lose more than this to the best, percentage points, lie on the lower edge.
_DEEPEST = 15.0

HEADINGS = (
    "study",
    "seeds",
    "fp32 test %",
    "recommended",
    "ratio",
    "vs sparse fp32",
    "bits",
    "test %",
    "drop, points",
    "hypervolume",
    "wall",
)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Several studies side by side.

    Attributes:
        groups: Studies, those together that differ in their seed only.
        objective: The figure that all of them minimise.
    """

    groups: tuple[Group, ...]
    objective: str

    @classmethod
    def of(cls, summaries: Sequence[Summary]) -> "Comparison":
        """Compare studies.

        Raises:
            InputError: If they minimise different figures.
        """
        return cls(group_studies(summaries), str(summaries[0]["objective"]))

    @property
    def summaries(self) -> list[Summary]:
        """What each study found, group after group."""
        return [summary for group in self.groups for summary in group.summaries]

    @property
    def title(self) -> str:
        """What is compared, in a few words, for the heading of the page and the run in MLflow."""
        count = len(self.summaries)
        return f"{count} {'study' if count == 1 else 'studies'}, {self.objective}"

    def rows(self) -> list[tuple[str, ...]]:
        """The table's cells in words, a row a group, under :data:`HEADINGS`."""
        return [self._row(group) for group in self.groups]

    def brief_drops(self) -> list[str]:
        """The cells of the column of drops without means, for a narrow terminal."""
        return [_brief_drop(group.recommended) for group in self.groups]

    def remarks(self) -> list[str]:
        """What must be known of single studies: why nothing is recommended, weak full precision."""
        return [
            f"{group.name}, seed {summary['seed']}: {remark}"
            for group in self.groups
            for summary in group.summaries
            for remark in (_reason(summary), warning(summary))
            if remark
        ]

    def panels(self) -> Iterator[tuple[str, list[tuple[int, Group]]]]:
        """The groups of each graph with the numbers of their colours: fronts compare on one."""
        for dataset in dict.fromkeys(group.dataset for group in self.groups):
            members = [(k % _COLORS, g) for k, g in enumerate(self.groups) if g.dataset == dataset]
            yield dataset, members

    def charts(self) -> list[tuple[str, Chart]]:
        """A chart for each graph, with its name: fronts on different graphs do not compare."""
        return [(dataset, self._chart(dataset, members)) for dataset, members in self.panels()]

    def _row(self, group: Group) -> tuple[str, ...]:
        kind = self.objective.removesuffix("_bytes")
        best, metric = group.recommended, metric_of(group.summaries[0])
        full = [s["full_precision"]["test_accuracy"] for s in group.summaries]
        return (
            group.name,
            ", ".join(str(s["seed"]) for s in group.summaries),
            _figures(metric, [accuracy for accuracy in full if accuracy is not None]),
            _recommended(group, self.objective),
            _geometric([b[f"{kind}_ratio"] for b in best]),
            _geometric([b[k] for b in best if (k := f"{kind}_ratio_sparse_fp32") in b]),
            _mean([b["average_bits"] for b in best], ".2f"),
            _figures(metric, [b["test_accuracy"] for b in best]),
            _drop(best),
            _mean([s["hypervolume"] for s in group.summaries], ".4f"),
            _mean([s["wall_seconds"] for s in group.summaries], ".0f", " s"),
        )

    def _chart(self, dataset: str, members: Sequence[tuple[int, Group]]) -> Chart:
        fronts = [front for _, group in members for front in group.fronts()]
        sizes = [size for front in fronts for size, _ in front]
        levels = [(color, _full_accuracy(group)) for color, group in members]
        full = [(color, accuracy) for color, accuracy in levels if accuracy is not None]
        accuracies = [a for front in fronts for _, a in front] + [a for _, a in full]
        metric = metric_of(self.summaries[0])
        best = max((a for front in fronts for _, a in front), default=_DEEPEST)
        floor = best - (_DEEPEST if metric.is_share else _DEEPEST / 100 * abs(best))
        kind = self.objective.removesuffix("_bytes")
        x = Axis.around(f"{memory_words(kind)} (KiB, log scale)", sizes, is_log=True)
        y = Axis.around(axis_label(metric), [max(a, floor) for a in accuracies])
        return Chart(
            f"Fronts on {dataset}",
            x,
            y,
            tuple(mark for color, group in members for mark in self._marks(x, y, color, group)),
            tuple(Curve(steps(x, y, g.mean_front()), g.name, color) for color, g in members),
            tuple(_band(x, y, color, g) for color, g in members if len(g.fronts()) > 1),
            tuple(Level(100 - y.place(accuracy), "", color=color) for color, accuracy in full),
        )

    def _marks(self, x: Axis, y: Axis, color: int, group: Group) -> Iterator[Mark]:
        for summary in group.summaries:
            best = (summary["recommended"] or {}).get("trial")
            for point in summary["front"]:
                size, accuracy = point[self.objective], point["val_accuracy"]
                metric = metric_of(summary)
                is_best = point["trial"] == best
                yield Mark(
                    MarkKind.CONFIRMED if is_best else MarkKind.TRIAL,
                    x.place(size / 1024),
                    100 - y.place(plotted(metric, accuracy)),
                    f"{group.name}\nseed {summary['seed']}, trial {point['trial']}"
                    f"{', recommended' if is_best else ''}\n{kib(size)}, {metric.text(accuracy)}",
                    color=color,
                )


def _figures(metric: Metric, values: Sequence[float]) -> str:
    """The mean of figures, as their column has it."""
    return figure(metric, statistics.fmean(values)) if values else ""


def _reason(summary: Summary) -> str | None:
    reason = summary.get("recommended_reason")
    return None if summary["recommended"] or not reason else f"no recommendation: {reason}"


def _full_accuracy(group: Group) -> float | None:
    """Full precision's mean validation accuracy in percent; ``None`` where none was trained."""
    full = [s["full_precision"] for s in group.summaries]
    found = [f.get("search_val_accuracy", f["val_accuracy"]) for f in full]
    known = [accuracy for accuracy in found if accuracy is not None]
    return plotted(metric_of(group.summaries[0]), statistics.fmean(known)) if known else None


def _band(x: Axis, y: Axis, color: int, group: Group) -> Band:
    """From the worst to the best seed."""
    upper, lower = (steps(x, y, group.mean_front(over)) for over in (max, min))
    return Band((*upper, *reversed(lower)), color)


def _recommended(group: Group, objective: str) -> str:
    best, count = group.recommended, len(group.summaries)
    if not best:
        return "none"
    size = kib(statistics.geometric_mean([b[objective] for b in best]))
    if count == 1:
        return f"trial {best[0]['trial']}, {size}"
    return size if len(best) == count else f"{size}, {len(best)} of {count}"


def _drop(best: Sequence[Summary]) -> str:
    """The artifact's test drop, and in brackets the mean one over seeds, both means over studies.

    Earlier versions knew the mean over seeds alone.
    """
    if not best:
        return ""
    drops = [b["test_accuracy_drop"] for b in best]
    spread = statistics.stdev(drops) if len(drops) > 1 else best[0]["test_accuracy_drop_std"]
    mean, own = f"{statistics.fmean(drops):+.2f} ± {spread:.2f}", _artifact_drop(best)
    return mean if own is None else f"{own} (mean {mean})"


def _brief_drop(best: Sequence[Summary]) -> str:
    """The same without the mean, where there is more than that."""
    own = _artifact_drop(best)
    return _drop(best) if own is None else own


def _artifact_drop(best: Sequence[Summary]) -> str | None:
    """The test drop of the one model that is shipped, if every study knows it."""
    shipped = [b.get("shipped") or {} for b in best]
    drops = [s["test_accuracy_drop"] for s in shipped if "test_accuracy_drop" in s]
    return f"{statistics.fmean(drops):+.2f}" if drops and len(drops) == len(best) else None


def _mean(values: Sequence[float], spec: str, unit: str = "") -> str:
    return f"{statistics.fmean(values):{spec}}{unit}" if values else ""


def _geometric(ratios: Sequence[float]) -> str:
    return f"{statistics.geometric_mean(ratios):.1f}x" if ratios else ""
