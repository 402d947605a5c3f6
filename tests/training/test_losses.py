"""Losses of several labels and of numbers: known values, units that do not matter, weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from sgq_auto.errors import InputError
from sgq_auto.graphs import BucketSettings, Graph, RawGraph, prepare_graph
from sgq_auto.graphs.splits import OwnOrPerClassSplit
from sgq_auto.models import GCN
from sgq_auto.quantize import prepare
from sgq_auto.settings.fit_settings import ClassWeights
from sgq_auto.task import Metric, Task
from sgq_auto.training import FitSettings, agreement, evaluate, fit, predict, said
from sgq_auto.training.losses import LabelLoss, TrainingLoss


def _graph(raw: RawGraph, kind: str, unit: float = 1.0) -> Graph:
    """Labels that a GCN can learn: of the communities of nodes."""
    y = np.stack([raw.y // 2, (raw.y + 1) % 4 // 2], axis=1).astype(np.float32)
    if kind == "numbers":
        noise = np.random.default_rng(0).normal(scale=0.1, size=y.shape)
        y = (unit * (100 + y + noise)).astype(np.float32)
    raw = replace(raw, y=y, class_names=None, split=None, numbers=None)
    split = OwnOrPerClassSplit(val_per_class=1).split(raw)
    return prepare_graph(raw, split, BucketSettings(), normalize_rows=False).graph


@pytest.fixture(scope="module")
def labels(synthetic_raw: RawGraph) -> Graph:
    return _graph(synthetic_raw, "labels")


@pytest.fixture(scope="module")
def numbers(synthetic_raw: RawGraph) -> Graph:
    return _graph(synthetic_raw, "numbers")


def _trained(graph: Graph, **settings: object) -> tuple[torch.nn.Module, float]:
    torch.manual_seed(0)
    model = prepare(GCN(graph.features.num_features, graph.num_classes, dropout=0.0), graph)
    fitted = fit(model, graph, FitSettings(60, 0.05, 0.0, evaluate_every=20, **settings), 0)  # type: ignore[arg-type]
    return model, fitted.val_accuracy


def test_losses_have_known_values(labels: Graph, numbers: Graph) -> None:
    loss = LabelLoss.of(labels)
    truth = labels.val.labels
    assert float(loss(torch.zeros_like(truth), truth)) == pytest.approx(np.log(2))
    # The mean of the training labels, for which outputs are 0, is off by their variance.
    train = numbers.train.labels
    assert float(LabelLoss.of(numbers)(torch.zeros_like(train), train)) == pytest.approx(1.0)
    absolute = LabelLoss.of(replace(numbers, metric=Metric.NEG_MAE))
    far = torch.full_like(train, 1000.0)
    assert float(absolute(far, train)) < 1001 < float(LabelLoss.of(numbers)(far, train))


def test_several_labels_are_learned(labels: Graph) -> None:
    assert labels.metric is Metric.AVERAGE_PRECISION
    _, reached = _trained(labels)
    prior = float(labels.val.labels.mean())
    assert reached > prior + 0.25


def test_numbers_are_learned_in_whatever_units(synthetic_raw: RawGraph, numbers: Graph) -> None:
    model, reached = _trained(numbers)
    assert reached > 0.7
    outputs = numbers.in_units(predict(model, numbers))[numbers.val.nodes]
    assert float((outputs - numbers.val.labels).abs().mean()) < float(numbers.val.labels.std())
    large = _graph(synthetic_raw, "numbers", unit=1e4)
    assert _trained(large)[1] == pytest.approx(reached, abs=0.02)


def test_a_model_with_the_users_units_has_the_same_loss(numbers: Graph) -> None:
    outputs = torch.randn(numbers.val.labels.shape)
    own = replace(numbers, target_scale=None)
    expected = LabelLoss.of(numbers)(outputs, numbers.val.labels)
    in_units = numbers.in_units(outputs)
    found = LabelLoss.of(own)(in_units, numbers.val.labels)
    assert float(found) == pytest.approx(float(expected), rel=1e-4)
    taught = LabelLoss.of(own).taught(in_units, own.in_units(numbers.in_units(-outputs)))
    assert float(taught) == pytest.approx(
        float(LabelLoss.of(numbers).taught(outputs, -outputs)), rel=1e-4
    )


@pytest.mark.parametrize("kind", ["labels", "numbers"])
def test_students_follow_teachers_that_are_not_the_labels(
    kind: str, request: pytest.FixtureRequest
) -> None:
    graph: Graph = request.getfixturevalue(kind)
    torch.manual_seed(3)
    teacher = prepare(GCN(graph.features.num_features, graph.num_classes, dropout=0.0), graph)
    wanted = 3 * predict(teacher, graph)
    wanted -= wanted.mean(dim=0)
    torch.manual_seed(0)
    student = prepare(GCN(graph.features.num_features, graph.num_classes, dropout=0.0), graph)
    before = agreement(predict(student, graph), wanted, graph.task)
    settings = FitSettings(80, 0.05, 0.0, evaluate_every=80, distillation=1.0)
    fit(student, graph, settings, 0, teacher=said(wanted, graph.task))
    assert agreement(predict(student, graph), wanted, graph.task) > max(0.8, before + 0.1)


def test_the_temperature_is_of_classes_alone(labels: Graph) -> None:
    outputs = torch.randn(labels.num_nodes, labels.num_classes)
    teacher = said(torch.randn_like(outputs), labels.task)
    plain = FitSettings(1, 0.1, 0.0, distillation=1.0)
    sharp = replace(plain, teacher_temperature=0.35)
    own, other = (float(TrainingLoss(labels, s, teacher)(outputs)) for s in (plain, sharp))
    assert own == other


def _weights(graph: Graph) -> Tensor:
    found = LabelLoss.of(graph, ClassWeights.BALANCED).weights
    assert found is not None
    return found


def test_balanced_classes_count_the_same(synthetic_raw: RawGraph, labels: Graph) -> None:
    raw = replace(synthetic_raw, y=np.minimum(synthetic_raw.y, 1))
    split = OwnOrPerClassSplit(20, val_per_class=1).split(synthetic_raw)
    graph = prepare_graph(raw, split, BucketSettings(), normalize_rows=True).graph
    counts = torch.bincount(graph.train.labels)
    assert counts.tolist() == [20, 60]
    torch.testing.assert_close(_weights(graph) * counts, torch.full((2,), 40.0))
    having = labels.train.labels.sum(0)
    torch.testing.assert_close(_weights(labels) * having, labels.train.labels.size(0) - having)


def test_numbers_have_no_class_weights(numbers: Graph) -> None:
    with pytest.raises(InputError, match="class_weights=balanced: numbers"):
        _trained(numbers, class_weights=ClassWeights.BALANCED)


def test_evaluation_gives_the_metric_of_the_graph(labels: Graph) -> None:
    model, reached = _trained(labels)
    assert evaluate(model, labels)[0] == reached
    accuracy = evaluate(model, replace(labels, metric=Metric.ACCURACY))[0]
    right = (predict(model, labels)[labels.val.nodes] > 0) == (labels.val.labels > 0)
    assert accuracy == pytest.approx(float(right.double().mean()))
    assert accuracy != reached


def test_agreement_is_a_share() -> None:
    one = torch.tensor([[1.0, -1.0], [2.0, 3.0]])
    assert agreement(one, one, Task.NODE_CLASSIFICATION) == 1.0
    assert agreement(one, -one, Task.NODE_MULTILABEL) == 0.0
    assert agreement(one, one, Task.NODE_REGRESSION) == 1.0
    assert agreement(one, one.mean(0).expand(2, 2), Task.NODE_REGRESSION) == 0.0
