"""Ranges of affine codes: where the lowest and highest code of a scale group lie."""

from collections.abc import Callable
from enum import StrEnum

import torch
from torch import Tensor

# Shares of the full range that the error search tries, largest first.
_SHRINKS = tuple(1.0 - 0.05 * k for k in range(18))
_SAMPLE = 1 << 15


class RangeMode(StrEnum):
    """How the ranges of codes are found."""

    MINMAX = "minmax"
    LEARNED = "learned"


Ranges = tuple[Tensor, Tensor]
RangeFinder = Callable[[Tensor, Tensor], Ranges]


def minmax_range(x: Tensor, levels: Tensor) -> Ranges:  # noqa: ARG001
    """The smallest and largest value of each row (SGQuant, arXiv 2007.05100, equation 4).

    Args:
        x: ``[groups, n]`` values.
        levels: ``[groups]`` highest code of each group; unused here.

    Returns:
        Lower and upper ends, each ``[groups]``.
    """
    return x.amin(dim=1), x.amax(dim=1)


def least_error_range(x: Tensor, levels: Tensor) -> Ranges:
    """The range, among shrunken copies of the full one, whose codes have the least squared error.

    The range shrinks towards zero where it holds zero, else towards its end nearest to zero.

    Args:
        x: ``[groups, n]`` values.
        levels: ``[groups]`` highest code of each group.

    Returns:
        Lower and upper ends, each ``[groups]``.
    """
    low, high = minmax_range(x, levels)
    if bool((low == high).all()):
        return low, high
    pivot = torch.zeros_like(low).clamp(low, high)
    best = torch.full_like(low, float("inf"))
    best_low, best_high = low.clone(), high.clone()
    for shrink in _SHRINKS:
        trial_low = pivot + shrink * (low - pivot)
        trial_high = pivot + shrink * (high - pivot)
        step = step_size(trial_low, trial_high, levels).unsqueeze(1)
        codes = ((x - trial_low.unsqueeze(1)) / step).round_()
        codes = codes.clamp_(min=0).minimum(levels.unsqueeze(1))
        error = (codes.mul_(step).add_(trial_low.unsqueeze(1)) - x).square_().sum(dim=1)
        better = error < best
        best = torch.where(better, error, best)
        best_low = torch.where(better, trial_low, best_low)
        best_high = torch.where(better, trial_high, best_high)
    return best_low, best_high


def representatives(x: Tensor) -> Tensor:
    """``[n]`` values to find a range from: all of ``x``, or its ends and an even sample."""
    values = x.reshape(-1)
    if values.numel() <= _SAMPLE:
        return values
    sample = values[:: -(-values.numel() // _SAMPLE)]
    return torch.cat([torch.stack(values.aminmax()), sample])


def step_size(low: Tensor, high: Tensor, levels: Tensor) -> Tensor:
    """Distance of neighbouring codes; 1 where the range is (next to) a point, which stays exact."""
    step = (high - low) / levels
    return torch.where(step > 0, step, torch.ones_like(step))


def range_finder(mode: RangeMode) -> RangeFinder:
    """The finder of first (or only) ranges of a mode."""
    return minmax_range if mode is RangeMode.MINMAX else least_error_range
