"""Metrics: the values that scikit-learn has, and weights that count rows."""

import numpy as np
import pytest
import torch
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    r2_score,
    roc_auc_score,
)

from sgq_auto.task import Metric, Task
from sgq_auto.training import resampled_scores, score
from sgq_auto.training.metrics import weighted_scores

_RNG = np.random.default_rng(0)
_N = 60
# Rounded, so that some values are equal.
_LOGITS = torch.from_numpy(_RNG.normal(size=(_N, 4)).round(1).astype(np.float32))
_CLASSES = torch.from_numpy(_RNG.integers(0, 4, _N))
_LABELS = torch.from_numpy((_RNG.random((_N, 4)) < 0.3).astype(np.float32))
_NUMBERS = torch.from_numpy((3 + 2 * _RNG.normal(size=(_N, 4))).astype(np.float32))
_BINARY = [(Task.NODE_CLASSIFICATION, _CLASSES), (Task.NODE_MULTILABEL, _LABELS)]


def test_classes_have_the_values_of_scikit_learn() -> None:
    truth, predicted = _CLASSES.numpy(), _LOGITS.argmax(1).numpy()
    shares = _LOGITS.double().softmax(1).numpy()
    hot = np.eye(4)[truth]
    expected = {
        Metric.ACCURACY: float((truth == predicted).mean()),
        Metric.BALANCED_ACCURACY: balanced_accuracy_score(truth, predicted),
        Metric.MACRO_F1: f1_score(truth, predicted, average="macro"),
        Metric.ROC_AUC: roc_auc_score(truth, shares, multi_class="ovr"),
        Metric.AVERAGE_PRECISION: average_precision_score(hot, shares),
    }
    found = {metric: score(metric, _LOGITS, _CLASSES) for metric in expected}
    assert set(expected) == set(Task.NODE_CLASSIFICATION.metrics)
    assert found == pytest.approx(expected, abs=1e-12)


def test_labels_have_the_values_of_scikit_learn() -> None:
    truth, logits = _LABELS.numpy(), _LOGITS.numpy()
    expected = {
        Metric.AVERAGE_PRECISION: average_precision_score(truth, logits),
        Metric.ROC_AUC: roc_auc_score(truth, logits),
        Metric.MACRO_F1: f1_score(truth, logits > 0, average="macro"),
        Metric.ACCURACY: float((truth == (logits > 0)).mean()),
    }
    found = {metric: score(metric, _LOGITS, _LABELS) for metric in expected}
    assert set(expected) == set(Task.NODE_MULTILABEL.metrics)
    assert found == pytest.approx(expected, abs=1e-12)


def test_numbers_have_the_values_of_scikit_learn() -> None:
    outputs = _NUMBERS + _LOGITS
    expected = r2_score(_NUMBERS.double().numpy(), outputs.double().numpy())
    assert score(Metric.R2, outputs, _NUMBERS) == pytest.approx(expected, abs=1e-9)
    error = (outputs - _NUMBERS).double().abs().mean()
    assert score(Metric.NEG_MAE, outputs, _NUMBERS) == pytest.approx(-float(error), abs=1e-7)
    assert score(Metric.R2, _NUMBERS, _NUMBERS) == 1.0


def test_what_a_metric_says_nothing_of_is_left_out() -> None:
    labels = _LABELS.clone()
    labels[:, 1] = 0
    rest = [0, 2, 3]
    for metric in (Metric.ROC_AUC, Metric.AVERAGE_PRECISION):
        alone = score(metric, _LOGITS[:, rest], labels[:, rest])
        assert score(metric, _LOGITS, labels) == pytest.approx(alone, abs=1e-12)
    assert np.isnan(score(Metric.ROC_AUC, _LOGITS, torch.zeros(_N, 4)))
    numbers = _NUMBERS.clone()
    numbers[:, 0] = 7
    alone = score(Metric.R2, _LOGITS[:, 1:], numbers[:, 1:])
    assert score(Metric.R2, _LOGITS, numbers) == pytest.approx(alone, abs=1e-9)


@pytest.mark.parametrize("metric", list(Metric))
def test_weights_count_rows(metric: Metric) -> None:
    numbers = metric in Task.NODE_REGRESSION.metrics
    cases = [_NUMBERS] if numbers else [_LABELS, _CLASSES]
    if metric is Metric.BALANCED_ACCURACY:
        cases = [_CLASSES]
    weights = _RNG.integers(0, 4, _N)
    repeated = np.repeat(np.arange(_N), weights)
    for labels in cases:
        found = weighted_scores(
            metric, _LOGITS.numpy(), labels.numpy(), weights[None].astype(np.float64)
        )
        assert found[0] == pytest.approx(
            score(metric, _LOGITS[repeated], labels[repeated]), abs=1e-9
        )


def test_samples_are_those_of_the_seed_and_spread_as_theory_says() -> None:
    own = resampled_scores(Metric.ACCURACY, _LOGITS, _CLASSES, count=2000, seed=1)
    same = resampled_scores(Metric.ACCURACY, _LOGITS, _CLASSES, count=2000, seed=1)
    np.testing.assert_array_equal(own, same)
    accuracy = score(Metric.ACCURACY, _LOGITS, _CLASSES)
    assert own.mean() == pytest.approx(accuracy, abs=0.01)
    assert own.std() == pytest.approx(np.sqrt(accuracy * (1 - accuracy) / _N), rel=0.1)
