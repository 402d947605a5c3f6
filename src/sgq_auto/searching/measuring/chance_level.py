"""What one answer for all nodes reaches: a model that is no better has learned nothing."""

import torch
from torch import Tensor

from sgq_auto.graphs import Graph
from sgq_auto.task import Metric
from sgq_auto.training import score


def chance_score(graph: Graph) -> float:
    """The metric of the best answer that is the same for all validation nodes.

    - Classes: the most frequent one.
    - Labels: how often each one is there, which is what ranks no node above another; where answers
      are yes or no, the better one of each label.
    - Numbers: their mean, whose R2 is 0; for the mean absolute error their median.
    """
    labels = graph.val.labels
    if graph.task.is_classification and graph.metric is Metric.ACCURACY:
        counts = torch.bincount(labels)
        return float(counts.max() / counts.sum())
    if graph.metric is Metric.R2:
        return 0.0
    answer = _answer(graph, labels)
    return score(graph.metric, answer.expand(labels.size(0), -1), labels)


def _answer(graph: Graph, labels: Tensor) -> Tensor:
    """The answer ``[K]``."""
    if graph.task.is_classification:
        return torch.bincount(labels, minlength=graph.num_classes).float()
    if graph.metric is Metric.NEG_MAE:
        return labels.median(dim=0).values
    share = labels.mean(dim=0)
    # To say yes everywhere has an F1; to say no has none.
    return torch.ones_like(share) if graph.metric is Metric.MACRO_F1 else share - 0.5
