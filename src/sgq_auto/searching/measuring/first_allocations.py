"""Promising allocations before the first trial: losses that add up, bytes that are exact."""

import numpy as np
from numpy.typing import NDArray

from sgq_auto.searching.measuring.sensitivity import Sensitivities
from sgq_auto.searching.space.device_bounds import DeviceBounds
from sgq_auto.searching.space.pareto_front import non_dominated
from sgq_auto.searching.space.search_space import Positions
from sgq_auto.searching.space.size_table import Sizes

# An increase of the cross-entropy that is next to nothing: correct classes lose 1 % of their
# probability. Beyond the allocation that reaches it bits buy nothing.
_NEGLIGIBLE_LOSS = 0.01
# States that dynamic programming keeps after each group, spread evenly over their bits.
_STATES = 2048


def additive_front(sensitivities: Sensitivities, sizes: Sizes) -> Positions:
    """Allocations of least expected loss at their size, by dynamic programming over the groups.

    After each group the Pareto-optimal partial allocations stay, thinned to one of the least
    loss in each of 2048 equal steps of size.

    Returns:
        ``[n, groups]`` positions, smallest first.
    """
    cost, loss = sizes.cost, sensitivities.monotone
    chosen = np.zeros((1, 0), dtype=np.int64)
    total_cost, total_loss = np.zeros(1), np.zeros(1)
    for group_cost, group_loss in zip(cost, loss, strict=True):
        ladder = group_cost.size
        total_cost = np.add.outer(total_cost, group_cost).ravel()
        total_loss = np.add.outer(total_loss, group_loss).ravel()
        positions = np.tile(np.arange(ladder), len(chosen))
        chosen = np.column_stack([np.repeat(chosen, ladder, axis=0), positions])
        kept = _thinned_front(total_cost, total_loss)
        chosen, total_cost, total_loss = chosen[kept], total_cost[kept], total_loss[kept]
    return chosen


def seeds(
    sensitivities: Sensitivities,
    sizes: Sizes,
    count: int,
    max_bytes: float = np.inf,
    bounds: DeviceBounds | None = None,
) -> Positions:
    """``count`` allocations of the additive front, evenly spread over the logarithm of bytes.

    They end with the first whose expected loss is next to nothing, or at ``max_bytes``. All are
    within ``bounds``.
    """
    front = additive_front(sensitivities, sizes)
    if bounds is not None:
        front = _within(bounds, front, sensitivities, sizes)
    front = front[sizes(front) <= max_bytes]
    if not (count and len(front)):
        return front[:0]
    losing = sensitivities.expected_loss(front) > _NEGLIGIBLE_LOSS
    front = front[: int(losing.sum()) + 1]
    log_bytes = np.log(sizes(front))
    targets = np.linspace(log_bytes[0], log_bytes[-1], count)
    nearest = np.abs(log_bytes - targets[:, None]).argmin(axis=1)
    spread: Positions = front[np.unique(nearest)]
    return spread


def _within(
    bounds: DeviceBounds, front: Positions, sensitivities: Sensitivities, sizes: Sizes
) -> Positions:
    """The best allocations within the bounds of a device, smallest first.

    Those of least loss at their flash or RAM are among them: where one of these is scarce, few of
    the front are within its bound.
    """
    fronts = [front, *(additive_front(sensitivities, own) for own in bounds.sizes.values())]
    found = np.concatenate(fronts)
    found = found[bounds(found)]
    loss = sensitivities.expected_loss(found)
    best: Positions = found[non_dominated(-loss, sizes(found).astype(np.float64))]
    return best


def _thinned_front(cost: NDArray[np.float64], loss: NDArray[np.float64]) -> NDArray[np.int64]:
    front = non_dominated(-loss, cost)
    step = np.ptp(cost[front]) / _STATES
    if front.size <= _STATES or step == 0:
        return front
    bins = (cost[front] - cost[front[0]]) // step
    # On a front the last of a step has its least loss.
    last = np.append(np.diff(bins) > 0, True)
    last[0] = True
    thinned: NDArray[np.int64] = front[last]
    return thinned
