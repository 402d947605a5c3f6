"""The constant tables of a model in C as they are filled: words, fp32 numbers and bytes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from sgq_auto.packed.codes.bit_packing import Array, Bytes
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.sizes.device_footprint import READ_AHEAD


class Place(IntEnum):
    """Where the codes of a matrix are. The numbers are those of ``sgq_runtime.c``."""

    TABLES = 0
    ARENA = 1
    ARENA_ONE_ROW = 2
    ARENA_OF_GRAPH = 3


@dataclass
class Tables:
    """Tables as they are filled.

    Attributes:
        words: 32-bit words.
        numbers: fp32 numbers.
        parts: The bytes, part by part, by what they are.
        constants: What ``sgq_model.h`` defines besides, by name.
        pattern_bytes: Bytes of what says where edges and stored features are.
    """

    words: list[int] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    parts: list[tuple[str, Bytes]] = field(default_factory=list)
    constants: dict[str, int] = field(default_factory=dict)
    pattern_bytes: dict[str, int] = field(default_factory=dict)
    _size: int = 0

    @property
    def bytes(self) -> Bytes:
        """All bytes, filled up to whole words, and what may be read past the last one."""
        filling = np.zeros(-self._size % 4 + READ_AHEAD, dtype=np.uint8)
        return np.concatenate([*(part for _, part in self.parts), filling])

    def add_words(self, values: Sequence[int] | Array) -> int:
        """Add words; the place of the first."""
        place = len(self.words)
        self.words += [int(value) for value in values]
        return place

    def add_numbers(self, values: Array) -> int:
        """Add fp32 numbers; the place of the first."""
        place = len(self.numbers)
        self.numbers += np.asarray(values, dtype=np.float32).ravel().tolist()
        return place

    def add_bytes(self, part: str, values: Bytes) -> int:
        """Add bytes; the place of the first."""
        place = self._size
        self.parts.append((part, values))
        self._size += values.size
        return place

    def add_matrix(
        self, width: int, ranges: Ranges, place: Place, buckets: Sequence[tuple[int, int]]
    ) -> int:
        """Add what says where the codes of a matrix are; the place of its first word.

        Args:
            width: Its columns.
            ranges: What its codes stand for.
            place: Where its codes are.
            buckets: Bits of each bucket, and its first byte; or, of a buffer for a graph that is
                given, which of the places in the arena says its first byte.
        """
        both = np.stack([ranges.step, ranges.offset], axis=1)
        listed = [number for bucket in buckets for number in bucket]
        return self.add_words([width, self.add_numbers(both), place, *listed])
