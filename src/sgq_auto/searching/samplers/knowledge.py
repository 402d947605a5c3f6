"""What is known about allocations before any of them is trained."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sgq_auto.searching.front import Frame
from sgq_auto.searching.samplers.grid import Positions

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Facts about the allocations of one study.

    Attributes:
        sizes: Exact bytes ``[n]`` of ``[n, groups]`` ladder positions; ``None`` if unknown.
        expected_losses: What sensitivities predict for them, ``[n, losses]``; ``None`` if unknown.
        frame: The frame whose hypervolume is to grow; ``None`` takes what was seen so far.
    """

    sizes: Callable[[Positions], NDArray[np.int64]] | None = None
    expected_losses: Callable[[Positions], Floats] | None = None
    frame: Frame | None = None

    def features(self, positions: Positions) -> Floats:
        """``[n, features]`` for a surrogate: positions, log bytes and expected losses."""
        columns = [positions.astype(np.float64)]
        if self.sizes is not None:
            columns.append(np.log(self.sizes(positions))[:, None])
        if self.expected_losses is not None:
            columns.append(self.expected_losses(positions))
        return np.hstack(columns)
