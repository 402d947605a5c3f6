"""Predictions of the forest: close to the truth, and honest about how far off they are."""

import numpy as np
from numpy.typing import NDArray

from sgq_auto.searching.samplers.surrogate import Forest

Floats = NDArray[np.float64]
NOISE = 0.03


def truth(x: Floats) -> Floats:
    """The first parameters count for more, and none beyond 3."""
    return np.minimum(x, 3) @ (0.5 ** np.arange(x.shape[1]))


def drawn(seed: int, rows: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 6, size=(rows, 8)).astype(np.float64)
    return x, truth(x) + NOISE * rng.normal(size=rows)


def test_new_measurements_scatter_as_much_as_predicted() -> None:
    scores = []
    for seed in range(5):
        forest = Forest.fit(*drawn(seed, 60), seed)
        x, y = drawn(100 + seed, 200)
        mean, std = forest.predict(x)
        scores.append((y - mean) / std)
    assert 0.6 < np.sqrt(np.mean(np.square(scores))) < 1.5


def test_more_trials_bring_predictions_closer() -> None:
    x, _ = drawn(1, 200)
    errors = [
        np.abs(Forest.fit(*drawn(0, rows), 0).predict(x)[0] - truth(x)).mean()
        for rows in (15, 60, 240)
    ]
    assert errors[0] > errors[1] > errors[2]


def test_noise_that_is_known_is_the_least_spread() -> None:
    x = np.arange(6.0)[:, None]
    forest = Forest.fit(x, np.full(6, 0.7), 0, noise=0.04)
    mean, std = forest.predict(x)
    np.testing.assert_allclose(mean, 0.7)
    np.testing.assert_allclose(std, 0.2)


def test_an_allocation_measured_often_weighs_more() -> None:
    x, y = np.zeros((2, 1)), np.array([0.0, 1.0])
    mean, _ = Forest.fit(x, y, 0, repeats=np.array([1.0, 9.0])).predict(x)
    np.testing.assert_allclose(mean, 0.9)


def test_a_single_allocation_is_enough() -> None:
    mean, std = Forest.fit(np.zeros((1, 3)), np.array([0.4]), 0).predict(np.ones((2, 3)))
    np.testing.assert_allclose(mean, 0.4)
    np.testing.assert_allclose(std, 0.0, atol=1e-9)
