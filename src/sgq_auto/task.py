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
    def unit(self) -> str:
        """What has a label: ``node`` or ``graph``."""
        return "graph" if self.predicts_graphs else "node"

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
    """The figure that is maximised.

    Drops are in points, hundredths of it; of the mean absolute error, in per cent of the
    reference's.
    """

    ACCURACY = "accuracy"
    BALANCED_ACCURACY = "balanced_accuracy"
    MACRO_F1 = "macro_f1"
    ROC_AUC = "roc_auc"
    AVERAGE_PRECISION = "average_precision"
    R2 = "r2"
    NEG_MAE = "neg_mae"

    @property
    def is_share(self) -> bool:
        """Whether it is written in per cent: all but an error in the user's units."""
        return self is not Metric.NEG_MAE

    @property
    def words(self) -> str:
        """What people call it."""
        return _WORDS[self]

    @property
    def unit(self) -> str:
        """What drops are counted in, after a number."""
        return "points" if self.is_share else "% of the error"

    def text(self, value: float) -> str:
        """A figure for people: ``81.5 %``, or an error in the user's units."""
        return f"{100 * value:.1f} %" if self.is_share else f"{-value:.4g}"

    def scale(self, reference: float) -> float:
        """What a drop of 100 points is, where this is the reference's figure."""
        return 1.0 if self.is_share or reference == 0 else abs(reference)

    def drop(self, reference: float, own: float) -> float:
        """Points by which a figure lies below the reference's."""
        return 100 * (reference - own) / self.scale(reference)

    def below(self, reference: float, drop: float) -> float:
        """The figure that lies so many points below the reference's."""
        return reference - drop / 100 * self.scale(reference)


_WORDS = {
    Metric.ACCURACY: "accuracy",
    Metric.BALANCED_ACCURACY: "balanced accuracy",
    Metric.MACRO_F1: "macro F1",
    Metric.ROC_AUC: "ROC AUC",
    Metric.AVERAGE_PRECISION: "average precision",
    Metric.R2: "R2",
    Metric.NEG_MAE: "mean absolute error",
}
_OF_CLASSES = (
    Metric.ACCURACY,
    Metric.BALANCED_ACCURACY,
    Metric.MACRO_F1,
    Metric.ROC_AUC,
    Metric.AVERAGE_PRECISION,
)
_OF_LABELS = (Metric.AVERAGE_PRECISION, Metric.ROC_AUC, Metric.MACRO_F1, Metric.ACCURACY)
_OF_NUMBERS = (Metric.R2, Metric.NEG_MAE)
