"""Confidence intervals of means over few seeds."""

import math

from scipy.stats import t as student_t


def half_width_95(std: float, seeds: int) -> float | None:
    """Half the width of a mean's 95 % confidence interval (Student's t).

    Args:
        std: Standard deviation over the seeds.
        seeds: How many they are.

    Returns:
        In the unit of ``std``; ``None`` where a single seed tells no spread.
    """
    if seeds < 2:
        return None
    return float(student_t.ppf(0.975, seeds - 1)) * std / math.sqrt(seeds)
