"""Samplers that are told of bounds besides the one of the objective."""

from dataclasses import replace

import numpy as np
import optuna
import pytest
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, IntDistribution

from sgq_auto.searching.samplers import AutoBitSampler, InformedSampler, Knowledge, PaperSampler
from sgq_auto.searching.samplers.acquisition import Model
from sgq_auto.searching.samplers.measured_history import History
from sgq_auto.searching.space.pareto_front import Frame

SITES = 6
SPACE: dict[str, BaseDistribution] = {f"site{k}": IntDistribution(0, 5) for k in range(SITES)}
FRAME = Frame(100, 100 + 5 * SITES * 10, 0.2, 0.9)


def sizes(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    return (100 + 10 * positions.sum(axis=1)).astype(np.int64)


def within(positions: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The first half of the sites is scarce: about one random allocation in 400 keeps this."""
    kept: NDArray[np.bool_] = positions[:, : SITES // 2].sum(axis=1) <= 1
    return kept


KNOWLEDGE = Knowledge(sizes=sizes, frame=FRAME, parameters=tuple(SPACE), within=within)


def evaluate(params: dict[str, int]) -> tuple[float, float]:
    row = np.array([[params[name] for name in SPACE]])
    return 0.2 + 0.7 * float(row.sum()) / (5 * SITES), float(sizes(row)[0])


def run(sampler: InformedSampler, trials: int) -> NDArray[np.int64]:
    """The allocations ``[trials, sites]`` of a study that begins with the smallest."""
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    study.enqueue_trial(dict.fromkeys(SPACE, 0))
    for _ in range(trials):
        trial = study.ask(SPACE)
        study.tell(trial, evaluate(trial.params))
    return np.array([[t.params[name] for name in SPACE] for t in study.trials])


@pytest.mark.parametrize("kind", [AutoBitSampler, PaperSampler])
def test_proposals_keep_the_bounds_and_the_random_start_does_too(
    kind: type[InformedSampler],
) -> None:
    found = run(kind(seed=0, knowledge=KNOWLEDGE), 25)
    assert len(np.unique(found[1:10], axis=0)) > 4
    if kind is AutoBitSampler:
        assert within(found).all()
    else:  # Its candidates are random alone: where none of 2000 keeps the bounds, any serves.
        assert within(found[1:]).mean() > 0.8


def test_what_breaks_a_bound_hides_no_gain_of_what_keeps_it() -> None:
    drawn = np.random.default_rng(0).integers(0, 2, (12, SITES))
    drawn[:, : SITES // 2] = 0
    outside = np.array([[2] + [0] * (SITES - 1)])
    positions = np.concatenate([drawn, outside])
    accuracy = np.append(0.3 + 0.05 * drawn.sum(axis=1), 0.91)
    nothing = np.zeros((0, SITES), dtype=np.int64)
    ones = np.ones(len(positions))
    size = sizes(positions).astype(float)
    history = History(positions, accuracy, size, ones, 0.0, nothing, nothing)
    larger = np.array([[0, 0, 0, 2, 2, 2]])
    gain = Model.fit(history, KNOWLEDGE, 0).gains(larger)[0]
    # Beside one that is smaller and as accurate as full precision, nothing else would be a gain.
    assert gain > 10 * Model.fit(history, replace(KNOWLEDGE, within=None), 0).gains(larger)[0]
    assert gain > 0.01


def test_bounds_need_the_names_of_parameters() -> None:
    with pytest.raises(ValueError, match="names of parameters"):
        Knowledge(within=within)
