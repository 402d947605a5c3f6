"""Expected hypervolume gain where one objective is uncertain and the other is known."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]


def expected_gain(
    mean: Floats, std: Floats, size: Floats, front_accuracy: Floats, front_size: Floats
) -> Floats:
    """Expected growth of the area that a front dominates in the unit square.

    Accuracies are normally distributed and worth nothing below 0 or beyond 1; sizes are exact,
    0 the smallest, 1 the largest that counts.

    Args:
        mean: ``[n]`` predicted accuracies.
        std: ``[n]`` their standard deviations.
        size: ``[n]`` sizes.
        front_accuracy: ``[m]`` accuracies that are reached already, in any order.
        front_size: ``[m]`` their sizes.

    Returns:
        ``[n]`` gains, each at least 0.
    """
    edges, reached = _staircase(front_accuracy, front_size)
    widths = np.clip(edges[1:] - np.maximum(edges[:-1], size[:, None]), 0.0, None)
    heights = _expected_excess(mean, std, reached) - _expected_excess(mean, std, np.ones(1))
    gain: Floats = (widths * np.maximum(heights, 0.0)).sum(axis=1)
    return gain


def _staircase(accuracy: Floats, size: Floats) -> tuple[Floats, Floats]:
    """Sizes ``[k + 1]`` where the best accuracy so far changes, and that accuracy ``[k]``."""
    order = np.argsort(size, kind="stable")
    best = np.concatenate([[0.0], np.maximum.accumulate(np.clip(accuracy[order], 0.0, 1.0))])
    rises = np.flatnonzero(np.diff(best) > 0)
    edges = np.concatenate([[0.0], np.clip(size[order][rises], 0.0, 1.0), [1.0]])
    return edges, np.concatenate([[0.0], best[rises + 1]])


def _expected_excess(mean: Floats, std: Floats, level: Floats) -> Floats:
    """``E[max(A - level, 0)]`` for ``A`` normal, ``[n, levels]``."""
    distance = mean[:, None] - level
    std = np.maximum(std, 1e-12)[:, None]
    scaled = distance / std
    density = np.exp(-0.5 * scaled**2) / np.sqrt(2 * np.pi)
    excess: Floats = std * density + distance * ndtr(scaled)
    return excess
