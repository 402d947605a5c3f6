"""The CPU engine: compiled kernels on the tensors' own memory, one thread, fp32 only."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgq_auto.compute.engine import SparsePattern
from sgq_auto.compute.kernels import attention, layout, rounding, sparse
from sgq_auto.compute.kernels.dropout import dropout

# A block of this many rows of 16 floats just fits a common second-level cache.
_BLOCK_COLUMNS = 16_384
# Shorter runs of entries a row and block cost more in bookkeeping than a nearer cache saves.
_ENTRIES_PER_RUN = 16


@dataclass(frozen=True, eq=False)
class NumbaFixedMatrix:
    """A CSR matrix in column blocks, so that the dense rows of a block stay in a near cache.

    Attributes:
        rowptr: ``[blocks, rows + 1]``.
        col: ``[entries]``, block by block.
        values: ``[entries, 1]``, block by block.
        shape: Rows and columns.
        columns: Columns of a block.
    """

    rowptr: np.ndarray[Any, Any]
    col: np.ndarray[Any, Any]
    values: np.ndarray[Any, Any]
    shape: tuple[int, int]
    columns: int

    def multiply(self, dense: Tensor) -> Tensor:
        """Block after block of columns, each added to all rows: the block's features stay near."""
        out = dense.new_zeros(self.shape[0], dense.size(1))
        sparse.spmm(*self._arrays(dense, out))
        return out

    def multiply_transposed(self, dense: Tensor) -> Tensor:
        """The same walk over the blocks: no transpose is stored."""
        out = dense.new_zeros(self.shape[1], dense.size(1))
        sparse.spmm_transposed(*self._arrays(dense, out))
        return out

    def _arrays(self, dense: Tensor, out: Tensor) -> tuple[Any, ...]:
        operands = _one_head(dense), _one_head(out)
        return self.rowptr, self.col, self.values, *operands, self.columns


