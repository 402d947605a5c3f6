"""What a model may take and lose: constraints of a study."""

from dataclasses import asdict, dataclass
from typing import Any

from sgq_auto.errors import InputError
from sgq_auto.objective import Objective

# The settings that bound what the model in C takes, and the figures that they bound.
_OF_DEVICE = {
    "max_flash_kib": Objective.FLASH_BYTES,
    "max_ram_kib": Objective.RAM_BYTES,
}


@dataclass(frozen=True)
class Budget:
    """Bounds that an allocation must keep; ``None`` is no bound.

    Attributes:
        max_kib: Most KiB under the objective. Known before training.
        max_drop: Most validation accuracy lost against full precision, percentage points.
        max_flash_kib: Most KiB of constant tables of the model in C. Known before training.
        max_ram_kib: Most KiB of its arena. Known before training.
    """

    max_kib: float | None = None
    max_drop: float | None = None
    max_flash_kib: float | None = None
    max_ram_kib: float | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("max_kib", *_OF_DEVICE):
            bound = getattr(self, name)
            if bound is not None and not bound > 0:
                raise InputError(f"{name}={bound}: it must be above 0 KiB")
        if self.max_drop is not None and not self.max_drop >= 0:
            raise InputError(f"max_drop={self.max_drop}: it must be 0 or more percentage points")

    @property
    def key(self) -> dict[str, Any]:
        """What of it defines a study; bounds that came with later versions only where given."""
        given = {k: v for k, v in asdict(self).items() if k in _OF_DEVICE and v is not None}
        return {"max_kib": self.max_kib, "max_drop": self.max_drop, **given}

    @property
    def max_bytes(self) -> float:
        """Most bytes, infinite without a bound."""
        return float("inf") if self.max_kib is None else 1024 * self.max_kib

    @property
    def of_device(self) -> dict[str, tuple[Objective, float]]:
        """By their names, the bounds of the model in C: the figure, and its most KiB."""
        bounds = {name: (figure, getattr(self, name)) for name, figure in _OF_DEVICE.items()}
        return {name: bound for name, bound in bounds.items() if bound[1] is not None}

    @property
    def limits_size(self) -> bool:
        """Whether it has a bound that is known before training."""
        return self.max_kib is not None or bool(self.of_device)

    @property
    def is_given(self) -> bool:
        """Whether it has any bound."""
        return self.limits_size or self.max_drop is not None

    def violations(self, num_bytes: int, drop: float) -> dict[str, float]:
        """Each bound but those of the device, and by how much it is broken; 0 or less if kept.

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
        """Whether an allocation is small enough under the objective, and accurate enough.

        Args:
            num_bytes: Bytes under the objective.
            drop: Validation accuracy lost, percentage points.
        """
        return all(excess <= 0 for excess in self.violations(num_bytes, drop).values())
