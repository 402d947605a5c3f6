"""What sizes depend on of the weights of a graph's edges."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EdgeWeightSpec:
    """Weights of a graph's edges.

    Attributes:
        symmetric: Whether both directions of every edge have the same weight, so that an artifact
            holds one triangle.
        stored: How many edges an artifact holds weights of, for each bucket of their target.
        columns: Numbers that each edge has: 1 for a weight, more for features.
    """

    symmetric: bool
    stored: tuple[int, ...]
    columns: int = 1
