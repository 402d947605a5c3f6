"""Drops in points of each metric, and the figure that lies so many points below."""

import pytest

from sgq_auto.task import Metric, Task


@pytest.mark.parametrize("metric", list(Metric))
@pytest.mark.parametrize("drop", [0.0, 0.4, -1.5])
def test_a_drop_and_the_figure_below_are_inverse(metric: Metric, drop: float) -> None:
    reference = 0.8 if metric.is_share else -12.5
    own = metric.below(reference, drop)
    assert metric.drop(reference, own) == pytest.approx(drop, abs=1e-9)


def test_an_error_drops_in_per_cent_of_the_reference() -> None:
    assert Metric.NEG_MAE.drop(-2.0, -2.1) == pytest.approx(5.0)
    assert Metric.NEG_MAE.below(-2.0, 1.0) == pytest.approx(-2.02)
    assert Metric.NEG_MAE.drop(0.0, -0.1) == pytest.approx(10.0)
    assert (Metric.NEG_MAE.text(-2.0), Metric.R2.text(0.815)) == ("2", "81.5 %")


def test_accuracy_drops_as_it_always_did() -> None:
    # Bit for bit: earlier studies are read again.
    for reference, own in ((0.8133, 0.7921), (0.1, 0.3), (1 / 3, 2 / 7)):
        assert Metric.ACCURACY.drop(reference, own) == 100 * (reference - own)
        assert Metric.ACCURACY.below(reference, 0.4) == reference - 0.4 / 100


def test_every_task_has_a_usual_metric_of_its_own() -> None:
    assert {task: task.metrics[0] for task in Task if not task.predicts_graphs} == {
        Task.NODE_CLASSIFICATION: Metric.ACCURACY,
        Task.NODE_MULTILABEL: Metric.AVERAGE_PRECISION,
        Task.NODE_REGRESSION: Metric.R2,
    }
