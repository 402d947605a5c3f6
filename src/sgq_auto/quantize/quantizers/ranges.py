"""Ranges of affine codes: where the lowest and highest code of a scale group lie."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sgq_auto.compute import engine_for
from sgq_auto.settings.root_settings import RangeMode

# Shares of the full range that the error search tries, largest first.
_SHRINKS = tuple(1.0 - 0.05 * k for k in range(18))
_SAMPLE = 1 << 15
_TRIED_AT_ONCE = 1 << 18


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
    chunk = max(1, _TRIED_AT_ONCE // max(x.size(1), 1))
    parts = zip(x.split(chunk), levels.split(chunk), strict=True)
    low, high = zip(*(_least_error(part, top) for part, top in parts), strict=True)
    return torch.cat(low), torch.cat(high)


def _least_error(x: Tensor, levels: Tensor) -> Ranges:
    """All shrunken ranges of all groups at once: each pair of them is a scale group of its own."""
    low, high = minmax_range(x, levels)
    pivot = torch.zeros_like(low).clamp(low, high)
    shrinks = torch.tensor(_SHRINKS, device=x.device).unsqueeze(1)
    lows, highs = pivot + shrinks * (low - pivot), pivot + shrinks * (high - pivot)
    tops = levels.expand_as(lows)
    copies = x.expand(len(_SHRINKS), *x.shape).flatten(0, 1).contiguous()
    rounded = engine_for(x.device.type).round_to_codes(
        copies,
        torch.arange(1, copies.size(0) + 1, device=x.device),
        step_size(lows, highs, tops).flatten(),
        lows.flatten(),
        tops.flatten(),
    )
    errors = rounded.sub_(copies).square_().sum(dim=1).view_as(lows)
    best = errors.argmin(dim=0, keepdim=True)
    return lows.gather(0, best).squeeze(0), highs.gather(0, best).squeeze(0)


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


def from_nearest(found: Sequence[Ranges | None]) -> list[Ranges | None]:
    """Ranges of every group: a group without one has that of the nearest, the lower one of two."""
    seen = [group for group, ranges in enumerate(found) if ranges is not None]
    return [
        found[min(seen, key=lambda other: abs(other - group))] if seen else None
        for group in range(len(found))
    ]


def range_finder(mode: RangeMode) -> RangeFinder:
    """The finder of first (or only) ranges of a mode."""
    return minmax_range if mode is RangeMode.MINMAX else least_error_range
