"""Whether and how long full precision is tuned before its bits are searched."""

from dataclasses import dataclass, field
from enum import StrEnum

from sgq_auto.errors import InputError
from sgq_auto.settings.setting_fields import NAME


class TuneMode(StrEnum):
    """What is tuned before bits are searched."""

    OFF = "off"
    AUTO = "auto"
    WIDE = "wide"

    @classmethod
    def _missing_(cls, value: object) -> "TuneMode | None":
        # YAML reads a plain off as false.
        return cls.OFF if value in ("False", "none") else None


@dataclass(frozen=True)
class TuneSettings:
    """How full precision is tuned.

    Attributes:
        mode: Nothing; how the model is trained; or its hidden width and depth as well, where its
            class has arguments for them.
        share: Most of a search's training that tuning may be, 0..1, counted in epochs.
    """

    mode: TuneMode = field(default=TuneMode.OFF, metadata={NAME: "tune"})
    share: float = field(default=0.25, metadata={NAME: "tune_share"})

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 < self.share <= 0.9:
            raise InputError(f"pretrain.tune_share={self.share}: it must lie above 0, to 0.9")

    def epochs(self, search_epochs: int) -> int:
        """Epochs that tuning may take before a search that takes ``search_epochs``."""
        return int(search_epochs * self.share / (1 - self.share))
