"""Packing of integer codes at 1 to 16 bits into bytes, and back.

The layout is one little-endian bit stream a slice: code ``k`` of ``b`` bits occupies the bits
``k * b`` to ``k * b + b - 1``, the lowest bit first; the last byte is padded with zeros. Both
directions work on chunks, so that a large tensor never has a second unpacked copy.
"""

import numpy as np
import numpy.typing as npt

from sgq_auto.allocation import MAX_CODE_BITS

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


def pack_codes(codes: npt.NDArray[np.integer], bits: int) -> npt.NDArray[np.uint8]:
    """Pack unsigned integer codes into a bit stream.

    Args:
        codes: Codes of any shape, read in C order, each in ``0 .. 2**bits - 1``.
        bits: Bits per code, 1 to 16.

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
    shifts = np.arange(bits, dtype=np.uint16)
    for start in range(0, flat.size, _CHUNK):
        chunk = flat[start : start + _CHUNK].astype(np.uint16)
        digits = ((chunk[:, None] >> shifts) & 1).astype(np.uint8)
        packed = np.packbits(digits, bitorder="little")
        first = packed_bytes(start, bits)
        stream[first : first + packed.size] = packed
    return stream


def unpack_codes(
    stream: npt.NDArray[np.uint8], bits: int, count: int, start: int = 0
) -> npt.NDArray[np.uint16]:
    """Read ``count`` codes back from a stream of :func:`pack_codes`, from code ``start`` on.

    Args:
        stream: ``uint8`` bit stream.
        bits: Bits per code, 1 to 16.
        count: How many codes to read.
        start: Index of the first code to read.

    Returns:
        ``uint16`` array of shape ``[count]``.

    Raises:
        ValueError: If ``bits`` is out of range or the stream is too short.
    """
    _check_bits(bits)
    if count < 0 or start < 0 or packed_bytes(start + count, bits) > stream.size:
        raise ValueError(
            f"{start + count} codes of {bits} bits need {packed_bytes(start + count, bits)} "
            f"bytes, the stream has {stream.size}"
        )
    codes = np.empty(count, dtype=np.uint16)
    weights = (1 << np.arange(bits)).astype(np.uint16)
    for done in range(0, count, _CHUNK):
        size = min(_CHUNK, count - done)
        first_bit = (start + done) * bits
        first, skip = divmod(first_bit, 8)
        last = packed_bytes(start + done + size, bits)
        digits = np.unpackbits(stream[first:last], bitorder="little")[skip : skip + size * bits]
        codes[done : done + size] = digits.reshape(size, bits) @ weights
    return codes


def _check_bits(bits: int) -> None:
    if not 1 <= bits <= MAX_CODE_BITS:
        raise ValueError(f"codes have 1 to {MAX_CODE_BITS} bits, not {bits}")
