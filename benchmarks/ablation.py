"""What each granularity and each part of the method buys: memory at equal accuracy.

Searches with the command's defaults but for one thing each, over the same seeds; what is
compared is the recommended allocation, the smallest whose estimated drop is within the tolerance.
Ratios are geometric means over seeds. ``epochs`` is the share of all fine-tuning epochs that was
trained; ``optimism`` is how much higher validation accuracy was in the search than on fresh seeds,
in points over all confirmed allocations. Draws ``docs/ablation.png`` from the first part.
"""

import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from paper_table import QUICK
from problem import finished_search, load_problem
from report import Row, arguments, finish, std
from winners_curse import Summary, optimism

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
}
_FIRST_POINTS = 8  # confirm.max_points
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
        _row(model, name, _searched(model, name, seeds, (f"granularity={name}", *few)))
        for model in models
        for name in _GRANULARITIES
    ]
    if not options.quick:
        _draw(rows)
    parts = {name: _searched("gcn", name, seeds, (*part, *few)) for name, part in _PARTS.items()}
    rows += [_row("gcn", name, found) for name, found in parts.items()]
    default = parts["all of them"]
    first = [_first_confirmed(found, seed) for found, seed in zip(default, seeds, strict=True)]
    rows += [_row("gcn", "no refinement", first), _dense_codes(default)]
    finish(rows, options.json)


def _searched(
    model: str, name: str, seeds: Sequence[int], overrides: Sequence[str]
) -> list[Summary]:
    asked = (*_COMMON, f"model={model}", *overrides)
    return [finished_search(_folder(model, name, seed), *asked, f"seed={seed}") for seed in seeds]


def _folder(model: str, name: str, seed: int) -> Path:
    return _FOLDER / f"{model}-{name.replace(' ', '_').replace(',', '')}-{seed}"


def _row(model: str, name: str, found: Sequence[Summary]) -> Row:
    within = _within(found)
    row: Row = {
        "model": model,
        "variant": name,
        "searches": len(found),
        "within": len(within),
        "epochs": statistics.fmean(1 - summary["epochs_saved_fraction"] for summary in found),
        "optimism": statistics.fmean(
            statistics.fmean(map(optimism, summary["confirmed"])) for summary in found
        ),
    }
    if not within:
        return row
    for ratio in ("resident_ratio", "sgquant_ratio"):
        row[ratio] = statistics.geometric_mean(best[ratio] for best in within)
    row["spread"] = math.exp(std([math.log(best["resident_ratio"]) for best in within]))
    for figure in ("average_bits", "estimated_drop", "test_accuracy_drop"):
        row[figure] = statistics.fmean(best[figure] for best in within)
    return row


def _within(found: Sequence[Summary]) -> list[dict[str, Any]]:
    """The recommended allocations of the searches that have one."""
    return [summary["recommended"] for summary in found if summary["recommended"] is not None]


def _first_confirmed(summary: Summary, seed: int) -> Summary:
    """A study of the default as it stood when only the first points were confirmed."""
    study = _folder("gcn", "all of them", seed) / "outputs" / "studies" / summary["study"]
    lines = (study / "confirm.jsonl").read_text().splitlines()
    trials = dict.fromkeys(json.loads(line)["trial"] for line in lines)
    first = [trial for trial in trials if trial is not None][:_FIRST_POINTS]
    points = [point for point in summary["confirmed"] if point["trial"] in first]
    within = [
        point | point["confirmed"]
        for point in points
        if point["confirmed"]["estimated_drop"] <= summary["tolerance"]
    ]
    best = min(within, key=lambda p: p["resident_bytes"], default=None)
    return summary | {"confirmed": points, "recommended": best}


def _dense_codes(default: Sequence[Summary]) -> Row:
    """What the default's models would hold if zeros among the binary features took a bit too."""
    graph = load_problem(*_COMMON, "model=gcn").data.graph
    features = graph.num_nodes * graph.features.num_features / 8
    row: Row = {"model": "gcn", "variant": "features in dense codes"}
    ratios = [
        best["resident_ratio"]
        * best["resident_bytes"]
        / (best["resident_bytes"] - best["parts"]["features"] + features)
        for best in _within(default)
    ]
    return row | ({"resident_ratio": statistics.geometric_mean(ratios)} if ratios else {})


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
