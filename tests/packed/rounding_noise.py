"""What fp64 rounding alone may make of predictions: numpy's engine with noise of that size.

Where the noise changes logits, no two engines need agree on them: sums cancel, or a value lies
where it is rounded up as well as down.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sgq_auto.packed.backends import NumpyEngine
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.codes.ranges import Floats, Ranges

# Of the largest term: more than rounding, less than what an error would be.
_NOISE = 1e-15


@dataclass(frozen=True)
class NoisyEngine(NumpyEngine):
    """numpy's engine, its results wrong by rounding.

    Attributes:
        random: Where chance comes from.
    """

    random: np.random.Generator

    def take(self, matrix: CodeMatrix, rows: Any) -> Floats:
        return self._noisy(super().take(matrix, rows), _largest(matrix))

    def read(self, matrix: CodeMatrix, row: int, stop: int) -> Floats:
        values = super().read(matrix, row, stop)
        is_exact = matrix.bits[matrix.bucket_of(row)] == 32
        return values if is_exact else self._noisy(values, _largest(matrix))

    def weighted_sum(
        self, rowptr: Any, columns: Any, weights: Floats, matrix: CodeMatrix, span: Any = None
    ) -> Floats:
        out = super().weighted_sum(rowptr, columns, weights, matrix, span)
        sizes = _row_sums(rowptr, np.abs(weights).max(axis=1, initial=0.0))
        return self._noisy(out, sizes[:, None] * _largest(matrix))

    def bitmap_product(self, rows: Any, chunk: Any, weight: PackedWeight) -> tuple[Floats, Floats]:
        out, counts = super().bitmap_product(rows, chunk, weight)
        return self._noisy(out, counts[:, None] * _channel_sizes(weight)), counts

    def sparse_product(
        self, rowptr: Any, columns: Any, values: CodeMatrix, *others: Any
    ) -> tuple[Floats, Floats]:
        out, sums = super().sparse_product(rowptr, columns, values, *others)
        sizes = np.diff(rowptr) * _largest(values)
        weight = next(other for other in others if isinstance(other, PackedWeight))
        noisy = self._noisy(out, sizes[:, None] * _channel_sizes(weight))
        return noisy, self._noisy(sums, sizes)

    def row_dots(self, rows: Any, matrix: CodeMatrix, vectors: Floats) -> Floats:
        sizes = np.abs(vectors).sum(axis=1) * _largest(matrix)
        return self._noisy(super().row_dots(rows, matrix, vectors), sizes)

    def cosines(self, rowptr: Any, columns: Any, row: int, matrix: CodeMatrix) -> Floats:
        return self._noisy(super().cosines(rowptr, columns, row, matrix), 1.0)

    def row_extremes(
        self, rowptr: Any, columns: Any, matrix: CodeMatrix, *, largest: bool
    ) -> Floats:
        out = super().row_extremes(rowptr, columns, matrix, largest=largest)
        return self._noisy(out, _largest(matrix))

    def squared_distances(
        self, rowptr: Any, columns: Any, centers: Floats, matrix: CodeMatrix
    ) -> Floats:
        out = super().squared_distances(rowptr, columns, centers, matrix)
        sizes = np.diff(rowptr)[:, None] * np.square(_largest(matrix))
        return self._noisy(out, sizes)

    def pair_dots(
        self, rowptr: Any, columns: Any, row: int, matrix: CodeMatrix, parts: Any
    ) -> Floats:
        out = super().pair_dots(rowptr, columns, row, matrix, parts)
        return self._noisy(out, parts.channels * np.square(_largest(matrix)))

    def leaky_dots(
        self,
        rowptr: Any,
        columns: Any,
        row: int,
        matrix: CodeMatrix,
        parts: Any,
        vectors: Floats,
        slope: float,
    ) -> Floats:
        out = super().leaky_dots(rowptr, columns, row, matrix, parts, vectors, slope)
        bent = max(1.0, abs(slope)) * 2 * _largest(matrix)
        return self._noisy(out, np.abs(vectors).sum(axis=1) * bent)

    def degree_weights(self, *arguments: Any) -> Floats:
        return self._noisy(super().degree_weights(*arguments), 1.0)

    def fake_quantize(self, values: Floats, ranges: Ranges, group: int) -> Floats:
        return self._noisy(super().fake_quantize(values, ranges, group), 1.0)

    def _noisy(self, values: Floats, size: Any) -> Floats:
        return values + _NOISE * size * self.random.uniform(-1, 1, values.shape)


def _largest(matrix: CodeMatrix) -> float:
    """No value of a matrix, and no part of one, is larger."""
    sizes = [0.0]
    for bucket, bits in enumerate(matrix.bits):
        if bits == 32:
            values = np.ascontiguousarray(matrix.slice(bucket)).view("<f4")
            sizes.append(float(np.abs(values).max(initial=0.0)))
        elif matrix.bucket_rows[bucket]:
            step, offset = (float(s[bucket]) for s in (matrix.ranges.step, matrix.ranges.offset))
            sizes.append(abs(offset) + step * (2.0**bits - 1))
    return max(sizes)


def _channel_sizes(weight: PackedWeight) -> Floats:
    """The largest value of each output channel, or of all where they are fp32."""
    codes = _largest(weight.codes)
    channels = weight.channels
    sizes: Floats = codes * channels.step.astype(np.float64) + np.abs(channels.offset)
    return sizes


def _row_sums(rowptr: Any, values: Floats) -> Floats:
    before = np.concatenate(([0.0], np.cumsum(values)))
    sums: Floats = before[rowptr[1:]] - before[rowptr[:-1]]
    return sums
