"""One sparsity pattern and the differentiable products that the models here need.

The pattern is fixed while a model trains. No product materialises an edge-by-feature tensor.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgq_auto.compute import Engine, FixedMatrix, engine_for
from sgq_auto.graphs.csr_gradients import (
    FixedProduct,
    PairScores,
    RowMax,
    RowSoftmax,
    Sddmm,
    Spmm,
)

_INT32_MAX = 2**31 - 1


@dataclass(frozen=True, eq=False)
class CsrPattern:
    """Where the stored entries of a sparse ``[rows, columns]`` matrix are.

    Attributes:
        rowptr: ``[rows + 1]``, where each row's entries start; int32 where entries and columns
            fit, else int64.
        col: ``[entries]``, column of each entry, rows in order, columns sorted within a row; of
            the same type.
        shape: ``(rows, columns)``.
        engine: Does the arithmetic.
        weights: ``float32 [entries]``, weights of the edges, 1 at self-loops; where the user's
            graph has them as edge features, ``[entries, columns]``; ``None`` without any.
    """

    rowptr: Tensor
    col: Tensor
    shape: tuple[int, int]
    engine: Engine
    weights: Tensor | None = None

    @classmethod
    def from_arrays(
        cls,
        rowptr: np.ndarray[Any, Any],
        col: np.ndarray[Any, Any],
        shape: tuple[int, int],
        weights: np.ndarray[Any, Any] | None = None,
    ) -> "CsrPattern":
        """The pattern of CSR index arrays, on the CPU."""
        small = max(col.size, *shape) <= _INT32_MAX
        dtype = np.int32 if small else np.int64
        index = [
            torch.from_numpy(np.ascontiguousarray(array, dtype=dtype)) for array in (rowptr, col)
        ]
        values = None if weights is None else torch.from_numpy(weights)
        return cls(index[0], index[1], shape, engine_for("cpu"), values)

    def to(self, device: torch.device) -> "CsrPattern":
        """The pattern on a device, with the engine for it."""
        engine = engine_for(device.type)
        weights = None if self.weights is None else self.weights.to(device)
        return CsrPattern(self.rowptr.to(device), self.col.to(device), self.shape, engine, weights)

    @property
    def num_weights(self) -> int:
        """Numbers that each edge has: 1 for a weight, more for features, 0 for none."""
        if self.weights is None:
            return 0
        return 1 if self.weights.dim() == 1 else self.weights.size(1)

    @property
    def num_entries(self) -> int:
        """Number of stored entries: the edges, with self-loops where the pattern has them."""
        return self.col.numel()

    @cached_property
    def row(self) -> Tensor:
        """``[entries]``, row of each entry; made once, for what walks entries and not rows."""
        index = torch.arange(self.shape[0], dtype=self.rowptr.dtype, device=self.rowptr.device)
        return index.repeat_interleave(self.rowptr.diff(), output_size=self.num_entries)

    @cached_property
    def column_counts(self) -> Tensor:
        """``int64 [columns]``, entries of each column: the out-degrees where rows are targets."""
        return torch.bincount(self.col, minlength=self.shape[1])

    @cached_property
    def transposed_rowptr(self) -> Tensor:
        """``[columns + 1]``, ``rowptr`` of the transpose; counts edges by their source."""
        ends = self.column_counts.cumsum(0)
        return torch.cat([ends.new_zeros(1), ends]).to(self.rowptr.dtype)

    @cached_property
    def transposed_order(self) -> Tensor:
        """``[entries]``, position in this pattern of each entry of the transpose."""
        return torch.argsort(self.col, stable=True).to(self.rowptr.dtype)

    @cached_property
    def without_loops(self) -> "CsrPattern":
        """The pattern without self-loops, for layers that add none (GraphSAGE, GIN).

        Its edges keep their weights.
        """
        kept = self.row != self.col
        counts = torch.bincount(self.row[kept], minlength=self.shape[0])
        rowptr = torch.cat([counts.new_zeros(1), counts.cumsum(0)]).to(self.rowptr.dtype)
        weights = None if self.weights is None else self.weights[kept]
        return replace(self, rowptr=rowptr, col=self.col[kept], weights=weights)

    @cached_property
    def edge_index(self) -> Tensor:
        """``int64 [2, E]`` (column, row) of the entries that are not on its diagonal.

        Sorted by column, then row, which are source and target: the order of PyG's ``coalesce``.
        """
        pattern = self.without_loops
        order = pattern.transposed_order
        return torch.stack([pattern.col[order].long(), pattern.row[order].long()])

    def row_chunks(self, max_entries: int) -> Iterator["RowChunk"]:
        """The pattern cut into runs of whole rows with at most ``max_entries`` (or one row).

        Edges have no weights there.
        """
        ends, rows, start = self.rowptr[1:].long().cpu(), self.shape[0], 0
        while start < rows:
            first = int(self.rowptr[start])
            limit = torch.tensor(first + max_entries)
            stop = max(start + 1, int(torch.searchsorted(ends, limit, right=True)))
            rowptr = self.rowptr[start : stop + 1] - first
            col = self.col[first : int(ends[stop - 1])]
            shape = stop - start, self.shape[1]
            pattern = CsrPattern(rowptr, col, shape, self.engine)
            yield RowChunk(pattern, slice(start, stop), first)
            start = stop

    def fixed_matrix(self, values: Tensor) -> FixedMatrix:
        """The matrix of ``values`` ``[entries]``, laid out for :meth:`multiply_fixed`."""
        return self.engine.fixed_matrix(self, values)

    def spmm(self, values: Tensor, dense: Tensor) -> Tensor:
        """Sparse times dense, differentiable in both.

        Args:
            values: ``[entries]``, or ``[entries, heads]`` for one matrix a head.
            dense: ``[columns, features]``, or ``[columns, heads, channels]``.

        Returns:
            ``[rows, features]``, or ``[rows, heads, channels]``.
        """
        if values.dim() == 1:
            return self.spmm(values.unsqueeze(1), dense.unsqueeze(1)).squeeze(1)
        out: Tensor = Spmm.apply(values, dense, self)
        return out

    def sddmm(self, left: Tensor, right: Tensor) -> Tensor:
        """Inner products of row and column vectors at the stored entries, differentiable.

        Args:
            left: ``[rows, heads, channels]``.
            right: ``[columns, heads, channels]``.

        Returns:
            ``[entries, heads]``.
        """
        out: Tensor = Sddmm.apply(left, right, self)
        return out

    def pair_scores(self, targets: Tensor, sources: Tensor, slope: float) -> Tensor:
        """``LeakyReLU(targets[row] + sources[column])`` at every entry, differentiable.

        Args:
            targets: ``[rows, heads]``.
            sources: ``[columns, heads]``.
            slope: Factor of negative sums.

        Returns:
            ``[entries, heads]``.
        """
        out: Tensor = PairScores.apply(targets, sources, slope, self)
        return out

    def row_softmax(self, scores: Tensor) -> Tensor:
        """Softmax of ``scores`` ``[entries, heads]`` over each row's entries, differentiable."""
        out: Tensor = RowSoftmax.apply(scores, self)
        return out

    def row_max(self, dense: Tensor) -> Tensor:
        """The largest of rows ``[columns, features]`` over each row's entries, differentiable.

        Returns:
            ``[rows, features]``; 0 for a row without entries, as in PyG.
        """
        out: Tensor = RowMax.apply(dense, self)
        return out

    def row_sum(self, values: Tensor) -> Tensor:
        """Sums over each row's entries: ``[entries]`` to ``[rows]``; not differentiable."""
        return self.engine.row_sum(self, values.unsqueeze(1)).squeeze(1)


@dataclass(frozen=True, eq=False)
class RowChunk:
    """Some consecutive rows of a pattern.

    Attributes:
        pattern: Their entries; all columns.
        rows: Which rows they are.
        first_entry: Position of their first entry in the whole pattern.
    """

    pattern: CsrPattern
    rows: slice
    first_entry: int


def entries_of_rows(rowptr: Tensor, rows: Tensor) -> Tensor:
    """``int64``, the entries of some rows of a CSR matrix, row after row in the order of ``rows``.

    Args:
        rowptr: Where each row's entries start.
        rows: The rows.
    """
    starts, counts = rowptr[rows].long(), rowptr.diff()[rows].long()
    ends = counts.cumsum(0)
    total = int(ends[-1]) if ends.numel() else 0
    shifts = (starts - ends + counts).repeat_interleave(counts, output_size=total)
    return shifts + torch.arange(total, device=rowptr.device)


def multiply_fixed(matrix: FixedMatrix, dense: Tensor) -> Tensor:
    """A fixed matrix times ``[columns, features]``, differentiable in ``dense``."""
    out: Tensor = FixedProduct.apply(dense, matrix)
    return out
