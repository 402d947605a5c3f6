"""A search, summed up."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import optuna

from sgq_auto.searching.confirming.recommendation import Answer
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.search_progress import StudyProgress, Summary
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study.command_lines import repeat_command
from sgq_auto.searching.study_attributes import SEARCH_SECONDS, WALL_SECONDS, own_attributes
from sgq_auto.searching.summary.run_environment import describe_environment
from sgq_auto.searching.summary.summary_entries import (
    describe_distilled,
    describe_full_precision,
    describe_guessing,
    describe_points,
    describe_recommended,
    nearest_miss,
)
from sgq_auto.searching.trials.trial_records import TrialRecord


def summarise(
    study: optuna.Study,
    progress: StudyProgress,
    answer: Answer,
    failure: str | None,
) -> Summary:
    """The content of ``summary.json``.

    Args:
        study: The study, which knows how long its searches took.
        progress: Its finished trials.
        answer: What the confirm stage found.
        failure: What ended the search early, or ``None``.
    """
    bench, settings, records = progress.bench, progress.bench.settings, progress.records
    confirmed, results = answer.confirmed, answer.results
    return {
        "study": progress.study_name,
        "family": settings.family(bench.graph),
        "task": bench.graph.task.value,
        "metric": bench.graph.metric.value,
        **_asked(settings),
        **_times(own_attributes(study.user_attrs), records),
        "hypervolume": progress.hypervolume,
        "trials": _counts(records),
        "repeated_trials": sum(r.complete and r.repeat > 0 for r in records),
        "epochs_saved_fraction": _epochs_saved(records, settings.finetune.epochs),
        "val_accuracy_noise": progress.noise.std,
        "full_precision": describe_full_precision(bench, results),
        "tuning": progress.tuning and progress.tuning.as_dict(),
        "distilled": describe_distilled(results),
        "guessing": describe_guessing(bench, results),
        **_recommended(bench, answer, failure),
        "front": describe_points(bench, progress.front, results),
        "confirmed": describe_points(bench, confirmed, results),
        "command": repeat_command(settings.config),
        "environment": describe_environment(settings.device),
    }


def _asked(settings: SearchSettings) -> dict[str, Any]:
    """What the search was asked for."""
    return {
        **settings.names,
        "seed": settings.seed,
        "n_trials": settings.n_trials,
        "workers": settings.workers,
        "finetune_epochs": settings.finetune.epochs,
        "objective": settings.objective.value,
        "tolerance": settings.tolerance,
        "confidence": settings.confidence,
        **asdict(settings.budget),
    }


def _times(attributes: Mapping[str, Any], records: Sequence[TrialRecord]) -> dict[str, Any]:
    """How long the study took, and which share of the workers' time was no training."""
    search_seconds = attributes.get(SEARCH_SECONDS, 0.0)
    finetune = sum(r.measurement.finetune_seconds for r in records if r.measurement)
    worker = sum(r.worker_seconds for r in records)
    return {
        "wall_seconds": attributes[WALL_SECONDS],
        "trials_per_second": len(records) / search_seconds if search_seconds else None,
        "overhead_fraction": 1 - finetune / worker if worker else None,
    }


def _recommended(bench: Workbench, answer: Answer, failure: str | None) -> dict[str, Any]:
    """The recommended point; or why there is none, and the confirmed point that comes closest."""
    chosen = answer.recommended(bench.settings)
    if chosen is not None:
        found = answer.results[chosen.number]
        recommended = describe_recommended(bench, chosen, found, answer.artifact)
        return {"recommended": recommended, "recommended_reason": failure, "nearest_miss": None}
    miss = nearest_miss(bench, answer.confirmed, answer.results)
    reason = failure or miss.pop("reason")
    return {"recommended": None, "recommended_reason": reason, "nearest_miss": miss}


def _counts(records: Sequence[TrialRecord]) -> dict[str, int]:
    """How many trials ended in which way."""
    return {
        "complete": sum(r.complete for r in records),
        "stopped_early": sum(r.stopped_early for r in records),
        "failed": sum(r.measurement is None for r in records),
    }


def _epochs_saved(records: Sequence[TrialRecord], epochs: int) -> float | None:
    trained = [r.measurement.curve[-1][0] for r in records if r.measurement and not r.duplicate]
    return 1 - sum(trained) / (epochs * len(trained)) if trained else None
