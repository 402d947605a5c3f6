"""One sparsity pattern and the three differentiable products that every model here needs.

The pattern is fixed while a model trains, so its transpose is laid out once and both directions
of every product run over rows. No product materialises an edge-by-feature tensor.
"""

import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

with warnings.catch_warnings():
    # torch says once that sparse CSR is in beta; say it to nobody.
    warnings.simplefilter("ignore")
    torch.sparse_csr_tensor(torch.tensor([0, 0]), torch.tensor([], dtype=torch.int64), [], (1, 1))


@dataclass(frozen=True, eq=False)
class CsrPattern:
    """Where the stored entries of a sparse ``[rows, columns]`` matrix are.

    Attributes:
        rowptr: ``int32 [rows + 1]``, where each row's entries start.
        col: ``int32 [entries]``, column of each entry, rows in order.
        t_rowptr: ``rowptr`` of the transpose.
        t_col: ``col`` of the transpose.
        t_order: ``int32 [entries]``, position of each transposed entry in this pattern.
        shape: ``(rows, columns)``.
    """

    rowptr: Tensor
    col: Tensor
    t_rowptr: Tensor
    t_col: Tensor
    t_order: Tensor
    shape: tuple[int, int]

    @classmethod
    def from_arrays(
        cls, rowptr: np.ndarray[Any, Any], col: np.ndarray[Any, Any], shape: tuple[int, int]
    ) -> "CsrPattern":
        """Build the pattern and its transpose from CSR index arrays."""
        rows = np.repeat(np.arange(shape[0], dtype=np.int32), np.diff(rowptr))
        order = np.argsort(col, kind="stable")
        counts = np.bincount(col, minlength=shape[1])
        t_rowptr = np.concatenate(([0], np.cumsum(counts)))
        return cls(
            rowptr=_int32(rowptr),
            col=_int32(col),
            t_rowptr=_int32(t_rowptr),
            t_col=_int32(rows[order]),
            t_order=_int32(order),
            shape=shape,
        )

    @property
    def num_entries(self) -> int:
        """Number of stored entries."""
        return self.col.numel()

    @cached_property
    def row(self) -> Tensor:
        """``int32 [entries]``, row of each entry."""
        lengths = self.rowptr.diff()
        index = torch.arange(self.shape[0], dtype=torch.int32, device=lengths.device)
        return index.repeat_interleave(lengths)

    def spmm(self, values: Tensor, dense: Tensor) -> Tensor:
        """Sparse times dense, differentiable in both.

        Args:
            values: ``[entries]``, or ``[entries, heads]`` for one matrix a head.
            dense: ``[columns, features]``, or ``[columns, heads, features]``.

        Returns:
            ``[rows, features]``, or ``[rows, heads, features]``.
        """
        out: Tensor = _Spmm.apply(values, dense, self)
        return out

    def sddmm(self, left: Tensor, right: Tensor) -> Tensor:
        """Inner products of row and column vectors at the stored entries, differentiable.

        Args:
            left: ``[rows, features]`` or ``[rows, heads, features]``.
            right: ``[columns, features]`` or ``[columns, heads, features]``.

        Returns:
            ``[entries]`` or ``[entries, heads]``.
        """
        out: Tensor = _Sddmm.apply(left, right, self)
        return out

    def edge_sum(self, left: Tensor, right: Tensor) -> Tensor:
        """``left[row] + right[column]`` at every entry, differentiable; ``[entries, heads]``."""
        out: Tensor = _EdgeSum.apply(left, right, self)
        return out

    def row_softmax(self, scores: Tensor) -> Tensor:
        """Softmax of ``scores`` ``[entries]`` or ``[entries, heads]`` over each row's entries."""
        out: Tensor = _RowSoftmax.apply(scores, self)
        return out

    def row_sum(self, values: Tensor) -> Tensor:
        """Sums over each row's entries: ``[entries, heads]`` to ``[rows, heads]``."""
        return _segment_sums(self.rowptr, self._entries, values)

    def column_sum(self, values: Tensor) -> Tensor:
        """Sums over each column's entries: ``[entries, heads]`` to ``[columns, heads]``."""
        return _segment_sums(self.t_rowptr, self._entries, values.index_select(0, self.t_order))

    @cached_property
    def _entries(self) -> Tensor:
        return torch.arange(self.num_entries, dtype=torch.int32, device=self.col.device)

    def multiply(self, values: Tensor, dense: Tensor) -> Tensor:
        """:meth:`spmm` without gradients."""
        return _multiply(self.rowptr, self.col, self.shape, values, dense)

    def multiply_transposed(self, values: Tensor, dense: Tensor) -> Tensor:
        """The transposed matrix times ``dense``, without gradients."""
        transposed = values.index_select(0, self.t_order)
        shape = (self.shape[1], self.shape[0])
        return _multiply(self.t_rowptr, self.t_col, shape, transposed, dense)

    def sample(self, left: Tensor, right: Tensor) -> Tensor:
        """:meth:`sddmm` without gradients."""
        if left.dim() == 2:
            return self._sample_one(left, right)
        heads = range(left.size(1))
        return torch.stack([self._sample_one(left[:, h], right[:, h]) for h in heads], dim=1)

    def _sample_one(self, left: Tensor, right: Tensor) -> Tensor:
        zeros = torch.zeros(self.num_entries, dtype=left.dtype, device=left.device)
        mask = torch.sparse_csr_tensor(self.rowptr, self.col, zeros, self.shape)
        products = torch.sparse.sampled_addmm(
            mask, left.contiguous(), right.contiguous().t(), beta=0.0
        )
        values: Tensor = products.values()
        return values


