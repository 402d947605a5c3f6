"""What one answer for all nodes reaches, and what is said of a model that is no better."""

from dataclasses import replace

import pytest
import torch

from sgq_auto.graphs import Graph, LabelledNodes, PreparedData
from sgq_auto.searching.measuring.chance_level import chance_score
from sgq_auto.searching.measuring.majority_class import Guessing, Standing, untaught
from sgq_auto.task import Metric, Task

_CLASSES = torch.tensor([0, 0, 0, 1, 2])
_LABELS = torch.tensor([[1.0, 0], [1, 0], [1, 0], [0, 1], [0, 1]])
_NUMBERS = torch.tensor([[1.0], [2.0], [3.0], [4.0], [100.0]])


def _graph(data: PreparedData, task: Task, metric: Metric) -> Graph:
    labels = _LABELS if task is Task.NODE_MULTILABEL else _NUMBERS
    labels = _CLASSES if task.is_classification else labels
    val = LabelledNodes(torch.arange(5), labels)
    width = 3 if task.is_classification else labels.size(1)
    return replace(data.graph, val=val, task=task, metric=metric, num_classes=width)


@pytest.mark.parametrize(
    ("task", "metric", "chance"),
    [
        (Task.NODE_CLASSIFICATION, Metric.ACCURACY, 0.6),
        (Task.NODE_CLASSIFICATION, Metric.BALANCED_ACCURACY, 1 / 3),
        (Task.NODE_CLASSIFICATION, Metric.MACRO_F1, 0.25),
        (Task.NODE_CLASSIFICATION, Metric.ROC_AUC, 0.5),
        (Task.NODE_MULTILABEL, Metric.AVERAGE_PRECISION, 0.5),
        (Task.NODE_MULTILABEL, Metric.ROC_AUC, 0.5),
        (Task.NODE_MULTILABEL, Metric.ACCURACY, 0.6),
        (Task.NODE_MULTILABEL, Metric.MACRO_F1, (0.75 + 4 / 7) / 2),
        (Task.NODE_REGRESSION, Metric.R2, 0.0),
        (Task.NODE_REGRESSION, Metric.NEG_MAE, -(2 + 1 + 0 + 1 + 97) / 5),
    ],
)
def test_the_best_single_answer_is_known(
    task: Task, metric: Metric, chance: float, synthetic: PreparedData
) -> None:
    assert chance_score(_graph(synthetic, task, metric)) == pytest.approx(chance)


@pytest.mark.parametrize(
    ("own", "standing"),
    [
        (-0.1, Standing.NO_BETTER),
        (0.0, Standing.NO_BETTER),
        (0.05, Standing.BARELY_BETTER),
        (0.5, Standing.BETTER),
    ],
)
def test_numbers_are_told_from_guesses(
    own: float, standing: Standing, synthetic: PreparedData
) -> None:
    graph = _graph(synthetic, Task.NODE_REGRESSION, Metric.R2)
    found = Guessing.of(own, graph, 0.4)
    assert (found.standing, found.majority_accuracy, found.val_nodes) == (standing, 0.0, 5)
    assert (found.warning is None) == (standing is Standing.BETTER)
    if found.warning:
        assert f"R2 {100 * own:.1f} %" in found.warning
        assert "one answer for all" in found.warning


def test_an_error_may_be_lost_within_what_is_allowed(synthetic: PreparedData) -> None:
    graph = _graph(synthetic, Task.NODE_REGRESSION, Metric.NEG_MAE)
    assert Guessing.of(-10.0, graph, 0.4).standing is Standing.BETTER
    warning = Guessing.of(-15.0, graph, 50.0).warning
    assert warning is not None
    assert "mean absolute error 15 on 5 validation nodes" in warning
    assert "50 % of the error is allowed" in warning
    words = untaught([-10.0, -21.0], graph, 0.4)
    assert words is not None
    assert "1 of 2" in words
    assert "one answer for all nodes (20.2)" in words
