"""Exact bytes of many allocations at once: what a search knows without training."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sgq_auto.packed import FootprintModel, Objective
from sgq_auto.searching.space.search_space import Positions, SearchSpace


@dataclass(frozen=True, eq=False)
class SizeTable:
    """Bytes under an objective as sums of what each group adds.

    Attributes:
        base: ``int64 [terms]`` bits of the smallest allocation.
        added: ``int64 [groups, ladder, terms]`` bits that a group at a position adds to it.
    """

    base: NDArray[np.int64]
    added: NDArray[np.int64]

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
        return cls(base, np.array(added))

    def __call__(self, positions: Positions) -> NDArray[np.int64]:
        """Bytes ``[n]`` of ladder positions ``[n, groups]``, exactly the footprint's."""
        groups = np.arange(self.added.shape[0])
        bits = self.base + self.added[groups, positions].sum(axis=1)
        num_bytes: NDArray[np.int64] = -(-bits.max(axis=1) // 8)
        return num_bytes
