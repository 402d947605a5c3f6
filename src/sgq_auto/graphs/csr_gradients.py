"""The gradients of products with sparse matrices, for :mod:`sgq_auto.graphs.csr_products`."""

from typing import Any, Protocol

import torch
from torch import Tensor

from sgq_auto.compute import Engine, FixedMatrix
from sgq_auto.compute.engine import SparsePattern


class Pattern(SparsePattern, Protocol):
    """Where entries are, and what does the arithmetic."""

    @property
    def engine(self) -> Engine:
        """Does the arithmetic."""


class FixedProduct(torch.autograd.Function):
    """A fixed matrix times a dense one."""

    @staticmethod
    def forward(ctx: Any, dense: Tensor, matrix: FixedMatrix) -> Tensor:
        """The values."""
        ctx.matrix = matrix
        return matrix.multiply(dense)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Gradients of the arguments."""
        return ctx.matrix.multiply_transposed(grad.contiguous()), None


class Spmm(torch.autograd.Function):
    """Sparse times dense, head by head."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, dense: Tensor, pattern: Pattern) -> Tensor:
        """The values."""
        ctx.pattern = pattern
        ctx.save_for_backward(values, dense)
        return pattern.engine.spmm(pattern, values, dense)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Gradients of the arguments."""
        values, dense = ctx.saved_tensors
        pattern, engine = ctx.pattern, ctx.pattern.engine
        grad_values = engine.sddmm(pattern, grad, dense) if ctx.needs_input_grad[0] else None
        needs_dense = ctx.needs_input_grad[1]
        grad_dense = engine.spmm_transposed(pattern, values, grad) if needs_dense else None
        return grad_values, grad_dense, None


class Sddmm(torch.autograd.Function):
    """Inner products at the stored entries."""

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor, pattern: Pattern) -> Tensor:
        """The values."""
        ctx.pattern = pattern
        ctx.save_for_backward(left, right)
        return pattern.engine.sddmm(pattern, left, right)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        """Gradients of the arguments."""
        left, right = ctx.saved_tensors
        pattern, engine = ctx.pattern, ctx.pattern.engine
        grad_left = engine.spmm(pattern, grad, right) if ctx.needs_input_grad[0] else None
        needs_right = ctx.needs_input_grad[1]
        grad_right = engine.spmm_transposed(pattern, grad, left) if needs_right else None
        return grad_left, grad_right, None


class PairScores(torch.autograd.Function):
    """Bent sums of targets and sources at the stored entries."""

    @staticmethod
    def forward(
        ctx: Any, targets: Tensor, sources: Tensor, slope: float, pattern: Pattern
    ) -> Tensor:
        """The values."""
        ctx.pattern, ctx.slope = pattern, slope
        ctx.save_for_backward(targets, sources)
        return pattern.engine.pair_scores(pattern, targets, sources, slope)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Gradients of the arguments."""
        pattern: Pattern = ctx.pattern
        targets, sources = ctx.saved_tensors
        backward = pattern.engine.pair_scores_backward
        return *backward(pattern, targets, sources, ctx.slope, grad), None, None


class RowSoftmax(torch.autograd.Function):
    """The softmax of each row."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, pattern: Pattern) -> Tensor:
        """The values."""
        ctx.pattern = pattern
        softmax = pattern.engine.row_softmax(pattern, scores)
        ctx.save_for_backward(softmax)
        return softmax

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Gradients of the arguments."""
        (softmax,) = ctx.saved_tensors
        return ctx.pattern.engine.row_softmax_backward(ctx.pattern, softmax, grad), None


class RowMax(torch.autograd.Function):
    """The largest of each row."""

    @staticmethod
    def forward(ctx: Any, dense: Tensor, pattern: Pattern) -> Tensor:
        """The values."""
        ctx.pattern = pattern
        out = pattern.engine.row_max(pattern, dense)
        ctx.save_for_backward(dense, out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Gradients of the arguments."""
        dense, out = ctx.saved_tensors
        return ctx.pattern.engine.row_max_backward(ctx.pattern, dense, out, grad), None
