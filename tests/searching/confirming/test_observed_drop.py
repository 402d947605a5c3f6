"""Drops of metrics that compare nodes, or are errors: what is promised holds on unseen nodes."""

import numpy as np
import pytest
import torch
from torch import Tensor

from sgq_auto.searching.confirming import observed_drop
from sgq_auto.searching.confirming.drop_estimate import DropEstimate, DropEvidence, StepEvidence
from sgq_auto.searching.confirming.observed_drop import (
    ObservedDrop,
    Observer,
    estimated,
    estimated_of_bits,
)
from sgq_auto.task import Metric
from sgq_auto.training import score


def _world(rng: np.random.Generator, metric: Metric, nodes: int) -> tuple[Tensor, Tensor]:
    """Labels, and what a good model says of them, in whatever the metric reads."""
    signal = rng.normal(size=(nodes, 3))
    says = torch.from_numpy((signal + 0.5 * rng.normal(size=signal.shape)).astype(np.float32))
    if metric in (Metric.R2, Metric.NEG_MAE):
        return torch.from_numpy(signal.astype(np.float32)), says
    if metric is Metric.AVERAGE_PRECISION:
        return torch.from_numpy((signal > 1).astype(np.float32)), says - 1
    return torch.from_numpy(signal.argmax(1)), says


def _worse(rng: np.random.Generator, outputs: Tensor, noise: float) -> Tensor:
    return outputs + noise * torch.from_numpy(rng.normal(size=outputs.shape).astype(np.float32))


@pytest.mark.parametrize(
    "metric", [Metric.AVERAGE_PRECISION, Metric.MACRO_F1, Metric.R2, Metric.NEG_MAE]
)
def test_the_best_of_several_models_keeps_its_promise_on_unseen_nodes(
    metric: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the confirm stage: of five models the one that lost least on validation nodes."""
    monkeypatch.setattr(observed_drop, "_SAMPLES", 100)
    kept, beyond, tries = 0, [], 30
    for seed in range(tries):
        rng = np.random.default_rng(seed)
        labels, full = _world(rng, metric, 900)
        val, test = slice(0, 300), slice(300, 900)
        observer = Observer.of(metric, [full[val]], labels[val], 600)
        models = [_worse(rng, full, 0.35) for _ in range(5)]
        found = [estimated([observer.drop(full[val], own[val])]) for own in models]
        best = min(range(5), key=lambda k: found[k].mean)
        true = (
            score(metric, full[test], labels[test]),
            score(metric, models[best][test], labels[test]),
        )
        bound = found[best].at_most(0.9)
        kept += metric.drop(*true) <= bound
        beyond.append(bound - metric.drop(*true))
    # Nine of ten are promised, and the errors of these models are as independent as can be.
    assert kept >= 0.75 * tries
    # The bound says something: it is not far above what is lost.
    assert 0 < np.median(beyond) < 8


def test_a_drop_is_what_was_lost_in_points_of_the_metric() -> None:
    rng = np.random.default_rng(0)
    labels, full = _world(rng, Metric.NEG_MAE, 400)
    own = labels + 1.1 * (full - labels)
    observer = Observer.of(Metric.NEG_MAE, [full, full], labels, 400)
    found = observer.drop(twin=full, own=own)
    # A tenth more error is ten per cent of it, whichever nodes are looked at.
    assert found.lost == pytest.approx(10.0, abs=1e-4)
    assert found.bits_lost == pytest.approx(10.0, abs=1e-4)
    assert 0 < found.variance < 1
    assert found.unseen_variance == pytest.approx(found.variance)
    nothing = observer.drop(twin=full, own=full)
    assert (nothing.lost, nothing.variance) == (0.0, 0.0)


def test_chance_counts_once_for_models_of_several_seeds() -> None:
    rng = np.random.default_rng(1)
    labels, full = _world(rng, Metric.AVERAGE_PRECISION, 300)
    observer = Observer.of(Metric.AVERAGE_PRECISION, [full], labels, 600)
    drops = [observer.drop(full, _worse(rng, full, 0.3)) for _ in range(4)]
    one, four = estimated(drops[:1]), estimated(drops)
    assert four.mean == pytest.approx(np.mean([each.lost for each in drops]))
    assert four.std > 0.6 * one.std
    assert estimated_of_bits(drops).mean == four.mean
    unseen = drops[0].unseen_variance
    assert unseen == pytest.approx(drops[0].variance / 2)


def test_accuracy_keeps_its_own_estimate() -> None:
    step = StepEvidence(0.1, 0.5, 0.3, 4.0)
    evidence = [DropEvidence(step, step, 0.01, 0.2)]
    assert estimated(evidence) == DropEstimate.of(evidence)
    assert estimated_of_bits(evidence) == DropEstimate.of_bits(evidence)
    assert estimated([ObservedDrop(1.0, 0.0, 0.5, 0.0, 4.0)]) == DropEstimate(1.0, 2.0)
