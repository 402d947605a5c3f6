"""What a device's bounds leave of a search space."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sgq_auto.packed import FootprintModel
from sgq_auto.searching.space.search_space import Positions, SearchSpace
from sgq_auto.searching.space.size_table import Sizes, sizes_of
from sgq_auto.settings.budget_settings import Budget


class Sized(Protocol):
    """An allocation that was measured."""

    @property
    def params(self) -> dict[str, int]:
        """Ladder positions by group."""

    @property
    def num_bytes(self) -> int:
        """Bytes under the objective."""


@dataclass(frozen=True, eq=False)
class DeviceBounds:
    """Bounds of flash and RAM, and the exact bytes that they bound.

    Attributes:
        sizes: Bytes of many allocations, by the name of the bound.
        most: Most KiB, by the name of the bound.
    """

    sizes: Mapping[str, Sizes]
    most: Mapping[str, float]

    @classmethod
    def build(
        cls, footprints: FootprintModel, space: SearchSpace, budget: Budget
    ) -> "DeviceBounds | None":
        """The bounds of a budget; ``None`` where it has none of a device."""
        bounds = budget.of_device
        if not bounds:
            return None
        sizes = {name: sizes_of(footprints, space, figure) for name, (figure, _) in bounds.items()}
        return cls(sizes, {name: most for name, (_, most) in bounds.items()})

    def __call__(self, positions: Positions) -> NDArray[np.bool_]:
        """Whether each of ``[n, groups]`` ladder positions is within all bounds ``[n]``."""
        within = np.ones(len(positions), dtype=bool)
        for excess in self.excesses(positions).values():
            within &= excess <= 0
        return within

    def excesses(self, positions: Positions) -> dict[str, NDArray[np.float64]]:
        """KiB ``[n]`` by which each bound is broken, by its name; 0 or less where it is kept."""
        return {
            name: sizes(positions) / 1024 - self.most[name] for name, sizes in self.sizes.items()
        }
