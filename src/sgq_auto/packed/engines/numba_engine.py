"""The compiled engine; importing it needs numba."""

import numpy as np

from sgq_auto.allocation import FULL_PRECISION
from sgq_auto.packed.code_matrix import CodeMatrix
from sgq_auto.packed.coded_rows import BitmapRows, Chunk, EliasFanoRows
from sgq_auto.packed.codes import Array, packed_bytes
from sgq_auto.packed.engines import kernels
from sgq_auto.packed.engines.intrinsics import LANES
from sgq_auto.packed.ranges import Floats


class NumbaEngine:
    """:class:`~sgq_auto.packed.engines.engine.Engine` in compiled loops; see there."""

    def decode(
        self, rows: EliasFanoRows | BitmapRows, chunk: Chunk, *, loops: bool
    ) -> tuple[Array, Array]:
        """See the protocol."""
        start, stop = (int(rows.block_starts[b]) for b in (chunk.block, chunk.last_block))
        rowptr = np.empty(chunk.num_rows + 1, dtype=np.int64)
        columns = np.empty(stop - start + loops * chunk.num_rows, dtype=np.int32)
        where = rows.columns, chunk.row, loops, rowptr, columns
        if isinstance(rows, EliasFanoRows):
            code = rows.high, rows.low, rows.layout.low_bits, rows.first_bit(chunk), start, stop
            kernels.decode_elias_fano(*code, *where)
        else:
            kernels.decode_bitmap(rows.bitmap, *where)
        return rowptr, columns

    def read(self, matrix: CodeMatrix, row: int, stop: int) -> Floats:
        """See the protocol."""
        out = np.empty((stop - row, matrix.width))
        bucket = matrix.bucket_of(row)
        row_starts, byte_starts, bits, steps, offsets = (part[bucket] for part in matrix.layout)
        first = (row - row_starts) * matrix.width
        kernels.read_values(
            matrix.stream, byte_starts, first, bits, steps, offsets, out.reshape(-1)
        )
        return out

    def write(self, matrix: CodeMatrix, row: int, values: Floats) -> None:
        """See the protocol."""
        bucket, skip = matrix.bucket_of(row), matrix.first_bit(row)
        bits = matrix.bits[bucket]
        if bits == FULL_PRECISION:
            packed = np.ascontiguousarray(values, dtype="<f4").view(np.uint8).ravel()
        else:
            packed = np.zeros(packed_bytes(skip + values.size * bits, 1), dtype=np.uint8)
            step, offset = (float(s[bucket]) for s in (matrix.ranges.step, matrix.ranges.offset))
            kernels.quantize(np.ravel(values), step, offset, bits, skip, packed)
        matrix.put(row, packed, skip, values.shape[0])

    def weighted_sum(
        self, rowptr: Array, columns: Array, weights: Floats, matrix: CodeMatrix
    ) -> Floats:
        """See the protocol."""
        out = np.zeros((rowptr.size - 1, matrix.width))
        heads = weights.shape[1]
        totals = np.empty(heads * -(-matrix.width // heads // LANES) * LANES)
        scratch = np.empty(matrix.width), totals, np.empty(heads)
        code = matrix.stream, *matrix.layout
        kernels.weighted_sum(rowptr, columns, weights, *code, *scratch, out)
        return out

    def row_dots(self, rows: Array, matrix: CodeMatrix, vectors: Floats) -> Floats:
        """See the protocol."""
        out = np.empty((rows.size, vectors.shape[0]))
        code = matrix.stream, *matrix.layout, np.empty(matrix.width)
        kernels.row_dots(rows, *code, vectors, out)
        return out

    def cosines(self, rowptr: Array, columns: Array, row: int, matrix: CodeMatrix) -> Floats:
        """See the protocol."""
        out = np.empty(columns.size)
        scratch = np.empty((2, matrix.width))
        kernels.cosines(rowptr, columns, row, matrix.stream, *matrix.layout, *scratch, out)
        return out
