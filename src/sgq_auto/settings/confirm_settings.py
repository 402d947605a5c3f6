"""How the front is confirmed."""

from dataclasses import dataclass

from sgq_auto.errors import InputError


@dataclass(frozen=True)
class ConfirmSettings:
    """How the front is measured again on unseen nodes, after the search.

    Attributes:
        seeds: Fresh seeds; each trains a full-precision model and fine-tunes every point.
        max_points: Points of the front that are confirmed first.
        refinements: More points, one after another, between the smallest that holds and the
            largest below it that does not.
    """

    seeds: int = 5
    max_points: int = 8
    refinements: int = 4

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("seeds", "max_points"):
            if getattr(self, name) < 1:
                raise InputError(f"confirm.{name}={getattr(self, name)}: it must be at least 1")
        if self.refinements < 0:
            raise InputError(f"confirm.refinements={self.refinements}: it must be 0 or more")
