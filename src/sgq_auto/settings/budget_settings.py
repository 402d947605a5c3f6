"""What a model may take and lose: constraints of a study."""

from dataclasses import dataclass

from sgq_auto.errors import InputError


@dataclass(frozen=True)
class Budget:
    """Bounds that an allocation must keep; ``None`` is no bound.

    Attributes:
        max_kib: Most KiB under the objective. Known before training.
        max_drop: Most validation accuracy lost against full precision, percentage points.
    """

    max_kib: float | None = None
    max_drop: float | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        if self.max_kib is not None and not self.max_kib > 0:
            raise InputError(f"max_kib={self.max_kib}: it must be above 0 KiB")
        if self.max_drop is not None and not self.max_drop >= 0:
            raise InputError(f"max_drop={self.max_drop}: it must be 0 or more percentage points")

    @property
    def max_bytes(self) -> float:
        """Most bytes, infinite without a bound."""
        return float("inf") if self.max_kib is None else 1024 * self.max_kib

    def violations(self, num_bytes: int, drop: float) -> dict[str, float]:
        """Each bound and by how much it is broken; 0 or less where it is kept.

        Args:
            num_bytes: Bytes under the objective.
            drop: Validation accuracy lost, percentage points.
        """
        found = {}
        if self.max_kib is not None:
            found["max_kib"] = num_bytes / 1024 - self.max_kib
        if self.max_drop is not None:
            # Differences of fractions are off in the last bits.
            found["max_drop"] = drop - self.max_drop - 1e-9
        return found

    def holds(self, num_bytes: int) -> bool:
        """Whether an allocation is small enough; known before it is trained."""
        return num_bytes <= self.max_bytes

    def keeps(self, num_bytes: int, drop: float) -> bool:
        """Whether an allocation is small enough and accurate enough.

        Args:
            num_bytes: Bytes under the objective.
            drop: Validation accuracy lost, percentage points.
        """
        return all(excess <= 0 for excess in self.violations(num_bytes, drop).values())
