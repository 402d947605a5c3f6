"""What a model predicts, and by which figure it is judged. Standard library only."""

from enum import StrEnum


class Task(StrEnum):
    """What is predicted of what."""

    NODE_CLASSIFICATION = "node_classification"
    NODE_MULTILABEL = "node_multilabel"
    NODE_REGRESSION = "node_regression"
    GRAPH_CLASSIFICATION = "graph_classification"
    GRAPH_REGRESSION = "graph_regression"

    @property
    def predicts_graphs(self) -> bool:
        """Whether a model answers once for a whole graph, and not once for each node."""
        return self in (Task.GRAPH_CLASSIFICATION, Task.GRAPH_REGRESSION)

    @property
    def is_classification(self) -> bool:
        """Whether exactly one of several classes is right."""
        return self in (Task.NODE_CLASSIFICATION, Task.GRAPH_CLASSIFICATION)

    @property
    def is_regression(self) -> bool:
        """Whether numbers are predicted."""
        return self in (Task.NODE_REGRESSION, Task.GRAPH_REGRESSION)

    @property
    def metrics(self) -> "tuple[Metric, ...]":
        """The figures that such a task can be judged by; the first is used unless one is chosen."""
        if self.is_classification:
            return _OF_CLASSES
        return _OF_NUMBERS if self.is_regression else _OF_LABELS


class Metric(StrEnum):
    """The figure that is maximised."""

    ACCURACY = "accuracy"
    BALANCED_ACCURACY = "balanced_accuracy"
    MACRO_F1 = "macro_f1"
    ROC_AUC = "roc_auc"
    AVERAGE_PRECISION = "average_precision"
    R2 = "r2"
    NEG_MAE = "neg_mae"


_OF_CLASSES = (
    Metric.ACCURACY,
    Metric.BALANCED_ACCURACY,
    Metric.MACRO_F1,
    Metric.ROC_AUC,
    Metric.AVERAGE_PRECISION,
)
_OF_LABELS = (Metric.AVERAGE_PRECISION, Metric.ROC_AUC, Metric.MACRO_F1, Metric.ACCURACY)
_OF_NUMBERS = (Metric.R2, Metric.NEG_MAE)
