"""Bit packing: round trips, partial reads and sizes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgq_auto.packed import index_bits, pack_codes, packed_bytes, unpack_codes


@st.composite
def coded(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    bits = draw(st.integers(1, 32))
    codes = draw(st.lists(st.integers(0, 2**bits - 1), max_size=70))
    return np.array(codes, dtype=np.uint32), bits


@given(coded())
def test_unpacking_gives_back_what_was_packed(case: tuple[np.ndarray, int]) -> None:
    codes, bits = case
    stream = pack_codes(codes, bits)
    assert stream.dtype == np.uint8
    assert stream.size == packed_bytes(codes.size, bits)
    np.testing.assert_array_equal(unpack_codes(stream, bits, codes.size), codes)


@given(coded(), st.data())
def test_any_slice_can_be_read(case: tuple[np.ndarray, int], data: st.DataObject) -> None:
    codes, bits = case
    start = data.draw(st.integers(0, codes.size))
    count = data.draw(st.integers(0, codes.size - start))
    part = unpack_codes(pack_codes(codes, bits), bits, count, start)
    np.testing.assert_array_equal(part, codes[start : start + count])


@pytest.mark.parametrize("bits", range(1, 33))
def test_streams_longer_than_a_chunk(bits: int) -> None:
    codes = np.random.default_rng(bits).integers(0, 2**bits, size=(3, 50_001))
    stream = pack_codes(codes, bits)
    assert stream.size == packed_bytes(codes.size, bits)
    np.testing.assert_array_equal(unpack_codes(stream, bits, codes.size), codes.ravel())
    part = unpack_codes(stream, bits, 70_000, start=65_533)
    np.testing.assert_array_equal(part, codes.ravel()[65_533:135_533])


@pytest.mark.parametrize("bits", range(1, 33))
def test_empty_and_single(bits: int) -> None:
    assert pack_codes(np.array([], dtype=np.int64), bits).size == 0
    assert unpack_codes(np.array([], dtype=np.uint8), bits, 0).size == 0
    top = 2**bits - 1
    assert unpack_codes(pack_codes(np.array([top]), bits), bits, 1).tolist() == [top]


def test_layout_is_little_endian_and_padded_with_zeros() -> None:
    assert pack_codes(np.array([1, 2, 3]), 3).tolist() == [0b11_010_001, 0b0]
    assert pack_codes(np.array([0x1234]), 16).tolist() == [0x34, 0x12]
    assert pack_codes(np.array([1]), 1).tolist() == [1]


@pytest.mark.parametrize("bits", [0, -1, 33])
def test_widths_out_of_range_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match=str(bits)):
        pack_codes(np.array([0]), bits)
    with pytest.raises(ValueError, match=str(bits)):
        unpack_codes(np.zeros(9, dtype=np.uint8), bits, 1)


@pytest.mark.parametrize("code", [-1, 4])
def test_codes_that_do_not_fit_are_refused(code: int) -> None:
    with pytest.raises(ValueError, match=r"0 \.\. 3"):
        pack_codes(np.array([0, code]), 2)


@pytest.mark.parametrize(("count", "start"), [(9, 0), (1, 8), (-1, 0), (1, -1)])
def test_reads_beyond_the_stream_are_refused(count: int, start: int) -> None:
    with pytest.raises(ValueError, match="stream has 1"):
        unpack_codes(np.zeros(1, dtype=np.uint8), 1, count, start)


def test_index_bits() -> None:
    assert [index_bits(n) for n in (-1, 0, 1, 2, 3, 4, 255, 256)] == [0, 0, 1, 2, 2, 3, 8, 9]
    assert packed_bytes(1000, index_bits(0)) == 0
