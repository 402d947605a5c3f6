"""Exact bytes of many allocations at once: what a search knows without training."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sgq_auto.packed import FootprintModel, Objective
from sgq_auto.searching.space.ram_table import RamTable
from sgq_auto.searching.space.search_space import Positions, SearchSpace

# Flash is in words, whose last one is filled; other figures are in bytes.
_WORD_BITS, _BYTE_BITS = 32, 8


class Sizes(Protocol):
    """Exact bytes of many allocations under a figure."""

    @property
    def cost(self) -> NDArray[np.float64]:
        """``[groups, ladder]`` bits that a group at a position adds, as far as that is a sum."""

    def __call__(self, positions: Positions) -> NDArray[np.int64]:
        """Bytes ``[n]`` of ladder positions ``[n, groups]``, exactly the footprint's."""


def sizes_of(footprints: FootprintModel, space: SearchSpace, figure: Objective) -> Sizes:
    """Exact bytes of a space under a figure; of the model in C, ``footprints`` must know it."""
    if figure is Objective.RAM_BYTES:
        assert footprints.device is not None, "no model in C"
        return RamTable.build(footprints.device, space)
    return SizeTable.build(footprints, space, figure)


@dataclass(frozen=True, eq=False)
class SizeTable:
    """Bytes under an objective as sums of what each group adds.

    Attributes:
        base: ``int64 [terms]`` bits of the smallest allocation.
        added: ``int64 [groups, ladder, terms]`` bits that a group at a position adds to it.
        unit: Bits of what sizes are counted in: bytes, or words.
    """

    base: NDArray[np.int64]
    added: NDArray[np.int64]
    unit: int = _BYTE_BITS

    @classmethod
    def build(
        cls, footprints: FootprintModel, space: SearchSpace, objective: Objective
    ) -> "SizeTable":
        """Measure what each group adds at each position, one footprint a pair.

        Sizes are sums, so that the table then gives those of a whole space without a footprint.
        """
        smallest = dict.fromkeys(space.searched, 0)

        def terms(changed: dict[str, int]) -> NDArray[np.int64]:
            allocation = space.allocation(smallest | changed)
            return np.array(footprints.additive_bits(allocation, objective), dtype=np.int64)

        base = terms({})
        added = [
            [terms({name: position}) - base for position in range(len(space.ladder))]
            for name in space.searched
        ]
        unit = _WORD_BITS if objective is Objective.FLASH_BYTES else _BYTE_BITS
        return cls(base, np.array(added), unit)

    @property
    def cost(self) -> NDArray[np.float64]:
        """``[groups, ladder]`` bits that a group at a position adds.

        A figure with several terms is the largest of them; their sum stands for it here.
        """
        bits: NDArray[np.float64] = self.added.sum(axis=2).astype(np.float64)
        return bits

    def __call__(self, positions: Positions) -> NDArray[np.int64]:
        """Bytes ``[n]`` of ladder positions ``[n, groups]``, exactly the footprint's."""
        groups = np.arange(self.added.shape[0])
        bits = self.base + self.added[groups, positions].sum(axis=1)
        units = -(-bits.max(axis=1) // self.unit)
        num_bytes: NDArray[np.int64] = units * (self.unit // 8)
        return num_bytes
