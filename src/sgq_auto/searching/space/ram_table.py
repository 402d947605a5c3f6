"""Exact RAM of many allocations at once: the arena of the model in C."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sgq_auto.packed.allocation import FULL_PRECISION, Component
from sgq_auto.packed.sizes.device_footprint import DeviceShape, bytes_of_sums, places_of
from sgq_auto.packed.sizes.device_sizes import DeviceSizes
from sgq_auto.searching.space.search_space import Positions, SearchSpace

Integers = NDArray[np.int64]
# A layer and a component: the bits of their sites tell how large a code may be.
_Coded = tuple[str, Component]


@dataclass(frozen=True, eq=False)
class RamTable:
    """Bytes of the arena, from what each group adds to each buffer and to each sum of codes.

    Attributes:
        shape: What the bytes depend on besides.
        fixed: Bytes of what is there under every allocation.
        base: ``int64 [buffers]`` bytes of each buffer under the smallest allocation.
        added: ``int64 [groups, ladder, buffers]`` bytes that a group at a position adds to it.
        codes: By layer and component, ``int64 [groups, ladder]`` the largest code of a group at a
            position, 0 where it has none; and the largest of the groups that are not searched.
    """

    shape: DeviceShape
    fixed: int
    base: Integers
    added: Integers
    codes: dict[_Coded, tuple[Integers, int]]

    @classmethod
    def build(cls, device: DeviceSizes, space: SearchSpace) -> "RamTable":
        """Measure what each group adds at each position, one allocation a pair."""
        smallest = dict.fromkeys(space.searched, 0)

        def buffers(changed: dict[str, int]) -> Integers:
            allocation = space.allocation(smallest | changed)
            return np.array(device.buffer_bytes(allocation), dtype=np.int64)

        base = buffers({})
        added = [
            [buffers({name: position}) - base for position in range(len(space.ladder))]
            for name in space.searched
        ]
        sides = {side for each in device.shape.code_sums for side in (each.left, each.right)}
        codes = {side: _largest_codes(side, space) for side in sides if side is not None}
        shape, graph, fewest = device.shape, device.graph, space.smallest()
        changing = shape.sums * shape.sum_bytes(graph, fewest)
        changing += shape.buffer_places(graph, fewest)[1]
        fixed = device.footprint(fewest).ram_bytes - changing
        counts = len(space.searched), len(space.ladder), len(base)
        return cls(shape, fixed, base, np.array(added, dtype=np.int64).reshape(counts), codes)

    @property
    def cost(self) -> NDArray[np.float64]:
        """``[groups, ladder]`` bits that a group adds to all buffers: what stands for RAM in a sum.

        Buffers may share a place, so that RAM itself is no sum.
        """
        bits: NDArray[np.float64] = 8.0 * self.added.sum(axis=2)
        return bits

    def __call__(self, positions: Positions) -> Integers:
        """Bytes ``[n]`` of ladder positions ``[n, groups]``, exactly the footprint's."""
        sums = self.shape.sums * bytes_of_sums(self._largest_sums(positions))
        num_bytes: Integers = self.fixed + sums + self._ends(self._buffers(positions))
        return num_bytes

    def _buffers(self, positions: Positions) -> Integers:
        """Bytes ``[n, buffers]`` of each buffer."""
        added = self.added[np.arange(len(self.added)), positions]
        # A buffer of one row is as large as the widest row of any group.
        one_row = np.array([buffer.one_row for buffer in self.shape.buffers], dtype=bool)
        grown = np.where(one_row, added.max(axis=1, initial=0), added.sum(axis=1))
        sizes: Integers = self.base + grown
        return sizes

    def _ends(self, sizes: Integers) -> Integers:
        """Where the last buffer ends ``[n]``, with each in its place."""
        spans = [(buffer.first, buffer.last) for buffer in self.shape.buffers]
        if not spans:
            return np.zeros(len(sizes), dtype=np.int64)
        different, which = np.unique(sizes, axis=0, return_inverse=True)
        ends = np.array([places_of(row, spans)[1] for row in different.tolist()], dtype=np.int64)
        found: Integers = ends[which.ravel()]
        return found

    def _largest_sums(self, positions: Positions) -> Integers:
        """The largest that a sum of codes may be ``[n]``."""
        groups = np.arange(positions.shape[1])
        codes = {
            side: np.maximum(table[groups, positions].max(axis=1, initial=0), fixed)
            for side, (table, fixed) in self.codes.items()
        }
        largest = np.zeros(len(positions), dtype=np.int64)
        for each in self.shape.code_sums:
            left = 1 if each.left is None else codes[each.left]
            largest = np.maximum(largest, each.terms * left * codes[each.right])
        return largest


def _largest_codes(side: _Coded, space: SearchSpace) -> tuple[Integers, int]:
    """The largest code of each searched group at each position, and of all others."""
    ladder = np.array([_code(bits) for bits in space.ladder], dtype=np.int64)
    smallest = space.smallest()
    has = {
        name: [site for site in sites if (site.layer, site.component) == side]
        for name, sites in space.groups.items()
    }
    table = [ladder if has[name] else np.zeros_like(ladder) for name in space.searched]
    others = [site for name, sites in has.items() if name not in space.searched for site in sites]
    fixed = max((_code(smallest[site]) for site in others), default=0)
    return np.array(table).reshape(-1, len(ladder)), fixed


def _code(bits: int) -> int:
    """The largest code of so many bits; fp32 values have none."""
    return 0 if bits == FULL_PRECISION else (1 << bits) - 1
