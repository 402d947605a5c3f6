"""Studies whose trials were never trained: bits and bytes are real, accuracies are not."""

from pathlib import Path

from sgq_auto.graphs import PreparedData
from sgq_auto.searching import Granularity, ModelSettings, SearchSettings, StudyProgress
from sgq_auto.searching.confirmed import Confirmed, Shipped
from sgq_auto.searching.records import Measurement, TrialRecord
from sgq_auto.searching.start import SearchStart
from sgq_auto.searching.summary import (
    Summary,
    describe_full_precision,
    describe_points,
    describe_recommended,
)
from sgq_auto.searching.workbench import Workbench
from sgq_auto.training import FitSettings


def made_progress(
    data: PreparedData,
    folder: Path,
    dataset: str = "synthetic",
    granularity: Granularity = Granularity.LWQ_CWQ,
) -> StudyProgress:
    """A study with three trials, each with more bits than the one before."""
    fit = FitSettings(2, 0.05, 0.0)
    settings = SearchSettings(
        dataset,
        ModelSettings("gcn", {"_target_": "sgq_auto.models.GCN", "hidden": 4}),
        granularity,
        "tpe",
        {"_target_": "optuna.samplers.TPESampler"},
        fit,
        fit,
        folder,
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
