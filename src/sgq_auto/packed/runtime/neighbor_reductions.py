"""What a node makes of its neighbours' rows: sums, means, extremes and how they spread."""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum

import numpy as np

from sgq_auto.packed.backends.numpy_values import Segment, segments_of
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix
from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.runtime.forward_pass import Inference
from sgq_auto.packed.runtime.graphs.packed_features import PackedFeatures
from sgq_auto.packed.runtime.weight_products import Source

# PyG takes a smaller variance for none.
SMALLEST_VARIANCE = 1e-5


class Reduction(StrEnum):
    """One number of a node's neighbours, column by column; 0 without any."""

    MEAN = "mean"
    SUM = "sum"
    MAX = "max"
    MIN = "min"
    VAR = "var"
    STD = "std"


# What is added to the rows that some of a chunk's entries gather, fp64 ``[entries, width]``.
AddedToEntries = Callable[[slice], Floats]
_SPREADS = frozenset({Reduction.VAR, Reduction.STD})


class NeighborRows:
    """The rows that nodes gather, of an embedding or of the node features.

    Args:
        inference: The forward pass.
        source: What is gathered.

    Attributes:
        width: Columns of a row.
    """

    def __init__(self, inference: Inference, source: Source) -> None:
        self._engine = inference.engine
        self._blocks = inference.graph.blocks
        self._source = source
        is_matrix = isinstance(source, CodeMatrix)
        self.width = source.width if is_matrix else source.spec.num_features  # type: ignore[union-attr]

    def reduced(
        self,
        rowptr: Array,
        columns: Array,
        reductions: Sequence[Reduction],
        added: AddedToEntries | None = None,
    ) -> list[Floats]:
        """Each of some reductions of a chunk's entries, fp64 ``[rows, width]``.

        Args:
            rowptr: ``[rows + 1]``, where the entries of each row start.
            columns: ``[entries]``, the rows that are gathered.
            reductions: Which.
            added: What each entry adds to the row that it gathers; ``None`` for nothing.
        """
        if added is not None:
            return self._of_messages(rowptr, columns, reductions, added)
        counts = np.maximum(np.diff(rowptr), 1)[:, None]
        made: dict[Reduction, Floats] = {}
        if set(reductions) - {Reduction.MAX, Reduction.MIN}:
            made[Reduction.SUM] = self.sums(rowptr, columns, np.ones((columns.size, 1)))
            made[Reduction.MEAN] = made[Reduction.SUM] / counts
        if _SPREADS & set(reductions):
            distances = self._distances(rowptr, columns, made[Reduction.MEAN])
            made[Reduction.VAR] = variance = distances / counts
            is_any = variance > SMALLEST_VARIANCE
            made[Reduction.STD] = np.where(is_any, np.sqrt(variance), 0.0)
        for extreme in {Reduction.MAX, Reduction.MIN} & set(reductions):
            largest = extreme is Reduction.MAX
            made[extreme] = self._extremes(rowptr, columns, largest=largest)
        return [made[reduction] for reduction in reductions]

    def _of_messages(
        self, rowptr: Array, columns: Array, reductions: Sequence[Reduction], added: AddedToEntries
    ) -> list[Floats]:
        """The same of rows to which something is added, a bounded number of entries at a time."""
        counts, shape = np.maximum(np.diff(rowptr), 1)[:, None], (rowptr.size - 1, self.width)
        sums, low, high = np.zeros(shape), np.full(shape, np.inf), np.full(shape, -np.inf)
        for part, values in self._messages(rowptr, columns, added):
            sums[part.rows] += np.add.reduceat(values, part.begins, axis=0)
            for found, best in ((high, np.maximum), (low, np.minimum)):
                own = best.reduceat(values, part.begins, axis=0)
                found[part.rows] = best(found[part.rows], own)
        is_any = np.diff(rowptr)[:, None] > 0
        made = {Reduction.SUM: sums, Reduction.MEAN: sums / counts}
        made[Reduction.MAX], made[Reduction.MIN] = (np.where(is_any, x, 0.0) for x in (high, low))
        if _SPREADS & set(reductions):
            distances, row = np.zeros(shape), np.repeat(np.arange(shape[0]), np.diff(rowptr))
            for part, values in self._messages(rowptr, columns, added):
                values -= made[Reduction.MEAN][row[part.entries]]
                distances[part.rows] += np.add.reduceat(values**2, part.begins, axis=0)
            made[Reduction.VAR] = variance = distances / counts
            spread = variance > SMALLEST_VARIANCE
            made[Reduction.STD] = np.where(spread, np.sqrt(variance), 0.0)
        return [made[reduction] for reduction in reductions]

    def _messages(
        self, rowptr: Array, columns: Array, added: AddedToEntries
    ) -> Iterator[tuple[Segment, Floats]]:
        for part in segments_of(rowptr, self.width):
            values = self.taken(columns[part.entries])
            values += added(part.entries)
            yield part, values

    def taken(self, rows: Array) -> Floats:
        """Values ``[n, width]`` of any rows, ``int32 [n]``."""
        if isinstance(self._source, CodeMatrix):
            return self._engine.take(self._source, rows)
        if self._source.pattern is None:
            return self._source.take(self._engine, rows)
        out = np.zeros((rows.size, self.width))
        ends, listed, values = self._source.listed(self._engine, self._blocks, rows)
        out[np.repeat(np.arange(rows.size), np.diff(ends)), listed] = values
        return out

    def sums(self, rowptr: Array, columns: Array, weights: Floats) -> Floats:
        """Sums of rows, weighted by ``[entries, 1]``: fp64 ``[rows, width]``."""
        if isinstance(self._source, CodeMatrix):
            return self._engine.weighted_sum(rowptr, columns, weights, self._source)
        out = np.zeros((rowptr.size - 1, self.width))
        if self._source.pattern is not None:
            for entries, places, values in self._listed(rowptr, columns):
                np.add.at(out.ravel(), places, values * weights[entries, 0])
            return out
        for part in segments_of(rowptr, self.width):
            values = self._source.take(self._engine, columns[part.entries])
            values *= weights[part.entries]
            out[part.rows] += np.add.reduceat(values, part.begins, axis=0)
        return out

    def _extremes(self, rowptr: Array, columns: Array, *, largest: bool) -> Floats:
        if isinstance(self._source, CodeMatrix):
            return self._engine.row_extremes(rowptr, columns, self._source, largest=largest)
        sign, degrees = 1.0 if largest else -1.0, np.diff(rowptr)[:, None]
        out = np.full((rowptr.size - 1, self.width), -np.inf)
        if self._source.pattern is not None:
            stored = np.zeros(out.shape, dtype=np.int32)
            for _, places, values in self._listed(rowptr, columns):
                np.maximum.at(out.ravel(), places, sign * values)
                np.add.at(stored.ravel(), places, 1)
            # What is not stored is 0.
            out = np.where(stored < degrees, np.maximum(out, 0.0), out)
            return sign * np.where(degrees > 0, out, 0.0)
        for part in segments_of(rowptr, self.width):
            values = sign * self._source.take(self._engine, columns[part.entries])
            found = np.maximum.reduceat(values, part.begins, axis=0)
            out[part.rows] = np.maximum(out[part.rows], found)
        return sign * np.where(degrees > 0, out, 0.0)

    def _distances(self, rowptr: Array, columns: Array, centers: Floats) -> Floats:
        if isinstance(self._source, CodeMatrix):
            return self._engine.squared_distances(rowptr, columns, centers, self._source)
        out, degrees = np.zeros(centers.shape), np.diff(rowptr)
        if self._source.pattern is not None:
            stored = np.zeros(out.shape, dtype=np.int32)
            for _, places, values in self._listed(rowptr, columns):
                np.add.at(out.ravel(), places, (values - centers.ravel()[places]) ** 2)
                np.add.at(stored.ravel(), places, 1)
            return out + (degrees[:, None] - stored) * centers**2
        row = np.repeat(np.arange(len(centers)), degrees)
        for part in segments_of(rowptr, self.width):
            values = self._source.take(self._engine, columns[part.entries])
            values -= centers[row[part.entries]]
            out[part.rows] += np.add.reduceat(values**2, part.begins, axis=0)
        return out

    def _listed(self, rowptr: Array, columns: Array) -> Iterator[tuple[Array, Array, Floats]]:
        """The stored values of sparse features that are gathered, a bounded number at a time.

        Each comes with its entry, and its place in a flat array ``[rows * width]``.
        """
        assert isinstance(self._source, PackedFeatures)
        row = np.repeat(np.arange(rowptr.size - 1), np.diff(rowptr))
        for part in segments_of(rowptr, self.width):
            rows = columns[part.entries]
            ends, listed, values = self._source.listed(self._engine, self._blocks, rows)
            entries = np.repeat(np.arange(part.entries.start, part.entries.stop), np.diff(ends))
            yield entries, row[entries] * self.width + listed, values
