"""Names of MLflow's metrics, by what models are judged by: ``val_accuracy`` or ``val_roc_auc``."""

from sgq_auto.task import Metric

_ACCURACY = Metric.ACCURACY.value


def metric_name(name: str, metric: Metric) -> str:
    """The name under which a figure is logged.

    Args:
        name: Its name where models are judged by accuracy, like ``front_val_accuracy``.
        metric: What they are judged by.
    """
    return name.replace(_ACCURACY, metric.value)


def names_of(name: str) -> tuple[str, ...]:
    """The names that a figure may have, whatever models are judged by."""
    return tuple(metric_name(name, metric) for metric in Metric)
