"""What sizes depend on of the weights of a graph's edges."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EdgeWeightSpec:
    """Weights of a graph's edges.

    Attributes:
        symmetric: Whether both directions of every edge have the same weight, so that an artifact
            holds one triangle.
        stored: How many an artifact holds of each bucket of their target.
    """

    symmetric: bool
    stored: tuple[int, ...]
