"""What a proposal rests on: the seed, exact sizes, and the trials that run elsewhere."""

import numpy as np
import optuna
import pytest
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import TrialState, create_trial

from sgq_auto.searching.samplers import AutoBitSampler, InformedSampler, Knowledge, PaperSampler
from sgq_auto.searching.space.pareto_front import Frame
from sgq_auto.searching.study_attributes import ESTIMATE, SUPERSEDED

SITES = 8
# Not in the order of the names, which Optuna sorts by.
SPACE: dict[str, BaseDistribution] = {
    f"site{k}": IntDistribution(0, 5) for k in reversed(range(SITES))
}
WEIGHTS = 1.5 ** np.arange(SITES)
FRAME = Frame(1000, int(1000 + 5 * (100 * WEIGHTS).sum()), 0.2, 0.95)


def sizes(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    return (1000 + positions @ (100 * WEIGHTS)).astype(np.int64)


def accuracy(positions: NDArray[np.int64]) -> NDArray[np.float64]:
    """The smallest sites matter most, and more than three bits help nobody."""
    needed = np.minimum(positions, 3) @ (1 / WEIGHTS)
    return 0.2 + 0.7 * needed / (3 * (1 / WEIGHTS).sum())


def evaluate(params: dict[str, int]) -> tuple[float, float]:
    positions = np.array([[params[name] for name in SPACE]])
    return float(accuracy(positions)[0]), float(sizes(positions)[0])


def run(sampler: BaseSampler, trials: int) -> optuna.Study:
    study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    for _ in range(trials):
        trial = study.ask(SPACE)
        study.tell(trial, evaluate(trial.params))
    return study


def hypervolume(study: optuna.Study) -> float:
    class Point:
        def __init__(self, values: list[float]) -> None:
            self.val_accuracy, self.num_bytes = values[0], int(values[1])

    return FRAME.hypervolume([Point(t.values) for t in study.trials if t.values])


KNOWLEDGE = Knowledge(sizes=sizes, frame=FRAME, parameters=tuple(SPACE))


@pytest.mark.parametrize("kind", [AutoBitSampler, PaperSampler])
def test_the_seed_decides(kind: type[InformedSampler]) -> None:
    def params(seed: int) -> list[dict[str, int]]:
        return [t.params for t in run(kind(seed=seed, knowledge=KNOWLEDGE), 25).trials]

    assert params(3) == params(3)
    assert params(3) != params(4)


def test_it_finds_a_better_front_than_chance_in_a_third_of_the_trials() -> None:
    found = hypervolume(run(AutoBitSampler(seed=0, knowledge=KNOWLEDGE), 40))
    assert found > hypervolume(run(RandomSampler(seed=0), 120)) + 0.03


def test_exact_sizes_help() -> None:
    exact = [hypervolume(run(AutoBitSampler(seed=s, knowledge=KNOWLEDGE), 40)) for s in range(3)]
    blind = Knowledge(frame=FRAME)
    guessed = [hypervolume(run(AutoBitSampler(seed=s, knowledge=blind), 40)) for s in range(3)]
    assert np.mean(exact) > np.mean(guessed)


@pytest.mark.parametrize("kind", [AutoBitSampler, PaperSampler])
def test_sizes_are_asked_for_in_the_order_of_the_parameters(kind: type[InformedSampler]) -> None:
    asked: set[tuple[int, ...]] = set()

    def watched(positions: NDArray[np.int64]) -> NDArray[np.int64]:
        asked.update(map(tuple, positions.tolist()))
        return sizes(positions)

    knowledge = Knowledge(sizes=watched, frame=FRAME, parameters=tuple(SPACE))
    study = run(kind(seed=0, knowledge=knowledge), 45)
    proposed = {tuple(t.params[name] for name in SPACE) for t in study.trials[20:]}
    assert proposed <= asked


def test_knowledge_of_other_parameters_is_refused() -> None:
    knowledge = Knowledge(sizes=sizes, parameters=("site0", "site9"))
    with pytest.raises(ValueError, match="knows the parameters site0, site9; the study has"):
        run(AutoBitSampler(seed=0, knowledge=knowledge), 11)
    with pytest.raises(ValueError, match="need the names of parameters"):
        Knowledge(sizes=sizes)


def test_no_allocation_is_proposed_twice() -> None:
    study = run(AutoBitSampler(seed=0, knowledge=KNOWLEDGE, startup_trials=2), 60)
    assert len({tuple(t.params.values()) for t in study.trials[2:]}) == 58


def test_workers_that_ask_at_once_get_different_allocations() -> None:
    study = run(AutoBitSampler(seed=0, knowledge=KNOWLEDGE), 20)
    asked = [study.ask(SPACE) for _ in range(8)]
    assert len({tuple(t.params.values()) for t in asked}) == 8
    # Pending trials count as reached: proposals spread over sizes.
    assert np.ptp([evaluate(t.params)[1] for t in asked]) > 0


def test_a_failed_allocation_is_not_proposed_again() -> None:
    study = run(AutoBitSampler(seed=0, knowledge=KNOWLEDGE), 20)
    failed = study.ask(SPACE)
    study.tell(failed, state=TrialState.FAIL)
    assert study.ask(SPACE).params != failed.params


def test_a_trial_that_another_replaces_changes_nothing() -> None:
    sampler = AutoBitSampler(seed=0, knowledge=KNOWLEDGE)
    expected = run(sampler, 20).ask(SPACE).params
    study = run(sampler, 20)
    lost = study.ask(SPACE)
    lost.set_user_attr(SUPERSEDED, True)
    study.tell(lost, state=TrialState.FAIL)
    assert study.ask(SPACE).params == expected


def test_a_stopped_trial_counts_with_its_estimate() -> None:
    study = run(AutoBitSampler(seed=0, knowledge=KNOWLEDGE), 20)
    without = study.ask(SPACE)
    study.tell(without, state=TrialState.FAIL)
    best = dict.fromkeys(SPACE, 0)
    stopped = create_trial(
        state=TrialState.PRUNED,
        params=best,
        distributions=SPACE,
        user_attrs={ESTIMATE: [0.95, 1000.0]},
    )
    study.add_trial(stopped)
    # The smallest allocation is said to reach all there is: what it gains is gone.
    assert study.ask(SPACE).params != without.params


def test_a_space_that_is_exhausted_goes_on() -> None:
    study = optuna.create_study(
        directions=["maximize", "minimize"], sampler=AutoBitSampler(seed=0, startup_trials=1)
    )
    for _ in range(8):
        trial = study.ask({"bits": IntDistribution(0, 3)})
        study.tell(trial, [trial.params["bits"] / 3, 100.0 * (1 + trial.params["bits"])])
    assert {t.params["bits"] for t in study.trials} == {0, 1, 2, 3}


def test_the_paper_measures_what_its_tree_finds_small_and_good_enough() -> None:
    study = run(PaperSampler(seed=0, knowledge=KNOWLEDGE, batch=20, max_drop=10.0), 60)
    first, last = study.trials[:20], study.trials[40:]
    within = [t for t in last if t.values[0] >= FRAME.full_accuracy - 0.15]
    assert len(within) > len([t for t in first if t.values[0] >= FRAME.full_accuracy - 0.15])


def test_three_objectives_are_refused() -> None:
    study = optuna.create_study(directions=["maximize"] * 3, sampler=AutoBitSampler(seed=0))
    with pytest.raises(ValueError, match="one or two objectives"):
        study.ask(SPACE)
