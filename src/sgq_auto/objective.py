"""What a search minimises. Standard library only: settings and the packed runtime share it."""

from enum import StrEnum


class Objective(StrEnum):
    """The figure that a search minimises."""

    RESIDENT_BYTES = "resident_bytes"
    STORED_BYTES = "stored_bytes"
    PEAK_BYTES = "peak_bytes"
    SGQUANT_BYTES = "sgquant_bytes"
    FLASH_BYTES = "flash_bytes"
    RAM_BYTES = "ram_bytes"

    @property
    def of_device(self) -> bool:
        """Whether it is of the model in C, so that not every model has it."""
        return self in (Objective.FLASH_BYTES, Objective.RAM_BYTES)
