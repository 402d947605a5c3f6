"""Packing of unsigned integers at 1 to 32 bits into bytes, and back.

The layout is one little-endian bit stream a slice: code ``k`` of ``b`` bits occupies the bits
``k * b`` to ``k * b + b - 1``, the lowest bit first; the last byte is padded with zeros. Both
directions work on chunks, so that a large tensor never has a second unpacked copy.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Bytes = npt.NDArray[np.uint8]

MAX_PACKED_BITS = 32
# A multiple of 8 codes ends on a byte boundary at every width.
_CHUNK = 1 << 16


def packed_bytes(count: int, bits: int) -> int:
    """Bytes that :func:`pack_codes` writes for ``count`` codes of ``bits`` bits, padding included.

    ``bits`` may be 0: codes that can only be zero take no room.
    """
    return (count * bits + 7) // 8


def index_bits(largest: int) -> int:
    """Bits that hold every integer from 0 to ``largest``: ``ceil(log2(largest + 1))``."""
    return max(0, largest).bit_length()


def code_type(bits: int) -> type[np.unsignedinteger[Any]]:
    """The smallest unsigned integer type that holds codes of ``bits`` bits."""
    return np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32


def pack_codes(codes: npt.NDArray[np.integer], bits: int) -> Bytes:
    """Pack unsigned integer codes into a bit stream.

    Args:
        codes: Codes of any shape, read in C order, each in ``0 .. 2**bits - 1``.
        bits: Bits per code, 1 to 32.

    Returns:
        ``uint8`` array of :func:`packed_bytes` bytes.

    Raises:
        ValueError: If ``bits`` is out of range or a code does not fit.
    """
    _check_bits(bits)
    flat = np.ravel(codes)
    if flat.size and (int(flat.min()) < 0 or int(flat.max()) >= 1 << bits):
        raise ValueError(f"codes must lie in 0 .. {(1 << bits) - 1} for {bits} bits")
    stream = np.empty(packed_bytes(flat.size, bits), dtype=np.uint8)
    for start in range(0, flat.size, _CHUNK):
        packed = _pack_chunk(flat[start : start + _CHUNK], bits)
        first = packed_bytes(start, bits)
        stream[first : first + packed.size] = packed
    return stream


def unpack_codes(stream: Bytes, bits: int, count: int, start: int = 0) -> Array:
    """Read ``count`` codes back from a stream of :func:`pack_codes`, from code ``start`` on.

    Args:
        stream: ``uint8`` bit stream.
        bits: Bits per code, 1 to 32.
        count: How many codes to read.
        start: Index of the first code to read.

    Returns:
        Array ``[count]`` of :func:`code_type`.

    Raises:
        ValueError: If ``bits`` is out of range or the stream is too short.
    """
    _check_bits(bits)
    if count < 0 or start < 0 or packed_bytes(start + count, bits) > stream.size:
        raise ValueError(
            f"{start + count} codes of {bits} bits need {packed_bytes(start + count, bits)} "
            f"bytes, the stream has {stream.size}"
        )
    codes = np.empty(count, dtype=code_type(bits))
    for done in range(0, count, _CHUNK):
        size = min(_CHUNK, count - done)
        codes[done : done + size] = _unpack_chunk(stream, bits, start + done, size)
    return codes


@dataclass(frozen=True, eq=False)
class PackedIntegers:
    """Unsigned integers in a stream of :func:`pack_codes`, read where they are asked for.

    Attributes:
        stream: The packed integers.
        bits: Bits of each, 0 to 32; 0 where all are 0.
    """

    stream: Bytes
    bits: int

    @classmethod
    def pack(cls, values: npt.NDArray[np.integer], largest: int) -> "PackedIntegers":
        """Pack integers from 0 to ``largest``."""
        bits = index_bits(largest)
        return cls(pack_codes(values, bits) if bits else np.empty(0, dtype=np.uint8), bits)

    @classmethod
    def plain(cls, values: npt.NDArray[np.integer]) -> "PackedIntegers":
        """Integers below 2**32 in a word each, for what is read once."""
        return cls(values.astype("<u4").view(np.uint8), MAX_PACKED_BITS)

    def __getitem__(self, index: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
        """The integers at some places."""
        found = np.zeros(index.shape, dtype=np.int64)
        if self.bits == 0:
            return found
        first = index.astype(np.int64) * self.bits
        # At most 32 bits that start inside a byte.
        for k in range((self.bits + 14) // 8):
            octets = self.stream.take((first >> 3) + k, mode="clip").astype(np.int64)
            found |= octets << (8 * k)
        found >>= first & 7
        found &= (1 << self.bits) - 1
        return found


def _pack_chunk(codes: Array, bits: int) -> Bytes:
    if bits > 8:
        shifts = np.arange(bits, dtype=np.uint32)
        digits = ((codes.astype(np.uint32)[:, None] >> shifts) & 1).astype(np.uint8)
        return np.packbits(digits, bitorder="little")
    # Eight codes of b <= 8 bits make one word of b bytes.
    words = np.zeros(-(-codes.size // 8), dtype="<u8")
    for k in range(8):
        lane = codes[k::8].astype(np.uint64) << np.uint64(k * bits)
        words[: lane.size] |= lane
    return words.view(np.uint8).reshape(-1, 8)[:, :bits].ravel()[: packed_bytes(codes.size, bits)]


def _unpack_chunk(stream: Bytes, bits: int, start: int, count: int) -> Array:
    if bits > 8:
        first, skip = divmod(start * bits, 8)
        last = packed_bytes(start + count, bits)
        digits = np.unpackbits(stream[first:last], bitorder="little")[skip : skip + count * bits]
        weights = np.uint32(1) << np.arange(bits, dtype=np.uint32)
        out: Array = digits.reshape(count, bits) @ weights
        return out
    group, skip = divmod(start, 8)
    groups = -(-(skip + count) // 8)
    read = stream[group * bits : (group + groups) * bits]
    octets = np.zeros((groups, 8), dtype=np.uint8)
    padded = np.zeros(groups * bits, dtype=np.uint8)
    padded[: read.size] = read
    octets[:, :bits] = padded.reshape(groups, bits)
    words = octets.view("<u8")
    shifts = np.arange(8, dtype=np.uint64) * np.uint64(bits)
    codes = (words >> shifts) & np.uint64((1 << bits) - 1)
    chosen: Array = codes.ravel()[skip : skip + count]
    return chosen


def _check_bits(bits: int) -> None:
    if not 1 <= bits <= MAX_PACKED_BITS:
        raise ValueError(f"codes have 1 to {MAX_PACKED_BITS} bits, not {bits}")
