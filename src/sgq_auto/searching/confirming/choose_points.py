"""Which points of a front are worth confirming."""

import math
from collections.abc import Sequence

from sgq_auto.searching.space.pareto_front import pareto_front, spread
from sgq_auto.searching.trials.repeated_measurements import NEAR, Estimate
from sgq_auto.settings.confirm_settings import ConfirmSettings
from sgq_auto.task import Metric


def choose_points(
    measured: Sequence[Estimate],
    full_accuracy: float,
    tolerance: float,
    settings: ConfirmSettings,
    metric: Metric = Metric.ACCURACY,
) -> list[Estimate]:
    """Points to confirm: most of the front near the tolerance, some spread over the rest of it.

    A lucky draw can end a front early, with every larger trial behind it. So a few of those, the
    best of them first, are confirmed too: one may be the smallest that holds on fresh seeds.

    Args:
        measured: Allocations that may be recommended.
        full_accuracy: Full precision's validation accuracy in the search, 0..1.
        tolerance: Allowed drop, percentage points.
        settings: How many points.
        metric: What takes the place of accuracy.
    """
    front = pareto_front(measured)
    # Full precision may have been lucky in the search; then the best trials are the near ones.
    best = front[-1].val_accuracy if front else 0.0
    lowest = metric.below(min(metric.below(full_accuracy, tolerance), best), NEAR)
    near = [p for p in front if p.val_accuracy >= lowest]
    rest = [p for p in front if p.val_accuracy < lowest]
    largest = front[-1].num_bytes if front else 0
    behind = [r for r in measured if r.num_bytes > largest and r.val_accuracy >= lowest]
    few = settings.max_points // 4
    chosen = spread(rest, few)
    chosen += spread(near, settings.max_points - len(chosen) - min(few, len(behind)))
    while len(chosen) < settings.max_points and behind:
        layer = pareto_front(behind)
        chosen += spread(layer, settings.max_points - len(chosen))
        behind = [r for r in behind if r not in layer]
    chosen += spread([p for p in rest if p not in chosen], settings.max_points - len(chosen))
    return sorted(chosen, key=lambda p: p.num_bytes)


def choose_between(
    measured: Sequence[Estimate], confirmed: Sequence[tuple[Estimate, bool]]
) -> Estimate | None:
    """A point worth confirming next: it may be smaller than the smallest that holds.

    Args:
        measured: Allocations that may be recommended.
        confirmed: Those that were tried, and whether each holds.

    Returns:
        The most accurate allocation of a middling size between the smallest confirmed one that
        holds and the largest below it that does not; ``None`` if none lies between.
    """
    upper = min((p.num_bytes for p, is_held in confirmed if is_held), default=math.inf)
    lower = max((p.num_bytes for p, _ in confirmed if p.num_bytes < upper), default=0)
    between = [p for p in measured if lower < p.num_bytes < upper]
    if lower > 0 and upper < math.inf:
        quarter = (upper / lower) ** 0.25
        middling = [p for p in between if lower * quarter <= p.num_bytes <= upper / quarter]
        between = middling or between
    return max(between, key=lambda p: (p.val_accuracy, -p.num_bytes), default=None)
