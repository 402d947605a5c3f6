"""Studies whose trials were never trained: bits and bytes are real, accuracies are not."""

import json
from pathlib import Path

from sgq_auto.graphs import PreparedData
from sgq_auto.searching import Granularity, ModelSettings, SearchSettings, StudyProgress
from sgq_auto.searching.confirming.confirm_rows import DISTILLED
from sgq_auto.searching.confirming.confirmed_allocation import Confirmed, Shipped
from sgq_auto.searching.measuring.search_start import SearchStart
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.search_progress import Summary
from sgq_auto.searching.summary.summary_entries import (
    describe_distilled,
    describe_full_precision,
    describe_points,
    describe_recommended,
)
from sgq_auto.searching.trials.repeated_measurements import estimates
from sgq_auto.searching.trials.trial_records import Measurement, TrialRecord
from sgq_auto.training import FitSettings

# A small packed model, for studies whose models were never packed.
PACKED = Path(__file__).parent / "earlier" / "0.1.0" / "gat.safetensors"


def made_progress(
    data: PreparedData,
    folder: Path,
    dataset: str = "synthetic",
    granularity: Granularity = Granularity.LWQ_CWQ,
) -> StudyProgress:
    """A study with three trials, each with more bits than the one before."""
    fit = FitSettings(2, 0.05, 0.0)
    settings = SearchSettings(
        dataset=dataset,
        model=ModelSettings("gcn", {"_target_": "sgq_auto.models.GCN", "hidden": 4}),
        granularity=granularity,
        sampler_name="tpe",
        sampler={"_target_": "optuna.samplers.TPESampler"},
        pretrain=fit,
        finetune=fit,
        output_root=folder,
        n_trials=4,
    )
    bench = Workbench.build(settings, data.graph)
    start = SearchStart.prepare(bench, folder / "sensitivities.json")
    progress = StudyProgress("study-a", bench, start)
    progress.add(record(progress, k, k + 1, 0.5 + 0.1 * k) for k in range(3))
    return progress


def record(progress: StudyProgress, number: int, index: int, accuracy: float) -> TrialRecord:
    space = progress.bench.space
    params = dict.fromkeys(space.searched, index)
    footprint = progress.bench.footprints.packed(space.allocation(params)).as_dict()
    measurement = Measurement(accuracy, footprint, 2.0, ((1, 0.1), (2, accuracy)), 0.1)
    size = footprint["resident_bytes"]
    return TrialRecord(number, params, size, measurement, 0.1, None, 1000, 2000 + number)


def summary(progress: StudyProgress) -> Summary:
    front = describe_points(progress.bench, progress.front, {})
    return {
        "model": "gcn",
        "dataset": "synthetic",
        "granularity": "lwq_cwq",
        "objective": "resident_bytes",
        "hypervolume": progress.hypervolume,
        "wall_seconds": 1.0,
        "trials_per_second": 1.0,
        "overhead_fraction": 0.1,
        "trials": {"complete": len(progress.records), "stopped_early": 0, "failed": 0},
        "full_precision": describe_full_precision(progress.bench, {}),
        "epochs_saved_fraction": 0.0,
        "val_accuracy_noise": None,
        "recommended": None,
        "recommended_reason": "nothing was confirmed",
        "nearest_miss": None,
        "front": front,
        "confirmed": [],
    }


def shipped(estimate: float, at_most: float, test: float) -> Shipped:
    """A model that is shipped; its interval reaches a little beyond its bound."""
    half = 1.3 * (at_most - estimate)
    return Shipped(
        *(
            7,
            0.72,
            estimate,
            at_most,
            estimate - half,
            estimate + half,
            0.9,
            0.71 - test / 100,
            test,
        )
    )


def answered(
    progress: StudyProgress, models: list[Shipped | None], best: int | None = None
) -> Summary:
    """A summary whose confirmed points are the study's first trials.

    Args:
        progress: The study.
        models: What each of them would ship, smallest first.
        best: Which of them is recommended.
    """
    points = sorted(estimates(progress.records), key=lambda p: p.num_bytes)[: len(models)]
    results: dict[int | None, Confirmed] = {
        point.number: Confirmed(*(5, 0.7, 0.5, 0.2, 0.7, 0.01, 0.3, 0.4, 0.6, 0.9), model)
        for point, model in zip(points, models, strict=True)
    }
    twin = Confirmed(*(5, 0.73, 0.0, 0.0, 0.716, 0.01, -0.6, 0.1, 0.0, 0.0))
    results |= {None: Confirmed(*(5, 0.71, 0, 0, 0.71, 0.02, 0, 0, 0, 0)), DISTILLED: twin}
    recommended = None
    if best is not None:
        own = points[best]
        recommended = describe_recommended(progress.bench, own, results[own.number], "not packed")
    return {
        **summary(progress),
        "tolerance": 0.4,
        "max_drop": None,
        "confidence": 0.9,
        "guessing": {"val_nodes": 500, "warning": None},
        "full_precision": describe_full_precision(progress.bench, results),
        "distilled": describe_distilled(results),
        "confirmed": describe_points(progress.bench, points, results),
        "recommended": recommended,
    }


def of_earlier_version(found: Summary) -> Summary:
    """A summary as it was before one model was told from the mean of seeds."""
    new = ("shipped", "distilled_estimated_drop", "distilled_test_accuracy_drop")
    old = json.loads(json.dumps(found))
    points = [old["recommended"] or {}, *(p["confirmed"] for p in old["confirmed"])]
    for point in points:
        for name in new:
            point.pop(name, None)
    return {k: v for k, v in old.items() if k not in ("distilled", "confidence", "guessing")}


def confirmed_summary(progress: StudyProgress) -> Summary:
    """The same once its front is confirmed, the last of it recommended."""
    numbers: list[int | None] = [None, *(point.number for point in progress.front)]
    results = {
        number: Confirmed(
            *(5, 0.7, 0.5, 0.2, 0.71, 0.01, 0.3 * place, 0.4, 0.6, 0.7),
            Shipped(7, 0.72, 0.1, 0.35, -0.2, 0.4, 0.92, 0.715, 0.25),
        )
        for place, number in enumerate(numbers)
    }
    points = describe_points(progress.bench, progress.front, results)
    best = progress.front[-1]
    recommended = describe_recommended(progress.bench, best, results[best.number], "not packed")
    full = describe_full_precision(progress.bench, results)
    found = {"full_precision": full, "front": points, "confirmed": points}
    return {**summary(progress), **found, "recommended": recommended}
