"""What training lowers: how wrong a model is by labels, and how far it is from its teachers."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph
from sgq_auto.graphs.labels.target_scale import TargetScale
from sgq_auto.settings.fit_settings import ClassWeights, FitSettings
from sgq_auto.task import Metric, Task


@dataclass(frozen=True, eq=False)
class LabelLoss:
    """How wrong outputs are by labels: a mean over rows, and over labels or numbers.

    - Classes: cross-entropy.
    - Several labels: binary cross-entropy of each.
    - Numbers, as mean 0 and spread 1 over the training labels: the squared error; where the mean
      absolute error is the metric, Huber's loss, which large errors sway less.

    Attributes:
        task: What is predicted.
        metric: What models are judged by.
        scale: Mean and spread of the training labels, of numbers.
        in_units: Whether outputs have the units of the labels already.
        weights: ``[K]`` weights of classes, or of the nodes that have a label; or ``None``.
    """

    task: Task
    metric: Metric
    scale: TargetScale | None = None
    in_units: bool = False
    weights: Tensor | None = None

    @classmethod
    def of(cls, graph: Graph, class_weights: ClassWeights = ClassWeights.NONE) -> Self:
        """The loss for the labels of a graph.

        Raises:
            InputError: If classes are weighted where there are none.
        """
        weights = None
        if class_weights is ClassWeights.BALANCED:
            weights = _balanced(graph)
        scale = graph.label_scale if graph.task.is_regression else None
        return cls(graph.task, graph.metric, scale, graph.target_scale is None, weights)

    def __call__(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """The mean loss of outputs ``[n, K]`` by labels ``[n]`` or ``[n, K]``."""
        if self.task.is_classification:
            return functional.cross_entropy(outputs, labels, self.weights)
        if self.scale is None:
            return functional.binary_cross_entropy_with_logits(
                outputs, labels, pos_weight=self.weights
            )
        return self._distance(self._standardised(outputs), self.scale.standardised(labels))

    def taught(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        """The mean distance of outputs ``[n, K]`` from what teachers say of labels or numbers.

        Args:
            outputs: What the model returns.
            teacher: Probabilities of labels, or numbers as the model returns them.
        """
        if self.scale is None:
            return functional.binary_cross_entropy_with_logits(outputs, teacher)
        return self._distance(self._standardised(outputs), self._standardised(teacher))

    def _standardised(self, outputs: Tensor) -> Tensor:
        assert self.scale is not None
        return self.scale.standardised(outputs) if self.in_units else outputs

    def _distance(self, own: Tensor, wanted: Tensor) -> Tensor:
        if self.metric is Metric.NEG_MAE:
            return functional.huber_loss(own, wanted)
        return functional.mse_loss(own, wanted)


class TrainingLoss:
    """The loss by training labels and by teachers, mixed.

    Args:
        graph: The graph; its training labels are read.
        settings: How to train.
        teacher: What teachers say of every row: from :func:`said`, the mean over them.
        by_labels: The loss by labels, where the graph is a part of what trains; ``None`` for that
            of the graph.
    """

    def __init__(
        self,
        graph: Graph,
        settings: FitSettings,
        teacher: Tensor | None,
        by_labels: LabelLoss | None = None,
    ) -> None:
        self.train = graph.train
        self.by_labels = by_labels or LabelLoss.of(graph, settings.class_weights)
        self.distillation = 0.0 if teacher is None else settings.distillation
        self.teacher = teacher
        self._is_classes = graph.task.is_classification
        if teacher is not None and self._is_classes:
            # Classes first: softmax over a short last dimension is several times slower.
            self.teacher = teacher.t().contiguous()
            if settings.teacher_temperature != 1:
                self.teacher = (self.teacher.log() / settings.teacher_temperature).softmax(0)

    def __call__(self, outputs: Tensor) -> Tensor:
        """The loss of what a model returns for the whole graph."""
        loss = outputs.new_zeros(())
        if self.distillation < 1:
            labelled = outputs.index_select(0, self.train.nodes)
            loss = loss + (1 - self.distillation) * self.by_labels(labelled, self.train.labels)
        if self.distillation > 0 and self.teacher is not None:
            loss = loss + self.distillation * self._taught(outputs, self.teacher)
        return loss

    def _taught(self, outputs: Tensor, teacher: Tensor) -> Tensor:
        if not self._is_classes:
            return self.by_labels.taught(outputs, teacher)
        log_probabilities = outputs.t().contiguous().log_softmax(0)
        return (log_probabilities * teacher).sum() / -outputs.size(0)


def said(outputs: Tensor, task: Task) -> Tensor:
    """What a model says: probabilities of classes or of each label, or numbers as it returns them.

    The mean of what several say is what they teach.
    """
    if task.is_classification:
        return outputs.softmax(dim=1)
    return outputs if task.is_regression else outputs.sigmoid()


def agreement(one: Tensor, other: Tensor, task: Task) -> float:
    """How far two outputs ``[n, K]`` agree, 0..1.

    Of classes and labels it is the share of equal answers; of numbers, of the variance of ``other``
    the share that ``one`` tells.
    """
    if task.is_classification:
        return float((one.argmax(dim=1) == other.argmax(dim=1)).double().mean())
    if not task.is_regression:
        return float(((one > 0) == (other > 0)).double().mean())
    missed = (one - other).double().square().mean(dim=0)
    spread = other.double().var(dim=0, unbiased=False).clamp(min=1e-30)
    return float((1 - missed / spread).clamp(min=0).mean())


def _balanced(graph: Graph) -> Tensor:
    """Weights by which every class, or having a label and not, counts the same."""
    labels = graph.train.labels
    if graph.task.is_regression:
        raise InputError("class_weights=balanced: numbers to predict have no classes")
    if graph.task.is_classification:
        counts = torch.bincount(labels, minlength=graph.num_classes).clamp(min=1)
        return labels.numel() / (graph.num_classes * counts.float())
    having = labels.sum(dim=0).clamp(min=1)
    return (labels.size(0) - having).clamp(min=1) / having
