"""Expected hypervolume gain against Monte Carlo and against the area itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sgq_auto.searching.samplers.hypervolume_gain import expected_gain

UNIT = st.floats(0.01, 0.99)
FRONTS = st.lists(st.tuples(UNIT, UNIT), max_size=6)


def area(points: list[tuple[float, float]]) -> float:
    """Area that (accuracy, size) points dominate in the unit square."""
    total, reached = 0.0, 0.0
    for size, accuracy in sorted((min(1.0, s), min(1.0, max(0.0, a))) for a, s in points):
        total += (1 - size) * max(0.0, accuracy - reached)
        reached = max(reached, accuracy)
    return total


def split(front: list[tuple[float, float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    array = np.array(front, dtype=np.float64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


@given(FRONTS, UNIT, UNIT)
def test_a_certain_point_gains_the_area_it_adds(
    front: list[tuple[float, float]], accuracy: float, size: float
) -> None:
    gain = expected_gain(np.array([accuracy]), np.zeros(1), np.array([size]), *split(front))
    assert gain[0] == pytest.approx(area([*front, (accuracy, size)]) - area(front), abs=1e-9)


@pytest.mark.parametrize("front", [[], [(0.5, 0.5)], [(0.3, 0.2), (0.6, 0.4), (0.9, 0.8)]])
def test_an_uncertain_point_gains_the_mean_over_its_draws(front: list[tuple[float, float]]) -> None:
    mean, std, size = 0.55, 0.2, 0.35
    draws = np.random.default_rng(0).normal(mean, std, 20_000)
    expected = np.mean([area([*front, (a, size)]) - area(front) for a in draws])
    gain = expected_gain(np.array([mean]), np.array([std]), np.array([size]), *split(front))
    assert gain[0] == pytest.approx(expected, rel=0.02)


def test_a_point_beyond_the_frame_gains_nothing() -> None:
    gain = expected_gain(np.array([0.9]), np.array([0.1]), np.array([1.2]), *split([]))
    assert gain[0] == 0
