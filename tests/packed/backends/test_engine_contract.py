"""The contract of engines: every one gives the numbers of plain loops over unpacked codes."""

import ctypes
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgq_auto.packed.backends import Engine, HeadParts, NumpyEngine
from sgq_auto.packed.backends.compiled_engine import CompiledEngine
from sgq_auto.packed.codes.bit_packing import PackedIntegers
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight, pack_matrix
from sgq_auto.packed.codes.coded_rows import BitmapRows, Blocks, Chunk, EliasFanoRows
from sgq_auto.packed.codes.elias_fano import EliasFano
from sgq_auto.packed.codes.ranges import Ranges

_ENGINES: list[Engine] = [NumpyEngine(), CompiledEngine()]
_BITS = [*range(1, 17), 32]

Array = np.ndarray


def _random(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def _matrix(
    random: np.random.Generator, bucket_rows: tuple[int, ...], width: int, bits: tuple[int, ...]
) -> tuple[CodeMatrix, Array]:
    """A matrix of random codes, and its values."""
    count = len(bits)
    step = random.uniform(0.1, 2, count).astype(np.float32)
    offset = random.normal(size=count).astype(np.float32)
    full = np.array(bits) == 32
    ranges = Ranges(
        bits, np.where(full, 1, step).astype("f4"), np.where(full, 0, offset).astype("f4")
    )
    codes, values = [], []
    for bucket, (rows, b) in enumerate(zip(bucket_rows, bits, strict=True)):
        if b == 32:
            codes.append(random.normal(size=(rows, width)).astype(np.float32).astype(np.float64))
            values.append(codes[-1])
        else:
            codes.append(random.integers(0, 2**b, size=(rows, width)).astype(np.float64))
            values.append(ranges.values(codes[-1], bucket))
    packed = pack_matrix(np.concatenate(codes), bucket_rows, bits, ranges)
    return packed, np.concatenate(values)


def _pattern(random: np.random.Generator, rows: int, columns: int, density: float) -> Array:
    return random.random((rows, columns)) < density


def _elias_fano(pattern: Array, blocks: Blocks) -> EliasFanoRows:
    positions = np.flatnonzero(pattern)
    layout = EliasFano(positions.size, pattern.size)
    high, low = layout.encode_parts([positions])
    return EliasFanoRows(layout, pattern.shape[1], high, low, blocks.starts(pattern.sum(axis=1)))


def _bitmap(pattern: Array, blocks: Blocks) -> BitmapRows:
    packed = np.packbits(pattern.ravel(), bitorder="little")
    return BitmapRows(pattern.shape[1], packed, blocks.starts(pattern.sum(axis=1)))


def _csr(pattern: Array, *, loops: bool, row: int = 0) -> tuple[Array, Array]:
    rows = [
        ([row + k] if loops else []) + np.flatnonzero(p).tolist() for k, p in enumerate(pattern)
    ]
    rowptr = np.cumsum([0, *map(len, rows)])
    return rowptr, np.array(list(itertools.chain(*rows)), dtype=np.int32)


def _chunks(blocks: Blocks) -> list[Chunk]:
    """Small and large ones."""
    costs = blocks.rows
    return [*blocks.chunks(costs, 64), *blocks.chunks(costs, 1 << 20)]


@pytest.mark.parametrize("engine", _ENGINES)
@given(st.integers(0, 2**32), st.integers(1, 200), st.floats(0, 1), st.booleans())
def test_decode_gives_the_entries_of_each_row(
    engine: Engine, seed: int, size: int, density: float, loops: bool
) -> None:
    pattern = _pattern(_random(seed), size, size, density**3)
    if loops:
        np.fill_diagonal(pattern, False)
    blocks = Blocks((size // 3, 0, size - size // 3))
    for rows in (_elias_fano(pattern, blocks), _bitmap(pattern, blocks)):
        for chunk in _chunks(blocks):
            rowptr, columns = engine.decode(rows, chunk, loops=loops)
            expected = _csr(pattern[chunk.row : chunk.stop], loops=loops, row=chunk.row)
            np.testing.assert_array_equal(rowptr, expected[0])
            np.testing.assert_array_equal(columns, expected[1])


@pytest.mark.parametrize("engine", _ENGINES)
@pytest.mark.parametrize("bits", _BITS)
def test_read_gives_the_values_of_any_rows(engine: Engine, bits: int) -> None:
    for width in (1, 3, 16, 37):
        matrix, values = _matrix(_random(bits), (1, 19), width, (4, bits))
        for row, stop in ((1, 2), (1, 20), (7, 13), (19, 20), (5, 5)):
            np.testing.assert_allclose(engine.read(matrix, row, stop), values[row:stop], rtol=1e-15)


@pytest.mark.parametrize("engine", _ENGINES)
@pytest.mark.parametrize("bits", _BITS)
def test_writing_rows_in_any_order_packs_them_as_all_at_once(engine: Engine, bits: int) -> None:
    for width in (1, 3, 16, 37):
        expected, values = _matrix(_random(bits), (2, 23), width, (3, bits))
        noise = _random(1).uniform(-0.49, 0.49, size=values.shape)
        steps = np.repeat(expected.ranges.step, (2, 23))[:, None].astype(np.float64)
        noisy = values if bits == 32 else values + noise * steps
        matrix = CodeMatrix.empty((2, 23), width, expected.ranges)
        for row, stop in ((20, 25), (0, 2), (2, 3), (9, 20), (3, 9)):
            engine.write(matrix, row, noisy[row:stop])
        if bits == 32:
            np.testing.assert_array_equal(matrix.slice(1), expected.slice(1))
        else:
            np.testing.assert_array_equal(matrix.stream, expected.stream)


@pytest.mark.parametrize("engine", _ENGINES)
def test_codes_stay_in_range_and_halves_round_to_even(engine: Engine) -> None:
    ranges = Ranges((2,), np.ones(1, np.float32), np.zeros(1, np.float32))
    values = np.array([-5.0, 0.5, 1.5, 2.5, 99.0, 0.49, 3.0, -0.0, 2.51, 1.0])
    expected = [0, 0, 2, 2, 3, 0, 3, 0, 3, 1]
    matrix = CodeMatrix.empty((10,), 1, ranges)
    engine.write(matrix, 0, values[:, None])
    assert engine.read(matrix, 0, 10)[:, 0].tolist() == expected
    assert engine.fake_quantize(values, ranges, 0).tolist() == expected


@pytest.mark.sampled
@pytest.mark.parametrize("engine", _ENGINES)
@pytest.mark.parametrize("bits", _BITS)
@pytest.mark.parametrize(("heads", "channels"), [(1, 1), (1, 7), (1, 16), (1, 41), (3, 5), (8, 8)])
def test_weighted_sum(engine: Engine, bits: int, heads: int, channels: int) -> None:
    random = _random(bits)
    buckets = (20, 0, 13)
    matrix, values = _matrix(random, buckets, heads * channels, (bits, 2, 8))
    pattern = _pattern(random, 33, 33, 0.3)
    np.fill_diagonal(pattern, False)
    rowptr, columns = _csr(pattern, loops=True)
    weights = random.normal(size=(columns.size, heads))
    out = engine.weighted_sum(rowptr, columns, weights, matrix)
    gathered = values[columns].reshape(-1, heads, channels) * weights[:, :, None]
    expected = np.add.reduceat(gathered.reshape(columns.size, -1), rowptr[:-1], axis=0)
    np.testing.assert_allclose(out, expected, atol=1e-12 * max(1, np.abs(values).max()))


@pytest.mark.parametrize("engine", _ENGINES)
def test_rows_of_a_large_matrix_are_found(engine: Engine) -> None:
    # Above the size from which rows are asked for ahead.
    random = _random(0)
    matrix, values = _matrix(random, (9_000, 1_000), 64, (4, 8))
    pattern = _pattern(random, 40, 10_000, 0.002)
    rowptr, columns = _csr(pattern, loops=False)
    weights = random.normal(size=(columns.size, 1))
    expected = pattern @ np.zeros_like(values)
    np.add.at(expected, np.repeat(np.arange(40), np.diff(rowptr)), values[columns] * weights)
    np.testing.assert_allclose(
        engine.weighted_sum(rowptr, columns, weights, matrix), expected, atol=1e-9
    )


def _weight(
    random: np.random.Generator, rows: int, width: int, bits: int
) -> tuple[PackedWeight, Array]:
    plain = Ranges((bits,), np.ones(1, np.float32), np.zeros(1, np.float32))
    if bits == 32:
        codes = random.normal(size=(rows, width)).astype(np.float32).astype(np.float64)
        channels = Ranges.full_precision(width)
    else:
        codes = random.integers(0, 2**bits, size=(rows, width)).astype(np.float64)
        step, offset = random.uniform(0.1, 2, (2, width)).astype(np.float32)
        channels = Ranges((bits,) * width, step, offset)
    weight = PackedWeight(pack_matrix(codes, (rows,), (bits,), plain), channels)
    return weight, codes * channels.step.astype(np.float64) + channels.offset


@pytest.mark.sampled
@pytest.mark.parametrize("engine", _ENGINES)
@pytest.mark.parametrize("weight_bits", [1, 3, 4, 8, 16, 32])
@pytest.mark.parametrize("value_bits", [0, 1, 2, 5, 8, 16, 32])
@pytest.mark.parametrize(("features", "width"), [(90, 16), (61, 5), (130, 33), (5_000, 20)])
def test_products_of_sparse_rows_and_a_weight(
    engine: Engine, weight_bits: int, value_bits: int, features: int, width: int
) -> None:
    random = _random(value_bits)
    weight, dense = _weight(random, features, width, weight_bits)
    pattern = _pattern(random, 70, features, 0.1)
    pattern[3] = False
    rowptr, columns = _csr(pattern, loops=False)
    first = 5
    ranges = (4, value_bits or 1)
    values, listed = _matrix(random, (first, columns.size), 1, ranges)
    if value_bits == 0:
        listed[first:] = values.ranges.offset[1]
        stream = values.stream[: values.byte_starts[1]]
        values = CodeMatrix(values.bucket_rows, 1, (4, 0), values.ranges, stream)
    x = np.zeros((70, features))
    x[pattern] = listed[first:, 0]
    out, sums = engine.sparse_product(rowptr, columns, values, first, weight)
    np.testing.assert_allclose(sums, x.sum(axis=1), atol=1e-10 * max(1, np.abs(listed).max()))
    np.testing.assert_allclose(
        out, x @ dense, atol=1e-12 * max(1.0, np.abs(x @ np.abs(dense)).max())
    )


@pytest.mark.parametrize("engine", _ENGINES)
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 13, 16, 32])
@pytest.mark.parametrize(
    ("features", "width"), [(1, 1), (55, 16), (113, 7), (767, 40), (40_000, 3)]
)
def test_products_of_a_bitmap_and_a_weight(
    engine: Engine, bits: int, features: int, width: int
) -> None:
    random = _random(features)
    rows = 70 if features < 1_000 else 9
    weight, dense = _weight(random, features, width, bits)
    pattern = _pattern(random, rows, features, 0.4)
    blocks = Blocks((rows - 4, 4))
    bitmap = _bitmap(pattern, blocks)
    for chunk in _chunks(blocks):
        out, counts = engine.bitmap_product(bitmap, chunk, weight)
        part = pattern[chunk.row : chunk.stop]
        np.testing.assert_array_equal(counts, part.sum(axis=1))
        np.testing.assert_allclose(out, part @ dense, atol=1e-12 * max(1.0, np.abs(dense).sum()))


@pytest.mark.parametrize("engine", _ENGINES)
@pytest.mark.parametrize("bits", _BITS)
@pytest.mark.parametrize(("heads", "channels"), [(1, 3), (4, 5), (8, 8), (1, 40)])
def test_row_dots_and_cosines(engine: Engine, bits: int, heads: int, channels: int) -> None:
    random = _random(bits)
    matrix, values = _matrix(random, (11, 9), heads * channels, (bits, 4))
    vectors = random.normal(size=(heads, channels))
    rows = random.integers(0, 20, size=50).astype(np.int32)
    expected = np.einsum("ehc,hc->eh", values[rows].reshape(-1, heads, channels), vectors)
    np.testing.assert_allclose(
        engine.row_dots(rows, matrix, vectors), expected, atol=1e-12 * np.abs(values).max() * 40
    )
    rowptr, columns = _csr(_pattern(random, 5, 20, 0.4), loops=False)
    left = np.repeat(np.arange(13, 18), np.diff(rowptr))
    norms = np.maximum(np.linalg.norm(values, axis=1), 1e-12)
    cosines = (values[left] * values[columns]).sum(axis=1) / norms[left] / norms[columns]
    np.testing.assert_allclose(engine.cosines(rowptr, columns, 13, matrix), cosines, atol=1e-12)


@pytest.mark.parametrize("engine", _ENGINES)
@pytest.mark.parametrize("largest", [0, 1, 5, 300, 70_000])
def test_degree_weights(engine: Engine, largest: int) -> None:
    random = _random(largest)
    degrees = random.integers(0, largest + 1, size=30)
    table = random.normal(size=largest + 1)
    rowptr, columns = _csr(_pattern(random, 8, 30, 0.3), loops=False)
    packed = PackedIntegers.pack(degrees, largest)
    own = np.repeat(degrees[20:28], np.diff(rowptr))
    np.testing.assert_array_equal(
        engine.degree_weights(rowptr, columns, 20, packed, table),
        table[own] * table[degrees[columns]],
    )


def test_kernels_refuse_arrays_that_they_would_misread() -> None:
    matrix, _ = _matrix(_random(0), (4, 4), 3, (4, 4))
    for rows in (np.arange(4), np.arange(8, dtype=np.int32)[::2]):
        with pytest.raises(ctypes.ArgumentError, match="contiguous array of int32"):
            CompiledEngine().row_dots(rows, matrix, np.ones((1, 3)))


@pytest.mark.parametrize("engine", _ENGINES)
@given(st.integers(0, 2**32), st.integers(1, 400), st.integers(1, 90), st.floats(0, 1))
def test_pick_gives_the_entries_of_any_rows(
    engine: Engine, seed: int, size: int, columns: int, density: float
) -> None:
    random = _random(seed)
    pattern = _pattern(random, size, columns, density**3)
    blocks = Blocks((size // 3, 0, size - size // 3))
    wanted = np.flatnonzero(random.random(size) < random.random())
    before = np.concatenate(([0], np.cumsum(pattern.sum(axis=1))))
    expected = _csr(pattern[wanted], loops=False)
    for rows in (_elias_fano(pattern, blocks), _bitmap(pattern, blocks)):
        rowptr, found, starts = engine.pick(rows, blocks, wanted)
        np.testing.assert_array_equal(rowptr, expected[0])
        np.testing.assert_array_equal(found, expected[1])
        np.testing.assert_array_equal(starts, before[wanted])


@pytest.mark.parametrize("engine", _ENGINES)
@pytest.mark.parametrize("bits", _BITS)
def test_take_gives_the_values_of_rows_in_any_order(engine: Engine, bits: int) -> None:
    for width in (1, 3, 16, 37):
        random = _random(bits)
        matrix, values = _matrix(random, (4, 0, 19), width, (32, 3, bits))
        rows = random.integers(0, 23, size=50).astype(np.int32)
        np.testing.assert_allclose(engine.take(matrix, rows), values[rows], rtol=1e-15)


@pytest.mark.parametrize("engine", _ENGINES)
@pytest.mark.parametrize("value_bits", [0, 3, 8, 32])
@pytest.mark.parametrize("features", [90, 5_000])
def test_products_of_rows_that_are_stored_apart(
    engine: Engine, value_bits: int, features: int
) -> None:
    random = _random(value_bits)
    weight, dense = _weight(random, features, 20, 4)
    pattern = _pattern(random, 70, features, 0.05)
    counts = pattern.sum(axis=1)
    values, listed = _matrix(random, (5, int(counts.sum())), 1, (4, value_bits or 1))
    if value_bits == 0:
        listed[5:] = values.ranges.offset[1]
        stream = values.stream[: values.byte_starts[1]]
        values = CodeMatrix(values.bucket_rows, 1, (4, 0), values.ranges, stream)
    x = np.zeros((70, features))
    x[pattern] = listed[5:, 0]
    wanted = np.array([3, 4, 40, 69])
    rowptr, columns = _csr(pattern[wanted], loops=False)
    starts = 5 + (np.cumsum(counts) - counts)[wanted]
    out, sums = engine.sparse_product(rowptr, columns, values, int(starts[0]), weight, starts)
    np.testing.assert_allclose(sums, x[wanted].sum(axis=1), atol=1e-10)
    np.testing.assert_allclose(out, x[wanted] @ dense, atol=1e-9)


@pytest.mark.parametrize("engine", _ENGINES)
@pytest.mark.parametrize("bits", _BITS)
@pytest.mark.parametrize(("heads", "channels"), [(1, 1), (1, 9), (3, 5), (4, 8)])
def test_part_of_the_columns_is_summed(
    engine: Engine, bits: int, heads: int, channels: int
) -> None:
    random, width = _random(bits), heads * channels
    matrix, values = _matrix(random, (20, 0, 13), 3 * width + 1, (bits, 2, 8))
    rowptr, columns = _csr(_pattern(random, 33, 33, 0.3), loops=False)
    weights = random.normal(size=(columns.size, heads))
    for first in (0, width, 2 * width + 1):
        out = engine.weighted_sum(rowptr, columns, weights, matrix, (first, width))
        part = values[columns, first : first + width].reshape(-1, heads, channels)
        weighted = (part * weights[:, :, None]).reshape(columns.size, width)
        expected = [weighted[a:b].sum(axis=0) for a, b in itertools.pairwise(rowptr)]
        np.testing.assert_allclose(out, expected, atol=1e-12 * max(1, np.abs(values).max()))


@pytest.mark.parametrize("engine", _ENGINES)
@pytest.mark.parametrize("bits", _BITS)
@pytest.mark.parametrize("width", [1, 8, 11, 41])
def test_extremes_and_distances_of_neighbours(engine: Engine, bits: int, width: int) -> None:
    random = _random(bits)
    matrix, values = _matrix(random, (20, 0, 13), width, (bits, 2, 8))
    pattern = _pattern(random, 33, 33, 0.2)
    pattern[3] = False
    rowptr, columns = _csr(pattern, loops=False)
    rows = [values[columns[a:b]] for a, b in itertools.pairwise(rowptr)]
    zeros = np.zeros(width)
    largest = [row.max(axis=0) if len(row) else zeros for row in rows]
    smallest = [row.min(axis=0) if len(row) else zeros for row in rows]
    found = (engine.row_extremes(rowptr, columns, matrix, largest=big) for big in (True, False))
    for one, expected in zip(found, (largest, smallest), strict=True):
        np.testing.assert_allclose(one, expected, rtol=1e-12, atol=1e-12)
    centers = random.normal(size=(33, width))
    out = engine.squared_distances(rowptr, columns, centers, matrix)
    expected = [((row - c) ** 2).sum(axis=0) for row, c in zip(rows, centers, strict=True)]
    np.testing.assert_allclose(out, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("engine", _ENGINES)
@pytest.mark.parametrize("bits", _BITS)
@pytest.mark.parametrize(("heads", "channels"), [(1, 1), (1, 9), (3, 5), (2, 16)])
def test_scores_of_two_parts_of_rows(engine: Engine, bits: int, heads: int, channels: int) -> None:
    random, width = _random(bits), heads * channels
    matrix, values = _matrix(random, (20, 0, 13), 2 * width, (bits, 2, 8))
    rowptr, columns = _csr(_pattern(random, 20, 33, 0.3), loops=False)
    row = np.repeat(np.arange(13, 33), np.diff(rowptr))
    vectors = random.normal(size=(heads, channels))
    for targets, sources in ((0, width), (width, 0), (0, 0)):
        parts = HeadParts(targets, sources, heads, channels)
        own = values[row, targets : targets + width].reshape(-1, heads, channels)
        other = values[columns, sources : sources + width].reshape(-1, heads, channels)
        scale = max(1, np.abs(values).max()) ** 2
        dots = engine.pair_dots(rowptr, columns, 13, matrix, parts)
        np.testing.assert_allclose(dots, (own * other).sum(axis=2), atol=1e-12 * scale)
        sums = np.where(own + other > 0, own + other, -0.5 * (own + other))
        scores = engine.leaky_dots(rowptr, columns, 13, matrix, parts, vectors, -0.5)
        np.testing.assert_allclose(scores, (sums * vectors).sum(axis=2), atol=1e-12 * scale)
