"""What a report says in words and figures, section by section."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sgq_auto.packed import FootprintModel, Part
from sgq_auto.reporting.intervals import half_width_95
from sgq_auto.reporting.verdict import (
    confidence_text,
    lost,
    more_than_allowed,
    promised,
    why_this_one,
)
from sgq_auto.reporting.written_units import device_kinds, kib, memory_words, metric_of
from sgq_auto.reporting.written_units import spread as spread_text
from sgq_auto.searching.search_progress import Summary
from sgq_auto.task import Metric

# Parts of a footprint as a report names them.
_PARTS: dict[str, tuple[Part, ...]] = {
    "features": (Part.FEATURES,),
    "graph": (Part.GRAPH,),
    "weights": (Part.WEIGHTS,),
    "scales": (Part.SCALES,),
    "activations": (Part.EMBEDDING, Part.ATTENTION),
}


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


def answer(summary: Summary) -> str:
    """What the search found: the size, and what the one model loses; the harder ratio first."""
    best, full = summary["recommended"], summary["full_precision"]
    what = f"{summary['model']} on {summary['dataset']}"
    if best is None:
        return f"No allocation for {what} is recommended: {summary['recommended_reason']}."
    name = summary["objective"]
    kind = name.removesuffix("_bytes")
    size = (
        f"{what} needs {kib(best[name])} of {memory_words(kind)}, {_times_less(best, full, kind)}"
    )
    metric = metric_of(summary)
    before = metric.text(full["test_accuracy"])
    mean = f"{_mean_drop(best)} {metric.unit} over {best['seeds']} seeds"
    shipped, sure = best.get("shipped"), confidence_text(summary)
    if not shipped or sure is None:
        own = metric.text(best["test_accuracy"])
        return (
            f"{size}, at {own} test {metric.words} against {before} at full precision (a drop of "
            f"{mean})."
        )
    return (
        f"{size}. With {sure} confidence the drop of the packed model is at most "
        f"{shipped['drop_at_most']:+.2f} {metric.unit}; on test nodes it has "
        f"{metric.text(shipped['test_accuracy'])} against {before} at full precision "
        f"(mean drop {mean})."
    )


def warning(summary: Summary) -> str | None:
    """What makes the answer worth little: full precision that is no better than guessing."""
    # Summaries of earlier versions have no such entry.
    found: str | None = (summary.get("guessing") or {}).get("warning")
    return found


def remarks(summary: Summary) -> tuple[str, ...]:
    """Why this point, what test nodes say of it, or what can be promised: a sentence each."""
    found = (why_this_one(summary), more_than_allowed(summary), promised(summary))
    return tuple(f"{text.rstrip('.')}." for text in found if text is not None)


def notes(summary: Summary) -> tuple[str, ...]:
    """Which drop is which, and what an interval counts; empty for earlier versions' summaries."""
    sure = confidence_text(summary)
    if sure is None or not summary["confirmed"]:
        return ()
    nodes = (summary.get("guessing") or {}).get("val_nodes")
    metric = metric_of(summary)
    few = "few validation labels" if nodes is None else f"only {nodes:,} validation labels"
    return (
        f"{_what_drops_are(metric)}; a negative drop is a gain. {_which_drop(summary)}",
        f"The estimate, its interval and the bound ({sure} confidence) are of the one model of a "
        "trial that is shipped, not of the mean over seeds. No test label is in them. They include "
        f"{_uncertain(metric, few)}.",
    )


def drops_in(metric: Metric) -> str:
    """What drops are counted in, at the beginning of a sentence."""
    if not metric.is_share:
        return f"Per cent of full precision's {metric.words}"
    return f"Points of {metric.words}"


def _what_drops_are(metric: Metric) -> str:
    if metric is Metric.ACCURACY:
        return "Drops are accuracy lost, in percentage points"
    unit = "percentage points" if metric.is_share else "per cent of full precision's"
    return f"Drops are {metric.words} lost, in {unit}"


def _uncertain(metric: Metric, few: str) -> str:
    if metric is Metric.ACCURACY:
        return (
            f"three kinds of uncertainty: there are {few}; the full-precision models that judge "
            "all other nodes have a bias; and the labels of nodes that nobody has seen are partly "
            "chance"
        )
    return (
        f"two kinds of uncertainty: there are {few}, of which samples are drawn again; and so few "
        "unseen nodes"
    )


