"""What the run of a trial holds in MLflow."""

from collections.abc import Mapping
from dataclasses import asdict

from mlflow.entities import Metric, Param

from sgq_auto.searching.search_progress import StudyProgress
from sgq_auto.searching.summary.summary_entries import trial_sizes
from sgq_auto.searching.trials.trial_records import TrialRecord
from sgq_auto.tracking.metric_names import metric_name
from sgq_auto.tracking.views import kib_metric


def trial_params(
    progress: StudyProgress, record: TrialRecord, axes: Mapping[str, str]
) -> list[Param]:
    """The bits of every site; under short names, those that the charts have an axis for.

    Args:
        progress: The study.
        record: The trial.
        axes: Short names by the groups that have an axis.
    """
    allocation, groups = progress.allocation(record), progress.bench.space.groups
    # The sites of a group have the same bits: one of them stands for all.
    short = {name: allocation[groups[group][0]] for group, name in axes.items()}
    long = {f"bits.{site}": width for site, width in allocation.by_name().items()}
    return [Param(name, str(width)) for name, width in (long | short).items()]


def _on_device(progress: StudyProgress, record: TrialRecord) -> dict[str, int]:
    """Flash and RAM of a trial; nothing where the model has no form in C."""
    device = progress.bench.reported.device
    return {} if device is None else asdict(device.footprint(progress.allocation(record)))


def trial_metrics(progress: StudyProgress, record: TrialRecord, *, is_pareto: bool) -> list[Metric]:
    """What a trial measured, and its curve; nothing for one that failed.

    Args:
        progress: The study.
        record: The trial.
        is_pareto: Whether it is on the front.
    """
    if record.measurement is None:
        return []
    measured, judged = record.measurement, progress.bench.graph.metric
    values = {
        "val_accuracy": measured.val_accuracy,
        **trial_sizes(progress.bench.reported, measured.footprint | _on_device(progress, record)),
        kib_metric(progress.bench.settings.objective.value): record.num_bytes / 1024,
        "average_bits": measured.average_bits,
        "is_pareto": float(is_pareto),
        "finetune_seconds": measured.finetune_seconds,
    }
    if measured.forecast is not None:
        values["forecast_val_accuracy"] = measured.forecast
    metrics = [
        Metric(metric_name(name, judged), value, record.end_ms, 0) for name, value in values.items()
    ]
    epoch = metric_name("epoch_val_accuracy", judged)
    curve = [Metric(epoch, value, record.end_ms, number) for number, value in measured.curve]
    return metrics + curve
