"""Repeated measurements: pooled estimates, their noise, and what is worth repeating."""

import pytest

from sgq_auto.searching.trials.repeated_measurements import (
    Noise,
    estimates,
    repeat_is_due,
    worth_repeating,
)
from sgq_auto.searching.trials.trial_records import Measurement, TrialRecord


def trial(number: int, index: int, accuracy: float, **more: object) -> TrialRecord:
    measurement = Measurement(accuracy, {}, 1.0, ((1, accuracy),), 0.1, **more)  # type: ignore[arg-type]
    return TrialRecord(number, {"a": index}, 100 * (1 + index), measurement, 0.1, None, 0, 0)


def test_measurements_of_one_allocation_are_pooled() -> None:
    records = [trial(0, 0, 0.8), trial(1, 1, 0.9), trial(2, 0, 0.7)]
    first, second = estimates(records)
    assert (first.number, first.val_accuracy, first.measurements) == (0, pytest.approx(0.75), 2)
    assert (second.number, second.val_accuracy, second.measurements) == (1, 0.9, 1)


def test_copies_and_stopped_trials_are_no_measurements() -> None:
    records = [trial(0, 0, 0.8), trial(1, 0, 0.8, duplicate_of=0), trial(2, 1, 0.5, forecast=0.6)]
    (only,) = estimates(records)
    assert only.measurements == 1
    assert Noise.of(records).std is None


def test_noise_is_the_spread_inside_allocations() -> None:
    records = [trial(0, 0, 0.80), trial(1, 0, 0.82), trial(2, 1, 0.5), trial(3, 1, 0.54)]
    noise = Noise.of(records)
    assert noise.degrees_of_freedom == 2
    assert noise.variance == pytest.approx((2 * 0.01**2 + 2 * 0.02**2) / 2)


def test_the_last_tenth_and_a_few_early_trials_repeat() -> None:
    due = [place for place in range(100) if repeat_is_due(place, 100, 13, 0.1)]
    assert due == [13, 14, 15, *range(90, 100)]
    assert not any(repeat_is_due(place, 20, 13, 0.1) for place in range(18))
    assert not any(repeat_is_due(place, 100, 13, 0.0) for place in range(100))


def test_uncertain_members_near_the_accuracy_asked_for_come_first() -> None:
    records = [trial(0, 0, 0.60), trial(1, 1, 0.80), trial(2, 2, 0.81), trial(3, 3, 0.7)]

    def chosen(*running: dict[str, int]) -> int:
        member = worth_repeating(records, running, 0.805)
        assert member is not None
        return member.number

    assert chosen() == 2
    assert chosen({"a": 2}) == 1
    assert chosen({"a": 2}, {"a": 1}, {"a": 2}, {"a": 1}) == 0
    assert worth_repeating([], [], 0.8) is None