def _which_drop(summary: Summary) -> str:
    full, twin, metric = summary["full_precision"], summary.get("distilled"), metric_of(summary)
    plain = "The test drop compares with plain full precision"
    if full["test_accuracy"] is not None:
        plain += f" ({metric.text(full['test_accuracy'])} on test nodes)"
    plain += ", which you would use otherwise."
    if not twin:
        return plain
    return (
        f"{plain} Bits cost compares with distilled full precision "
        f"({metric.text(twin['test_accuracy'])}): models with 32 bits that learned from the same "
        "teachers as the packed ones. Teaching alone "
        f"{lost(twin['test_accuracy_drop'], metric.unit)}."
    )


def facts(summary: Summary) -> tuple[Fact, ...]:
    """The figures of the recommended point; of its one model where the summary knows it."""
    best = summary["recommended"]
    if best is None:
        return ()
    sizes = [
        Fact(memory_words(kind), kib(best[f"{kind}_bytes"]), _ratios(best, kind))
        for kind in ("resident", "stored", "peak", "sgquant", *device_kinds(summary))
    ]
    return (
        Fact(
            "recommended", f"trial {best['trial']}", f"{best['average_bits']:.2f} bits on average"
        ),
        *sizes,
        *_accuracies(summary, best),
        Fact("search", _span(summary["wall_seconds"]), f"{sum(summary['trials'].values())} trials"),
    )


def _accuracies(summary: Summary, best: Mapping[str, Any]) -> list[Fact]:
    shipped, sure = best.get("shipped"), confidence_text(summary)
    metric = metric_of(summary)
    name, unit, text = metric.words, metric.unit, metric.text
    mean = text(best["test_accuracy"])
    spread = f"± {spread_text(metric, best['test_accuracy_std'])}"
    over = f"over {best['seeds']} seeds"
    if not shipped or sure is None:
        return [
            Fact(f"test {name}", mean, f"{spread} {over}"),
            Fact(f"test drop, {unit}", _mean_drop(best), "95 % interval over seeds, paired"),
        ]
    interval = f"{shipped['drop_low']:+.2f} to {shipped['drop_high']:+.2f} with {sure} confidence"
    cost = best.get("distilled_test_accuracy_drop")
    costs = [] if cost is None else [Fact(f"bits cost, {unit}", f"{cost:+.2f}", f"mean {over}")]
    return [
        Fact(f"validation {name}", text(shipped["val_accuracy"]), "of the packed model"),
        Fact(f"estimated drop, {unit}", f"{shipped['estimated_drop']:+.2f}", interval),
        Fact(f"drop at most, {unit}", f"{shipped['drop_at_most']:+.2f}", f"{sure} confidence"),
        Fact(f"test {name}", text(shipped["test_accuracy"]), f"mean {mean} {spread} {over}"),
        Fact(
            f"test drop, {unit}",
            f"{shipped['test_accuracy_drop']:+.2f}",
            f"mean {_mean_drop(best)} (95 %)",
        ),
        *costs,
    ]


def part_rows(footprints: FootprintModel, packed: Mapping[str, int]) -> tuple[PartRow, ...]:
    """The packed bytes of each part, beside fp32's as PyG stores them and stored sparsely.

    Args:
        footprints: Sizes of the model on its graph.
        packed: Bytes of the chosen trial by part.
    """
    full, sparse = footprints.full_precision_parts(), footprints.sparse_fp32_parts()
    return tuple(
        PartRow(name, *(sum(each[part] for part in parts) for each in (packed, full, sparse)))
        for name, parts in _PARTS.items()
    )


def _mean_drop(best: Mapping[str, Any]) -> str:
    width = half_width_95(best["test_accuracy_drop_std"], best["seeds"])
    return f"{best['test_accuracy_drop']:+.2f}" + ("" if width is None else f" ± {width:.2f}")


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 180 else f"{seconds / 60:.0f} min"


def _times_less(best: Mapping[str, Any], full: Mapping[str, Any], kind: str) -> str:
    before = kib(full[f"{kind}_bytes"])
    own = f"{best[f'{kind}_ratio']:.0f} times less"
    sparse = best.get(f"{kind}_ratio_sparse_fp32")
    if sparse is None:
        return f"{own} than fp32 ({before})"
    return f"{sparse:.1f} times less than sparse fp32 and {own} than PyG's fp32 ({before})"


def _ratios(best: Mapping[str, Any], kind: str) -> str:
    own = f"{best[f'{kind}_ratio']:.1f}x"
    sparse = best.get(f"{kind}_ratio_sparse_fp32")
    return (
        f"{own} less" if sparse is None else f"{sparse:.1f}x less than sparse fp32; {own} than PyG"
    )
