"""What compiled kernels are given, and the scores of pairs of nodes that they make."""

from dataclasses import dataclass, field

import numpy as np

from sgq_auto.packed.backends.machine_code import Kernels, load_kernels
from sgq_auto.packed.backends.packed_engine import HeadParts
from sgq_auto.packed.backends.signatures import LANES
from sgq_auto.packed.codes.bit_packing import Array, Bytes, PackedIntegers
from sgq_auto.packed.codes.code_matrix import CodeMatrix
from sgq_auto.packed.codes.ranges import Floats

# Values that kernels may write past the last one of their result.
PAST = 16
WORD_BYTES = 8


@dataclass(frozen=True)
class CompiledScores:
    """The part of a compiled engine that attention coefficients are made from; see the protocol.

    Arrays that a kernel writes a vector at a time are given room for the last one.
    """

    kernels: Kernels = field(default_factory=load_kernels, repr=False)

    def row_dots(self, rows: Array, matrix: CodeMatrix, vectors: Floats) -> Floats:
        """Multiply eight columns at a time.

        The vectors are padded with zeros, so that columns past the end of a head count for nothing.
        """
        heads = vectors.shape[0]
        out = np.empty((rows.size, heads))
        self.kernels.row_dots(rows, rows.size, *as_code(matrix), _padded_heads(vectors), heads, out)
        return out

    def cosines(self, rowptr: Array, columns: Array, row: int, matrix: CodeMatrix) -> Floats:
        """Unpack the row of each sum once, and the rows of its entries eight columns at a time.

        Needs room for a single row, where numpy needs it for a whole part of the entries.
        """
        out, left = np.empty(columns.size), np.empty(_whole_lanes(matrix.width))
        entries = rowptr, rowptr.size - 1, columns, row
        self.kernels.cosines(*entries, *as_code(matrix), left, out)
        return out

    def pair_dots(
        self, rowptr: Array, columns: Array, row: int, matrix: CodeMatrix, parts: HeadParts
    ) -> Floats:
        """Unpack the own part of a row once, and those of its entries eight columns at a time."""
        heads, channels = parts.heads, parts.channels
        out, own = np.empty((columns.size, heads)), np.empty(heads * _whole_lanes(channels))
        entries, firsts = (rowptr, rowptr.size - 1, columns, row), (parts.targets, parts.sources)
        self.kernels.pair_dots(*entries, *as_code(matrix), *firsts, heads, channels, own, out)
        return out

    def leaky_dots(
        self,
        rowptr: Array,
        columns: Array,
        row: int,
        matrix: CodeMatrix,
        parts: HeadParts,
        vectors: Floats,
        slope: float,
    ) -> Floats:
        """Add, bend and multiply eight columns at a time; nothing of a sum is kept."""
        heads, channels = parts.heads, parts.channels
        out, own = np.empty((columns.size, heads)), np.empty(heads * _whole_lanes(channels))
        entries, firsts = (rowptr, rowptr.size - 1, columns, row), (parts.targets, parts.sources)
        scored = _padded_heads(vectors), slope, heads, channels
        self.kernels.leaky_dots(*entries, *as_code(matrix), *firsts, *scored, own, out)
        return out

    def degree_weights(
        self, rowptr: Array, columns: Array, row: int, degrees: PackedIntegers, table: Floats
    ) -> Floats:
        """Read each degree from its packed bits and look it up; one pass over the entries."""
        out, stream = np.empty(columns.size + PAST), as_words(degrees.stream)
        entries = rowptr, rowptr.size - 1, columns, row
        code = stream, stream.size, degrees.bits
        self.kernels.degree_weights(*entries, *code, table, out)
        return out[: columns.size]


def _whole_lanes(width: int) -> int:
    """A width filled up to whole vectors of values."""
    return -(-width // LANES) * LANES


def _padded_heads(vectors: Floats) -> Floats:
    """Vectors ``[heads, channels]``, each filled up with zeros to whole vectors of values."""
    heads, channels = vectors.shape
    padded = np.zeros((heads, _whole_lanes(channels)))
    padded[:, :channels] = vectors
    return padded


def as_code(matrix: CodeMatrix) -> tuple[Bytes, int, Array, int]:
    """A matrix of codes as kernels take it."""
    stream = as_words(matrix.stream)
    return stream, stream.size, matrix.layout, matrix.width


def as_words(stream: Bytes) -> Bytes:
    """A stream of at least one word, which is what kernels read."""
    if stream.size >= WORD_BYTES:
        return stream
    padded = np.zeros(WORD_BYTES, dtype=np.uint8)
    padded[: stream.size] = stream
    return padded
