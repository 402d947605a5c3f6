"""What each granularity and each part of the method buys: memory at equal accuracy.

Searches with the command's defaults but for one thing each, over the same seeds; what is
compared is the recommended allocation, the smallest whose estimated drop is within the tolerance.
Ratios are geometric means over seeds. Draws ``docs/ablation.png`` from the first part.
"""

import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from paper_table import QUICK
from problem import finished_search
from report import Row, arguments, finish, std

_GRANULARITIES = ("uniform", "lwq", "cwq", "taq", "lwq_cwq", "lwq_cwq_taq")
_MODELS = ("gcn", "agnn", "gat")
_PARTS = {
    "all of them": (),
    "min-max ranges": ("ranges=minmax",),
    "no fine-tuning": ("finetune.epochs=1", "finetune.learning_rate=1e-9"),
    "labels, no distillation": ("finetune.distillation=0",),
    "one teacher": ("teachers=1",),
    "no sharpened teacher": ("finetune.teacher_temperature=1",),
    "no sensitivity seeding": ("seeding=0",),
    "no early stopping": ("early_stopping=false",),
    "no re-measuring": ("remeasuring=0",),
    "no refinement": ("confirm.refinements=0",),
}
_COMMON = ("dataset=cora", "workers=2")
_FOLDER = Path("outputs/ablation")
_FIGURE = Path("docs/ablation.png")


def main() -> None:
    """Measure granularities for every model, and parts for GCN."""
    options = arguments(__doc__)
    seeds = range(1 if options.quick else 2)
    few = QUICK if options.quick else ()
    models = _MODELS[:1] if options.quick else _MODELS
    rows = [
        _row(model, name, seeds, (f"granularity={name}", *few))
        for model in models
        for name in _GRANULARITIES
    ]
    if not options.quick:
        _draw(rows)
    rows += [_row("gcn", name, seeds, (*part, *few)) for name, part in _PARTS.items()]
    finish(rows, options.json)


def _row(model: str, name: str, seeds: Sequence[int], overrides: Sequence[str]) -> Row:
    found = [_recommended(model, name, seed, overrides) for seed in seeds]
    within = [best for best in found if best is not None]
    row: Row = {"model": model, "variant": name, "searches": len(found), "within": len(within)}
    if not within:
        return row
    for ratio in ("resident_ratio", "sgquant_ratio"):
        row[ratio] = statistics.geometric_mean(best[ratio] for best in within)
    row["spread"] = math.exp(std([math.log(best["resident_ratio"]) for best in within]))
    for figure in ("average_bits", "estimated_drop", "test_accuracy_drop"):
        row[figure] = statistics.fmean(best[figure] for best in within)
    return row


def _recommended(
    model: str, name: str, seed: int, overrides: Sequence[str]
) -> dict[str, Any] | None:
    folder = _FOLDER / f"{model}-{name.replace(' ', '_').replace(',', '')}-{seed}"
    asked = (*_COMMON, f"model={model}", f"seed={seed}", *overrides)
    recommended: dict[str, Any] | None = finished_search(folder, *asked)["recommended"]
    return recommended


def _draw(rows: Sequence[Row]) -> None:
    """Bars of the resident ratio, one group a model."""
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    width = 0.8 / len(_GRANULARITIES)
    for k, granularity in enumerate(_GRANULARITIES):
        heights = [r.get("resident_ratio", 0) for r in rows if r["variant"] == granularity]
        places = [m + (k - 2.5) * width for m in range(len(heights))]
        bars = axes.bar(places, heights, width, label=granularity)
        axes.bar_label(bars, fmt="%.0fx", fontsize=7)
    axes.set_xticks(range(len(_MODELS)), [model.upper() for model in _MODELS])
    axes.set_ylabel("PyG fp32 / resident bytes")
    axes.set_title("Memory of the recommended allocation, Cora, drop within 0.4 points")
    axes.legend(ncols=3, fontsize=8)
    axes.margins(y=0.2)
    figure.savefig(_FIGURE, dpi=150)


if __name__ == "__main__":
    main()
