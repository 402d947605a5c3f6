"""The units of numbers to predict."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class TargetUnits:
    """What turns outputs of mean 0 and spread 1 into numbers in the user's units.

    Attributes:
        mean: Of each number over the training labels.
        std: Their standard deviation.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def of(self, outputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Outputs ``[n, T]`` in the user's units."""
        scaled = outputs * np.array(self.std, np.float32) + np.array(self.mean, np.float32)
        return scaled.astype(np.float32)
