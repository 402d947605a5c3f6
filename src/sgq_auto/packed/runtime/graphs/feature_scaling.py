"""The scaling of feature columns: measurements of any units become mean 0 and deviation 1."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class FeatureScaling:
    """What every column of features is scaled by before it is quantized: ``(x - mean) * factor``.

    A model has it where columns of its graph have different units, so that new nodes and graphs
    are given in these units. Numbers are fp32, on every runtime alike.

    Attributes:
        mean: What is taken from each column; 0 for one that stays as it is.
        factor: What it is multiplied with then, above 0: 1 over the standard deviation.
    """

    mean: tuple[float, ...]
    factor: tuple[float, ...]

    @classmethod
    def of_arrays(cls, mean: npt.NDArray[Any], factor: npt.NDArray[Any]) -> Self:
        """From ``[F]`` numbers, which are rounded to fp32."""
        return cls(*(tuple(each.astype(np.float32).tolist()) for each in (mean, factor)))

    def of(self, x: npt.NDArray[Any]) -> Float32:
        """Features ``[n, F]`` in the user's units, scaled."""
        scaled = x.astype(np.float32)
        scaled -= np.array(self.mean, np.float32)
        scaled *= np.array(self.factor, np.float32)
        return scaled
