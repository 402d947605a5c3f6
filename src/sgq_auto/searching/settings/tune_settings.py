"""Whether and how long full precision is tuned before its bits are searched."""

from dataclasses import dataclass
from enum import StrEnum

from sgq_auto.errors import InputError


class TuneMode(StrEnum):
    """What is tuned before bits are searched."""

    OFF = "off"
    AUTO = "auto"
    WIDE = "wide"


@dataclass(frozen=True)
class TuneSettings:
    """How full precision is tuned.

    Attributes:
        mode: Nothing; how the model is trained; or its hidden width and depth as well, where its
            class has arguments for them.
        share: Most of a search's training that tuning may be, 0..1, counted in epochs.
    """

    mode: TuneMode = TuneMode.OFF
    share: float = 0.25

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 < self.share <= 0.9:
            raise InputError(f"pretrain.tune_share={self.share}: it must lie above 0, to 0.9")

    def epochs(self, search_epochs: int) -> int:
        """Epochs that tuning may take before a search that takes ``search_epochs``."""
        return int(search_epochs * self.share / (1 - self.share))
