"""Degree buckets: nodes whose in-degree lies between two split points."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from sgq_auto.errors import InputError
from sgq_auto.settings.bucket_settings import BucketSettings


def split_points_of(settings: BucketSettings, in_degrees: np.ndarray[Any, Any]) -> tuple[int, ...]:
    """The split points that settings choose for a graph.

    Args:
        settings: Given degrees, or quantiles.
        in_degrees: ``[N]`` in-degrees without self-loops.

    Raises:
        InputError: If the degrees or the quantiles do not increase.
    """
    if settings.quantiles is not None:
        return quantile_split_points(in_degrees, settings.quantiles)
    return check_split_points(settings.split_points)


def check_split_points(split_points: Sequence[int]) -> tuple[int, ...]:
    """Validate split points: non-negative integers that increase; none means one bucket.

    Raises:
        InputError: If they do not.
    """
    points = tuple(split_points)
    if any(not isinstance(p, int) or p < 0 for p in points) or any(
        a >= b for a, b in itertools.pairwise(points)
    ):
        raise InputError(
            f"buckets.split_points={list(points)}: split points are degrees that increase, "
            "like [4,8,16]"
        )
    return points


def quantile_split_points(
    in_degrees: np.ndarray[Any, Any], quantiles: Sequence[float]
) -> tuple[int, ...]:
    """Split points at quantiles of the in-degrees; equal ones are merged.

    Raises:
        InputError: If the quantiles do not increase inside (0, 1).
    """
    levels = tuple(float(q) for q in quantiles)
    if any(not 0 < q < 1 for q in levels) or any(a >= b for a, b in itertools.pairwise(levels)):
        raise InputError(
            f"buckets.quantiles={list(levels)}: quantiles increase inside 0 to 1, "
            "like [0.5,0.75,0.9]"
        )
    points = np.quantile(in_degrees, levels, method="lower").astype(int)
    return tuple(int(p) for p in np.unique(points))


def degree_buckets(
    in_degrees: np.ndarray[Any, Any], split_points: Sequence[int]
) -> np.ndarray[Any, Any]:
    """Bucket of each node: the number of split points below its in-degree.

    With split points 4, 8, 16 the buckets hold the degrees 0-4, 5-8, 9-16 and from 17 on.

    Args:
        in_degrees: ``[N]`` in-degrees without self-loops.
        split_points: Increasing degrees.

    Returns:
        ``int64 [N]`` in ``0 .. len(split_points)``.
    """
    return np.searchsorted(np.asarray(split_points, dtype=np.int64), in_degrees, side="left")
