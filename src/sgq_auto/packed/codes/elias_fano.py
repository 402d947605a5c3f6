"""Elias-Fano coding of increasing integers: the positions of a sparse matrix's entries.

``n`` integers below ``u`` take about ``2 + log2(u / n)`` bits each, half a bit above what any code
of a random pattern needs, and any part can be decoded on its own. The lowest bits of each integer
are packed as they are; the high part ``h`` of integer ``k`` sets bit ``h + k`` of a bitmap, whose
set bits are thus in the order of the integers (Elias 1974, Fano 1971).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from sgq_auto.packed.codes.bit_packing import (
    MAX_PACKED_BITS,
    Array,
    Bytes,
    code_type,
    pack_codes,
    packed_bytes,
    unpack_codes,
)

_CHUNK = 1 << 16


@dataclass(frozen=True)
class EliasFano:
    """The layout for ``count`` strictly increasing integers in ``0 .. universe - 1``.

    Attributes:
        count: How many integers.
        universe: What they lie below.
    """

    count: int
    universe: int

    @property
    def low_bits(self) -> int:
        """Bits of each integer that are packed as they are: those that make the whole smallest."""
        if self.count == 0:
            return 0
        guess = (self.universe // self.count).bit_length()
        candidates = range(max(0, guess - 2), min(MAX_PACKED_BITS, guess + 1) + 1)
        return min(candidates, key=lambda low: self.count * low + (self.universe - 1 >> low))

    @property
    def bitmap_bits(self) -> int:
        """Length of the bitmap of high parts."""
        return self.count + (self.universe - 1 >> self.low_bits) if self.count else 0

    @property
    def high_bytes(self) -> int:
        """Bytes of the bitmap of high parts, filled up to whole bytes."""
        return packed_bytes(self.bitmap_bits, 1)

    @property
    def low_bytes(self) -> int:
        """Bytes of the packed low parts, filled up to whole bytes."""
        return packed_bytes(self.count, self.low_bits)

    @property
    def num_bytes(self) -> int:
        """Bytes of both parts: what the code takes on disk and in memory."""
        return self.high_bytes + self.low_bytes

    def encode_parts(self, parts: Iterable[Array]) -> tuple[Bytes, Bytes]:
        """The bitmap and the packed low parts of integers that come in parts, increasing.

        Raises:
            ValueError: If there are not ``count`` of them.
        """
        high = np.zeros(self.high_bytes, dtype=np.uint8)
        lows = np.empty(self.count if self.low_bits else 0, dtype=code_type(self.low_bits))
        done = 0
        for part in parts:
            for start in range(0, part.size, _CHUNK):
                positions = part[start : start + _CHUNK]
                if done + positions.size > self.count:
                    raise ValueError(f"more than {self.count} integers")
                self._set(high, positions, done)
                if self.low_bits:
                    mask = (1 << self.low_bits) - 1
                    lows[done : done + positions.size] = positions & mask
                done += positions.size
        if done < self.count:
            raise ValueError(f"{done} integers, not {self.count}")
        low = pack_codes(lows, self.low_bits) if self.low_bits else np.empty(0, dtype=np.uint8)
        return high, low

    def _set(self, high: Bytes, positions: Array, done: int) -> None:
        bits = (positions >> self.low_bits) + np.arange(done, done + positions.size)
        first = int(bits[0]) // 8
        digits = np.zeros(8 * (int(bits[-1]) // 8 + 1 - first), dtype=np.uint8)
        digits[bits - 8 * first] = 1
        octets = np.packbits(digits, bitorder="little")
        high[first : first + octets.size] |= octets

    def decode(self, high: Bytes, low: Bytes, start: int, stop: int, first_bit: int) -> Array:
        """Integers ``start .. stop - 1`` as ``int64``.

        Args:
            high: The bitmap.
            low: The packed low parts.
            start: First integer.
            stop: One past the last.
            first_bit: A bit of the bitmap at or before that of integer ``start`` and after that of
                the one before it.
        """
        if stop <= start:
            return np.empty(0, dtype=np.int64)
        bits = _set_bits(high, first_bit, stop - start)
        positions = (bits - np.arange(start, stop)) << self.low_bits
        if self.low_bits:
            positions |= unpack_codes(low, self.low_bits, stop - start, start).astype(np.int64)
        return positions

    def decode_all(self, high: Bytes, low: Bytes) -> Iterator[Array]:
        """All integers, in parts of bounded size."""
        bit = 0
        for start in range(0, self.count, _CHUNK):
            stop = min(start + _CHUNK, self.count)
            part = self.decode(high, low, start, stop, bit)
            bit = int(part[-1] >> self.low_bits) + stop
            yield part


def _set_bits(bitmap: Bytes, first_bit: int, count: int) -> Array:
    """Positions of the first ``count`` set bits from ``first_bit`` on."""
    found, got, byte = [], 0, first_bit // 8
    skip, size = first_bit % 8, max(64, count // 2)
    while got < count:
        part = bitmap[byte : byte + size]
        if part.size == 0:
            raise ValueError("the bitmap has fewer set bits than there are integers")
        digits = np.unpackbits(part, bitorder="little")
        digits[:skip] = 0
        bits = np.flatnonzero(digits)[: count - got] + 8 * byte
        found.append(bits)
        got, byte, skip = got + bits.size, byte + part.size, 0
        # Where set bits are few, longer parts: a long run of zeros takes few turns.
        size = min(2 * size, _CHUNK)
    return np.concatenate(found)
