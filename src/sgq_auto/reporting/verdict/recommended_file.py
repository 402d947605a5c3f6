"""What the recommended model is: the one file that a user gets, beside the mean over seeds."""

from collections.abc import Mapping
from typing import Any

from sgq_auto.reporting.intervals import half_width_95
from sgq_auto.reporting.verdict.drop_points import confidence_text
from sgq_auto.reporting.written_units import (
    figure,
    has_device_bounds,
    kib,
    memory_name,
    metric_of,
)
from sgq_auto.reporting.written_units import spread as spread_text
from sgq_auto.searching.search_progress import Summary


def file_lines(summary: Summary) -> list[str]:
    """The recommended point in sentences: its sizes, its one model, and the mean over seeds.

    Summaries of earlier versions know the mean alone.
    """
    best, objective = summary["recommended"], str(summary["objective"])
    sizes = f"Recommended: trial {best['trial']}, {sizes_text(best, objective)}"
    sizes += _on_device(summary)
    half = half_width_95(best["test_accuracy_drop_std"], best["seeds"])
    width = "" if half is None else f" ± {half:.2f} (95 %)"
    metric = metric_of(summary)
    name, unit = metric.words, metric.unit
    drop = f"{best['test_accuracy_drop']:+.2f}{width} {unit} over {_seeds(best['seeds'])}"
    shipped = best.get("shipped")
    if not shipped:
        return [f"{sizes}, test {name} drop {drop}"]
    spread = "" if best["seeds"] < 2 else f" ± {spread_text(metric, best['test_accuracy_std'])}"
    mean = f"{figure(metric, best['test_accuracy'])}{spread}{' %' if metric.is_share else ''}"
    return [
        sizes,
        f"Its one model (seed {shipped['seed']}): validation {name} "
        f"{metric.text(shipped['val_accuracy'])}, estimated drop {shipped['estimated_drop']:+.2f} "
        f"{unit}{_interval(summary, shipped)}, test {name} "
        f"{metric.text(shipped['test_accuracy'])}, test drop {shipped['test_accuracy_drop']:+.2f}",
        f"Mean over seeds: test {name} {mean}, test {name} drop {drop}{_bits_cost(best)}",
    ]


def sizes_text(best: Mapping[str, Any], objective: str) -> str:
    """The size under the objective, and resident memory, each with its harder ratio first."""
    kind = objective.removesuffix("_bytes")
    kinds = ["resident"] if kind == "resident" else [kind, "resident"]
    return ", ".join(
        f"{kib(best[f'{name}_bytes'])} {memory_name(name)} ({_ratios(best, name)})"
        for name in kinds
    )


def _on_device(summary: Summary) -> str:
    """Flash and RAM of the model in C, where the search had a bound of either."""
    best = summary["recommended"]
    if not has_device_bounds(summary):
        return ""
    bounds = {kind: summary.get(f"max_{kind}_kib") for kind in ("flash", "ram")}
    parts = [
        f"{kib(best[f'{kind}_bytes'])} of {memory_name(kind)}"
        + ("" if most is None else f" (at most {most:g})")
        for kind, most in bounds.items()
    ]
    return f"; in C {' and '.join(parts)}, beside code and stack"


def _ratios(best: Mapping[str, Any], kind: str) -> str:
    own = f"{best[f'{kind}_ratio']:.1f}x"
    # The paper's figure counts no format, so that there is no sparse one of it.
    sparse = best.get(f"{kind}_ratio_sparse_fp32")
    if sparse is None:
        return f"{own} smaller"
    return f"{sparse:.1f}x smaller than sparse fp32, {own} than PyG fp32"


def _interval(summary: Summary, shipped: Mapping[str, Any]) -> str:
    sure = confidence_text(summary)
    if sure is None:
        return ""
    return f" ({shipped['drop_low']:+.2f} to {shipped['drop_high']:+.2f} with {sure} confidence)"


def _bits_cost(best: Mapping[str, Any]) -> str:
    cost = best.get("distilled_test_accuracy_drop")
    return "" if cost is None else f"; {cost:+.2f} from distilled full precision"


def _seeds(count: int) -> str:
    return f"{count} seed{'' if count == 1 else 's'}"
