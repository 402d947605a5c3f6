"""Products of what a layer reads with one of its weights, a chunk of rows at a time."""

import numpy as np

from sgq_auto.packed.backends import Engine
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.codes.coded_rows import Blocks, Chunk
from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.runtime.graphs.packed_features import PackedFeatures

Source = PackedFeatures | CodeMatrix

# Values of a weight that are unpacked at once: 1 MiB.
_UNPACKED_VALUES = 1 << 17


class Product:
    """The products ``x W`` of an input's rows; called with a chunk, whose rows it gives.

    Args:
        engine: Does the arithmetic.
        blocks: The blocks of rows that chunks are parts of.
        source: The input, node features or an embedding.
        weight: The weight.
    """

    def __init__(
        self, engine: Engine, blocks: Blocks, source: Source, weight: PackedWeight
    ) -> None:
        self._engine = engine
        self.blocks = blocks
        self._source = source
        self._weight = weight
        self._multiplied = None if self.is_sparse else Multiplier(engine, weight)

    def __call__(self, chunk: Chunk) -> Floats:
        """The products of a chunk's rows, fp64 ``[rows, out]``."""
        source = self._source
        if not isinstance(source, PackedFeatures):
            assert self._multiplied is not None
            return self._multiplied(self._engine.read(source, chunk.row, chunk.stop))
        if self._multiplied is not None:
            return self._multiplied(source.dense_rows(self._engine, chunk))
        out, sums = source.product(self._engine, chunk, self._weight)
        if source.normalize_rows:
            out /= np.maximum(sums, 1.0)[:, None]
        return out

    @property
    def is_sparse(self) -> bool:
        """Whether only the nonzero values of the input are stored and multiplied."""
        return isinstance(self._source, PackedFeatures) and self._source.pattern is not None

    @property
    def costs(self) -> Array:
        """``[blocks + 1]``, running total of the values that products of these rows need."""
        if isinstance(self._source, PackedFeatures) and self._source.pattern is not None:
            return self._source.product_costs(self.blocks, self._weight.codes.width)
        costs: Array = self.blocks.rows * self.row_values
        return costs

    @property
    def row_values(self) -> int:
        """Values that are made of a row."""
        inputs = 0 if self.is_sparse else self._weight.codes.bucket_rows[0]
        return max(self._weight.codes.width, inputs)


class Multiplier:
    """The products of any fp64 rows with a weight.

    Args:
        engine: Unpacks the weight.
        weight: The weight ``[in, out]``.
    """

    def __init__(self, engine: Engine, weight: PackedWeight) -> None:
        self._engine = engine
        self._weight = weight
        rows, columns = weight.codes.bucket_rows[0], weight.codes.width
        self._unpacked: Floats | None = None
        # A larger weight is unpacked a part at a time, for each chunk again.
        if rows * columns <= _UNPACKED_VALUES:
            codes = engine.read(weight.codes, 0, rows)
            self._unpacked = weight.scaled(codes, np.ones(rows))

    def __call__(self, x: Floats) -> Floats:
        """``x`` ``[rows, in]`` times the weight, of which a bounded part is unpacked at once."""
        if self._unpacked is not None:
            multiplied: Floats = x @ self._unpacked
            return multiplied
        codes = self._weight.codes
        rows, columns = codes.bucket_rows[0], codes.width
        out = np.zeros((x.shape[0], columns))
        step = max(1, _UNPACKED_VALUES // columns)
        for first in range(0, rows, step):
            last = min(first + step, rows)
            out += x[:, first:last] @ self._engine.read(codes, first, last)
        return self._weight.scaled(out, x.sum(axis=1))
