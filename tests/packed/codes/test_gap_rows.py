"""Sparse rows as gaps: read back, and smaller than Elias-Fano where columns differ."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sgq_auto.packed.codes.bit_packing import unpack_codes
from sgq_auto.packed.codes.coded_rows import Blocks
from sgq_auto.packed.codes.elias_fano import EliasFano
from sgq_auto.packed.codes.gap_rows import GapRows, code_gaps


def _drawn(rows: int, columns: int, density: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    stored = np.random.default_rng(seed).random((rows, columns)) < density
    return stored.sum(axis=1), np.nonzero(stored)[1]


def _decoded(rows: GapRows, bucket_rows: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """Counts and columns, bit by bit as the format says."""
    digits = np.unpackbits(rows.stream, bitorder="little").tolist()
    counts, columns, bit, row = [], [], 0, 0
    starts = dict(zip(Blocks(bucket_rows).rows.tolist(), rows.block_bits.tolist(), strict=True))
    for bucket, held in enumerate(bucket_rows):
        first, bits, least = rows.count_layouts[bucket]
        for within in range(held):
            assert starts.get(row, bit) == bit
            extra = int(unpack_codes(rows.counts[first:], bits, 1, within)[0]) if bits else 0
            counts.append(least + extra)
            column, zones = 0, len(rows.zone_ends)
            for _ in range(counts[-1]):
                zone = next(k for k, end in enumerate(rows.zone_ends) if column < end)
                parameter = int(rows.parameters[bucket * zones + zone])
                one = digits.index(1, bit)
                low = digits[one + 1 : one + 1 + parameter]
                column += (one - bit << parameter) + sum(d << k for k, d in enumerate(low))
                columns.append(column)
                column, bit = column + 1, one + 1 + parameter
            row += 1
    return counts, columns


@given(
    bucket_rows=st.lists(st.integers(0, 70), min_size=1, max_size=3),
    columns=st.integers(1, 40),
    density=st.sampled_from([0.0, 0.05, 0.4, 1.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=30)
def test_rows_are_read_back(
    bucket_rows: list[int], columns: int, density: float, seed: int
) -> None:
    counts, listed = _drawn(sum(bucket_rows), columns, density, seed)
    ends = sorted({1, max(1, columns // 3), columns})
    coded = code_gaps(counts, listed, bucket_rows, ends)
    found = _decoded(coded, tuple(bucket_rows))
    assert found == (counts.tolist(), listed.tolist())


def test_columns_that_are_used_unequally_take_fewer_bits() -> None:
    rows, columns = 600, 300
    random = np.random.default_rng(0)
    stored = random.random((rows, columns)) < 0.5 / np.arange(1, columns + 1)
    counts, listed = stored.sum(axis=1), np.nonzero(stored)[1]
    ends = [*itertools.takewhile(lambda end: end < columns, (2**k - 1 for k in range(1, 20)))]
    coded = code_gaps(counts, listed, (rows,), [*ends, columns])
    plain = EliasFano(listed.size, rows * columns).num_bytes
    assert coded.num_bytes < 0.9 * plain
    # No less than what columns that are drawn apart from each other need.
    share = stored.mean(axis=0)[stored.any(axis=0)]
    least = -(share * np.log2(share) + (1 - share) * np.log2(1 - share)).sum() * rows / 8
    assert coded.num_bytes > least