class NumbaEngine:
    """:class:`~sgq_auto.compute.engine.Engine` on compiled CPU kernels; see there."""

    def fixed_matrix(self, pattern: SparsePattern, values: Tensor) -> NumbaFixedMatrix:
        """Cut the matrix into column blocks, if its rows of features outgrow a near cache."""
        rowptr, col, array = _array(pattern.rowptr), _array(pattern.col), _array(values)
        columns = _block_columns(pattern.shape, col.size)
        if columns >= pattern.shape[1]:
            return NumbaFixedMatrix(rowptr[None], col, array[:, None], pattern.shape, columns)
        starts, block_col, block_values = layout.block_columns(
            rowptr, col, array, pattern.shape[1], columns
        )
        return NumbaFixedMatrix(starts, block_col, block_values[:, None], pattern.shape, columns)

    def spmm(self, pattern: SparsePattern, values: Tensor, dense: Tensor) -> Tensor:
        """One pass over the rows, output in registers: ``[rows, heads, channels]``."""
        out = dense.new_zeros(pattern.shape[0], *dense.shape[1:])
        index = _array(pattern.rowptr)[None], _array(pattern.col)
        sparse.spmm(*index, _array(values), _array(dense), _array(out))
        return out

    def spmm_transposed(self, pattern: SparsePattern, values: Tensor, dense: Tensor) -> Tensor:
        """Add each row to the columns that it names, so that no transpose is stored."""
        out = dense.new_zeros(pattern.shape[1], *dense.shape[1:])
        index = _array(pattern.rowptr)[None], _array(pattern.col)
        sparse.spmm_transposed(*index, _array(values), _array(dense), _array(out))
        return out

    def sddmm(self, pattern: SparsePattern, left: Tensor, right: Tensor) -> Tensor:
        """One pass over the rows, an inner product at each entry: ``[entries, heads]``."""
        out = left.new_zeros(pattern.col.numel(), left.size(1))
        sparse.sddmm(*_index(pattern), _array(left), _array(right), _array(out))
        return out

    def row_sum(self, pattern: SparsePattern, values: Tensor) -> Tensor:
        """One pass over the entries: ``[rows, heads]``."""
        out = values.new_zeros(pattern.shape[0], values.size(1))
        attention.row_sum(_array(pattern.rowptr), _array(values), _array(out))
        return out

    def pair_scores(
        self, pattern: SparsePattern, targets: Tensor, sources: Tensor, slope: float
    ) -> Tensor:
        """One pass over the rows: ``[entries, heads]``."""
        out = targets.new_empty(pattern.col.numel(), targets.size(1))
        ends = _array(targets), _array(sources)
        attention.pair_scores(*_index(pattern), *ends, slope, _array(out))
        return out

    def pair_scores_backward(
        self, pattern: SparsePattern, targets: Tensor, sources: Tensor, slope: float, grad: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One pass adds each entry to its row and to its column."""
        grads = targets.new_zeros(targets.shape), sources.new_zeros(sources.shape)
        attention.pair_scores_backward(
            *_index(pattern),
            _array(targets),
            _array(sources),
            slope,
            _array(grad),
            *(_array(g) for g in grads),
        )
        return grads

    def row_softmax(self, pattern: SparsePattern, scores: Tensor) -> Tensor:
        """Three passes; the exponentials are torch's, on the same memory."""
        out, rowptr = _empty(scores), _array(pattern.rowptr)
        attention.subtract_row_maximum(rowptr, _array(scores), _array(out))
        attention.divide_by_row_sum(rowptr, _array(out.exp_()))
        return out

    def row_softmax_backward(self, pattern: SparsePattern, softmax: Tensor, grad: Tensor) -> Tensor:
        """One pass over the rows: ``[entries, heads]``."""
        out = _empty(softmax)
        arrays = _array(softmax), _array(grad), _array(out)
        attention.softmax_backward(_array(pattern.rowptr), *arrays)
        return out

    def round_to_codes(
        self, x: Tensor, ends: Tensor, step: Tensor, offset: Tensor, levels: Tensor
    ) -> Tensor:
        """One pass over the values, group after group."""
        out = _empty(x)
        groups = _array(step), _array(offset), _array(levels)
        rounding.round_to_codes(_flat(x), _array(ends), _width(x), *groups, _flat(out))
        return out

    def round_to_codes_backward(
        self, x: Tensor, ends: Tensor, step: Tensor, offset: Tensor, levels: Tensor, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One pass for all three gradients."""
        grads = _empty(x), _empty(step), _empty(step)
        groups = _array(step), _array(offset), _array(levels)
        rounding.round_to_codes_backward(
            *(_flat(x), _array(ends), _width(x), *groups, _flat(grad)),
            *(_flat(g) for g in grads),
        )
        return grads

    def dropout(self, x: Tensor, p: float, seed: int) -> Tensor:
        """The mask is drawn from a counter and stored nowhere; the backward draws it again."""
        out = _empty(x)
        dropout(_flat(x), p, seed, _flat(out))
        return out


def _array(tensor: Tensor) -> np.ndarray[Any, Any]:
    """The memory of a contiguous tensor (or of a contiguous copy) as an array."""
    if tensor.dtype is torch.float64:
        raise TypeError("the CPU engine computes in fp32, not fp64")
    # Called a hundred times an epoch: each of these costs a microsecond only where it is needed.
    array: np.ndarray[Any, Any] = (tensor.detach() if tensor.requires_grad else tensor).numpy()
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)


def _empty(like: Tensor) -> Tensor:
    return torch.empty_like(like, memory_format=torch.contiguous_format)


def _index(pattern: SparsePattern) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return _array(pattern.rowptr), _array(pattern.col)


def _one_head(tensor: Tensor) -> np.ndarray[Any, Any]:
    return _array(tensor)[:, None, :]


def _flat(tensor: Tensor) -> np.ndarray[Any, Any]:
    return _array(tensor).ravel()


def _width(tensor: Tensor) -> int:
    """Values of a row, whatever the shape."""
    return tensor.numel() // max(tensor.size(0), 1)


def _block_columns(shape: tuple[int, int], entries: int) -> int:
    """Columns of a block: few enough for a near cache, many enough for long runs in each row."""
    rows, columns = shape
    for_runs = columns * rows * _ENTRIES_PER_RUN // max(entries, 1)
    block = max(_BLOCK_COLUMNS, for_runs)
    return columns if 2 * block > columns else block