def _multiply(
    rowptr: Tensor, col: Tensor, shape: tuple[int, int], values: Tensor, dense: Tensor
) -> Tensor:
    if values.dim() == 1:
        return torch.sparse_csr_tensor(rowptr, col, values, shape) @ dense
    heads = [
        torch.sparse_csr_tensor(rowptr, col, values[:, h].contiguous(), shape)
        @ dense[:, h].contiguous()
        for h in range(values.size(1))
    ]
    return torch.stack(heads, dim=1)


def _segment_sums(rowptr: Tensor, entries: Tensor, values: Tensor) -> Tensor:
    # A product with a matrix of ones, one row a segment: several times faster than scatter-add.
    shape = (rowptr.numel() - 1, entries.numel())
    ones = torch.ones(entries.numel(), dtype=values.dtype, device=values.device)
    return torch.sparse_csr_tensor(rowptr, entries, ones, shape) @ values


def _int32(array: np.ndarray[Any, Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.int32))


class _Spmm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, dense: Tensor, pattern: CsrPattern) -> Tensor:
        ctx.pattern = pattern
        ctx.save_for_backward(values, dense)
        return pattern.multiply(values, dense)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        values, dense = ctx.saved_tensors
        pattern: CsrPattern = ctx.pattern
        grad_values = pattern.sample(grad, dense) if ctx.needs_input_grad[0] else None
        grad_dense = pattern.multiply_transposed(values, grad) if ctx.needs_input_grad[1] else None
        return grad_values, grad_dense, None


class _Sddmm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, pattern: CsrPattern) -> Tensor:
        ctx.pattern = pattern
        ctx.save_for_backward(left, right)
        return pattern.sample(left, right)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        left, right = ctx.saved_tensors
        pattern: CsrPattern = ctx.pattern
        grad_left = pattern.multiply(grad, right) if ctx.needs_input_grad[0] else None
        grad_right = pattern.multiply_transposed(grad, left) if ctx.needs_input_grad[1] else None
        return grad_left, grad_right, None


class _EdgeSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, pattern: CsrPattern) -> Tensor:
        ctx.pattern = pattern
        rows = left.index_select(0, pattern.row)
        return rows.add_(right.index_select(0, pattern.col))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        pattern: CsrPattern = ctx.pattern
        return pattern.row_sum(grad), pattern.column_sum(grad), None


class _RowSoftmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, pattern: CsrPattern) -> Tensor:
        columns = scores if scores.dim() == 2 else scores.unsqueeze(1)
        offsets = pattern.rowptr.long()
        largest = torch.segment_reduce(columns, "max", offsets=offsets, axis=0)
        exponentials = (columns - largest.index_select(0, pattern.row)).exp_()
        sums = pattern.row_sum(exponentials)
        softmax = exponentials.div_(sums.index_select(0, pattern.row)).view_as(scores)
        ctx.pattern = pattern
        ctx.save_for_backward(softmax)
        return softmax

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (softmax,) = ctx.saved_tensors
        weighted = (softmax * grad).view(softmax.size(0), -1)
        sums = ctx.pattern.row_sum(weighted).index_select(0, ctx.pattern.row)
        return softmax * (grad - sums.view_as(grad)), None
