"""How degree buckets are cut."""

from dataclasses import dataclass

DEFAULT_SPLIT_POINTS = (4, 8, 16)


@dataclass(frozen=True)
class BucketSettings:
    """How degree buckets are cut: at given degrees, or at quantiles of the degrees.

    Attributes:
        split_points: The largest in-degree of every bucket but the last.
        quantiles: Quantiles of the in-degrees to cut at instead, each inside 0..1.
    """

    split_points: tuple[int, ...] = DEFAULT_SPLIT_POINTS
    quantiles: tuple[float, ...] | None = None
