"""Kernels take eight values at a time: what lies past a row never reaches a result."""

import numpy as np
import pytest

from sgq_auto.packed.backends import HeadParts, NumpyEngine
from sgq_auto.packed.backends.compiled_engine import CompiledEngine
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight, pack_matrix
from sgq_auto.packed.codes.ranges import Ranges

# 0xFF bytes read as fp32 are NaN, and so is 0 times NaN; 0x7F800000 is infinity.
_NEIGHBOURS = [b"\xff\xff\xff\xff", b"\x00\x00\x80\x7f"]
_WIDTHS = [1, 2, 3, 5, 7, 8, 9, 15, 17, 31, 40]


def _fp32_beside_codes(width: int, neighbour: bytes) -> CodeMatrix:
    """Three fp32 rows between codes whose bytes are no finite fp32 number."""
    around = np.frombuffer(neighbour * (5 * width), np.uint8)
    ranges = Ranges((8, 32, 8), np.array([0.1, 1, 0.1], "f4"), np.zeros(3, np.float32))
    own = np.random.default_rng(width).normal(size=3 * width).astype("<f4").view(np.uint8)
    stream = np.concatenate([around, own, around])
    rows = around.size // width
    return CodeMatrix((rows, 3, rows), width, (8, 32, 8), ranges, stream)


@pytest.mark.parametrize("neighbour", _NEIGHBOURS)
@pytest.mark.parametrize("width", _WIDTHS)
def test_fp32_rows_beside_codes_that_read_as_nan(width: int, neighbour: bytes) -> None:
    matrix = _fp32_beside_codes(width, neighbour)
    first = int(matrix.row_starts[1])
    rows = np.arange(first - 2, first + 5, dtype=np.int32)
    rowptr = np.array([0, 3, 7])
    random = np.random.default_rng(0)
    compiled, plain = CompiledEngine(), NumpyEngine()
    for heads in {1, width}:
        vectors = random.normal(size=(heads, width // heads))
        weights = random.normal(size=(rows.size, heads))
        centers = random.normal(size=(2, width))
        parts = HeadParts(0, 0, heads, width // heads)
        for name, arguments in {
            "row_dots": (rows, matrix, vectors),
            "weighted_sum": (rowptr, rows, weights, matrix),
            "cosines": (rowptr, rows, first, matrix),
            "pair_dots": (rowptr, rows, first, matrix, parts),
            "leaky_dots": (rowptr, rows, first, matrix, parts, vectors, 0.2),
            "squared_distances": (rowptr, rows, centers, matrix),
            "read": (matrix, first, first + 3),
        }.items():
            expected = getattr(plain, name)(*arguments)
            assert np.isfinite(expected).all()
            np.testing.assert_allclose(getattr(compiled, name)(*arguments), expected, atol=1e-12)


@pytest.mark.parametrize("neighbour", _NEIGHBOURS)
@pytest.mark.parametrize("width", _WIDTHS)
def test_fp32_values_and_weights_are_multiplied_alone(width: int, neighbour: bytes) -> None:
    values = _fp32_beside_codes(1, neighbour)
    first = int(values.row_starts[1])
    codes = np.random.default_rng(1).normal(size=(4, width)).astype(np.float32)
    plain = Ranges.full_precision(1)
    weight = PackedWeight(pack_matrix(codes, (4,), (32,), plain), Ranges.full_precision(width))
    entries = np.array([0, 2, 3]), np.array([3, 1, 0], np.int32), values, first, weight
    expected = NumpyEngine().sparse_product(*entries)
    for found, right in zip(CompiledEngine().sparse_product(*entries), expected, strict=True):
        assert np.isfinite(right).all()
        np.testing.assert_allclose(found, right, atol=1e-12)


@pytest.mark.parametrize("engine", [NumpyEngine(), CompiledEngine()])
def test_what_is_beyond_fp32_is_held_as_its_largest_number(engine: NumpyEngine) -> None:
    matrix = CodeMatrix.empty((2,), 2, Ranges.full_precision(1))
    engine.write(matrix, 0, np.array([[1e300, -1e300], [1.5, 3.5e38]]))
    largest = float(np.finfo(np.float32).max)
    assert engine.read(matrix, 0, 2).tolist() == [[largest, -largest], [1.5, largest]]


@pytest.mark.parametrize("engine", [NumpyEngine(), CompiledEngine()])
def test_the_sum_of_a_row_does_not_depend_on_rows_before(engine: NumpyEngine) -> None:
    ranges = Ranges.full_precision(1)
    values = pack_matrix(np.array([[1e30], [0.5], [0.25]]), (3,), (32,), ranges)
    one = PackedWeight(pack_matrix(np.ones((2, 1)), (2,), (32,), ranges), ranges)
    entries = np.array([0, 1, 1, 3]), np.array([0, 0, 1], np.int32), values, 0, one
    out, sums = engine.sparse_product(*entries)
    assert sums.tolist() == out[:, 0].tolist() == [float(np.float32(1e30)), 0.0, 0.75]
