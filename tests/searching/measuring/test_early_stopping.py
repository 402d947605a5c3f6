"""Trials stop where a smaller one has all but beaten them, and nowhere else."""

import numpy as np

from sgq_auto.searching.measuring.early_stopping import DominationStopper, rungs
from sgq_auto.searching.trials.trial_records import Measurement, TrialRecord


def trial(number: int, at_rung: float, final: float, num_bytes: int, **more: object) -> TrialRecord:
    curve = ((10, at_rung), (20, at_rung), (30, at_rung), (50, at_rung), (100, final))
    measurement = Measurement(final, {}, 1.0, curve, 0.1, **more)  # type: ignore[arg-type]
    return TrialRecord(number, {"a": number}, num_bytes, measurement, 0.1, None, 0, 0)


def finished(count: int = 12) -> list[TrialRecord]:
    """Accuracies rise by 0.1 after the rung, give or take 0.01."""
    rng = np.random.default_rng(0)
    levels = np.linspace(0.5, 0.7, count)
    return [
        trial(k, level, level + 0.1 + rng.normal(0, 0.01), 1000 + k)
        for k, level in enumerate(levels)
    ]


def test_rungs_are_whole_epochs_before_the_last() -> None:
    assert rungs(100) == (10, 20, 30, 50)
    assert rungs(2) == (1,)
    assert rungs(1) == ()


def test_a_dominated_trial_stops_with_its_forecast() -> None:
    stopper = DominationStopper(100, 2000, finished())
    assert stopper.stops(10, 0.55)
    assert stopper.forecast is not None
    assert abs(stopper.forecast.mean - 0.65) < 0.02
    assert stopper.forecast.std < 0.03


def test_a_trial_within_the_noise_of_the_best_goes_on() -> None:
    assert not DominationStopper(100, 2000, finished()).stops(10, 0.70)
    assert not DominationStopper(100, 2000, finished(), noise_variance=1.0).stops(10, 0.55)


def test_a_smaller_trial_is_not_dominated_by_larger_ones() -> None:
    assert not DominationStopper(100, 900, finished()).stops(10, 0.45)


def test_a_trial_ahead_of_its_rivals_at_the_rung_goes_on() -> None:
    ahead = [trial(k, 0.4, 0.9, 100) for k in range(12)]
    assert not DominationStopper(100, 200, ahead).stops(10, 0.5)


def test_nothing_stops_before_there_is_enough_to_forecast_from() -> None:
    assert not DominationStopper(100, 2000, finished(7)).stops(10, 0.1)
    stopped = [trial(k, 0.7, 0.8, 100, forecast=0.8) for k in range(12)]
    assert not DominationStopper(100, 2000, stopped).stops(10, 0.1)
    copies = [trial(k, 0.7, 0.8, 100, duplicate_of=0) for k in range(12)]
    assert not DominationStopper(100, 2000, copies).stops(10, 0.1)
