"""What is asked of a recommended artifact."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Promise:
    """What is asked of a recommended artifact.

    Attributes:
        drop: Most percentage points that it may lose.
        confidence: Probability, 0..1, with which it loses no more.
    """

    drop: float
    confidence: float

    def allows(self, drop: float) -> bool:
        """Whether a drop, percentage points, is within the allowed one."""
        # Sums of decimal fractions are off in the last bit: an exact tie is within.
        return drop <= self.drop + 1e-9
