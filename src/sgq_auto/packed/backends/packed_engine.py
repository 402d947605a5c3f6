"""What the packed runtime spends its time in, on a chunk of rows at a time, in fp64."""

from dataclasses import dataclass
from typing import Protocol

from sgq_auto.packed.codes.bit_packing import Array, PackedIntegers
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.codes.coded_rows import BitmapRows, Blocks, Chunk, EliasFanoRows
from sgq_auto.packed.codes.ranges import Floats, Ranges


@dataclass(frozen=True)
class HeadParts:
    """Where the columns of targets and of sources lie in a matrix that has both.

    Attributes:
        targets: The first column of targets.
        sources: The first column of sources; it may be the same.
        heads: How many heads both have.
        channels: Columns of a head.
    """

    targets: int
    sources: int
    heads: int
    channels: int


class Engine(Protocol):
    """Kernels that read packed codes; every engine gives the same numbers to rounding."""

    def decode(
        self, rows: EliasFanoRows | BitmapRows, chunk: Chunk, *, loops: bool
    ) -> tuple[Array, Array]:
        """The entries of a chunk of rows as CSR.

        Args:
            rows: The coded pattern.
            chunk: Which rows.
            loops: Whether each row starts with an entry on the diagonal, which is not coded.

        Returns:
            ``rowptr int64 [rows + 1]`` and ``columns int32 [entries]``.
        """

    def pick(
        self, rows: EliasFanoRows | BitmapRows, blocks: Blocks, wanted: Array
    ) -> tuple[Array, Array, Array]:
        """The entries of some rows as CSR.

        Args:
            rows: The coded pattern.
            blocks: How its rows are cut into blocks.
            wanted: ``int64``, which rows, increasing.

        Returns:
            ``rowptr int64 [wanted + 1]``, ``columns int32 [entries]``, and ``starts int64
            [wanted]``: which entry of the whole pattern each row starts with.
        """

    def take(self, matrix: CodeMatrix, rows: Array) -> Floats:
        """Values ``[rows, width]`` of any rows, ``int32``."""

    def read(self, matrix: CodeMatrix, row: int, stop: int) -> Floats:
        """Values ``[stop - row, width]`` of consecutive rows of one bucket."""

    def write(self, matrix: CodeMatrix, row: int, values: Floats) -> None:
        """Quantize ``[rows, width]`` values and pack them, from ``row`` on, inside one bucket."""

    def weighted_sum(
        self,
        rowptr: Array,
        columns: Array,
        weights: Floats,
        matrix: CodeMatrix,
        span: tuple[int, int] | None = None,
    ) -> Floats:
        """Sums of matrix rows, ``[rows, width]``.

        Args:
            rowptr: ``[rows + 1]``, where each sum's entries start.
            columns: ``[entries]`` rows of the matrix, increasing inside a sum but for its first.
            weights: ``[entries, heads]``; head ``h`` weighs the ``h``-th part of the columns.
            matrix: What is summed.
            span: The first of its columns that are summed, and how many; ``None`` for all.
        """

    def row_extremes(
        self, rowptr: Array, columns: Array, matrix: CodeMatrix, *, largest: bool
    ) -> Floats:
        """The largest or smallest of matrix rows ``[rows, width]``, column by column.

        Args:
            rowptr: ``[rows + 1]``, where the entries of each row start; one of none is 0.
            columns: ``[entries]`` rows of the matrix.
            matrix: What is compared.
            largest: Whether the largest is taken.
        """

    def squared_distances(
        self, rowptr: Array, columns: Array, centers: Floats, matrix: CodeMatrix
    ) -> Floats:
        """Sums of ``(value - center)^2``, column by column, with ``centers`` ``[rows, width]``."""

    def bitmap_product(
        self, rows: BitmapRows, chunk: Chunk, weight: PackedWeight
    ) -> tuple[Floats, Floats]:
        """Products ``[rows, out]`` of a bitmap's rows and a weight, and the set bits of each row.

        Args:
            rows: The bitmap.
            chunk: Which rows of it.
            weight: The weight ``[columns, out]``.
        """

    def sparse_product(
        self,
        rowptr: Array,
        columns: Array,
        values: CodeMatrix,
        first: int,
        weight: PackedWeight,
        starts: Array | None = None,
    ) -> tuple[Floats, Floats]:
        """Products ``[rows, out]`` of sparse rows and a weight, and the sum of each row.

        Args:
            rowptr: ``[rows + 1]``, where each row's entries start.
            columns: ``[entries]``.
            values: One column; those of the entries are rows of one bucket.
            first: The first of these.
            weight: The weight ``[columns, out]``.
            starts: ``int64 [rows]``, which row of ``values`` the entries of each row start with,
                where they do not follow one another.
        """

    def row_dots(self, rows: Array, matrix: CodeMatrix, vectors: Floats) -> Floats:
        """Inner products ``[entries, heads]`` of matrix rows with ``vectors [heads, channels]``."""

    def cosines(self, rowptr: Array, columns: Array, row: int, matrix: CodeMatrix) -> Floats:
        """Cosines ``[entries]`` between row ``row + k`` of the matrix and the columns of sum ``k``.

        A row of zeros has cosine 0 with all.
        """

    def pair_dots(
        self, rowptr: Array, columns: Array, row: int, matrix: CodeMatrix, parts: HeadParts
    ) -> Floats:
        """Inner products ``[entries, heads]`` of two parts of a matrix's rows, head by head.

        Args:
            rowptr: ``[rows + 1]``.
            columns: ``[entries]``, rows whose source part is taken.
            row: The first row; row ``row + k``, whose target part is taken, is that of sum ``k``.
            matrix: What has both parts.
            parts: Where they lie.
        """

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
        """``vectors [heads, channels]`` times ``LeakyReLU(target + source)``, head by head.

        See :meth:`pair_dots`; ``slope`` is the factor of negative sums.
        """

    def degree_weights(
        self, rowptr: Array, columns: Array, row: int, degrees: PackedIntegers, table: Floats
    ) -> Floats:
        """``table[d_i] * table[d_j]`` of each entry ``[entries]``, row ``row + k`` being sum ``k``.

        Args:
            rowptr: ``[rows + 1]``.
            columns: ``[entries]``.
            row: The first row.
            degrees: The degree of every row.
            table: Indexed by degree.
        """

    def fake_quantize(self, values: Floats, ranges: Ranges, group: int) -> Floats:
        """Values ``[n]`` rounded to those that codes of one group stand for."""
