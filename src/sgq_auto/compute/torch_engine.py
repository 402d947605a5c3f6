"""The general engine: torch operations only, on any device and in any floating-point type."""

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from sgq_auto.compute.engine import SparsePattern

with warnings.catch_warnings():
    # torch says once that sparse CSR is in beta; say it to nobody.
    warnings.simplefilter("ignore")
    torch.sparse_csr_tensor(torch.tensor([0, 0]), torch.tensor([], dtype=torch.int64), [], (1, 1))


_SEED_PRIME = 2**31 - 1


@dataclass(frozen=True, eq=False)
class TorchFixedMatrix:
    """A CSR tensor and its transpose.

    Attributes:
        matrix: ``[rows, columns]``.
        transposed: ``[columns, rows]``.
    """

    matrix: Tensor
    transposed: Tensor

    def multiply(self, dense: Tensor) -> Tensor:
        """A product of a CSR tensor, by torch."""
        return self.matrix @ dense

    def multiply_transposed(self, dense: Tensor) -> Tensor:
        """A product with the stored transpose: to transpose each time would be far slower."""
        return self.transposed @ dense


class TorchEngine:
    """:class:`~sgq_auto.compute.engine.Engine` on torch's own kernels; see there."""

    def fixed_matrix(self, pattern: SparsePattern, values: Tensor) -> TorchFixedMatrix:
        """A CSR tensor and its transpose, both stored."""
        return TorchFixedMatrix(_matrix(pattern, values), _transposed(pattern, values))

    def spmm(self, pattern: SparsePattern, values: Tensor, dense: Tensor) -> Tensor:
        """A product of torch's CSR tensors for each head: ``[rows, heads, channels]``."""
        heads = range(values.size(1))
        return torch.stack([_matrix(pattern, values[:, h]) @ dense[:, h] for h in heads], dim=1)

    def spmm_transposed(self, pattern: SparsePattern, values: Tensor, dense: Tensor) -> Tensor:
        """A product with a stored transpose for each head: ``[columns, heads, channels]``."""
        heads = range(values.size(1))
        return torch.stack([_transposed(pattern, values[:, h]) @ dense[:, h] for h in heads], dim=1)

    def sddmm(self, pattern: SparsePattern, left: Tensor, right: Tensor) -> Tensor:
        """``torch.sparse.sampled_addmm`` for each head: ``[entries, heads]``."""
        zeros = left.new_zeros(pattern.col.numel())
        mask = _matrix(pattern, zeros)
        products = [
            torch.sparse.sampled_addmm(
                mask, left[:, h].contiguous(), right[:, h].contiguous().t(), beta=0.0
            ).values()
            for h in range(left.size(1))
        ]
        return torch.stack(products, dim=1)

    def row_sum(self, pattern: SparsePattern, values: Tensor) -> Tensor:
        """A segment sum over ``rowptr``: ``[rows, heads]``."""
        return _segment_sums(pattern.rowptr, values)

    def pair_scores(
        self, pattern: SparsePattern, targets: Tensor, sources: Tensor, slope: float
    ) -> Tensor:
        """Gathers both ends of every entry: ``[entries, heads]``."""
        sums = _pair_sums(pattern, targets, sources)
        return torch.nn.functional.leaky_relu(sums, slope)

    def pair_scores_backward(
        self, pattern: SparsePattern, targets: Tensor, sources: Tensor, slope: float, grad: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Segment sums by row, and by column over the transposed order."""
        sums = _pair_sums(pattern, targets, sources)
        grad = torch.where(sums > 0, grad, slope * grad)
        by_column = grad.index_select(0, pattern.transposed_order)
        return (
            _segment_sums(pattern.rowptr, grad),
            _segment_sums(pattern.transposed_rowptr, by_column),
        )

    def row_softmax(self, pattern: SparsePattern, scores: Tensor) -> Tensor:
        """Segment maximum and sum; subtracting the maximum keeps exponentials finite."""
        largest = torch.segment_reduce(scores, "max", offsets=pattern.rowptr.long(), axis=0)
        exponentials = (scores - largest.index_select(0, pattern.row)).exp_()
        sums = self.row_sum(pattern, exponentials)
        return exponentials.div_(sums.index_select(0, pattern.row))

    def row_softmax_backward(self, pattern: SparsePattern, softmax: Tensor, grad: Tensor) -> Tensor:
        """Subtracts the row's weighted mean of the gradient: ``[entries, heads]``."""
        means = self.row_sum(pattern, softmax * grad)
        return softmax * (grad - means.index_select(0, pattern.row))

    def round_to_codes(
        self, x: Tensor, ends: Tensor, step: Tensor, offset: Tensor, levels: Tensor
    ) -> Tensor:
        """Elementwise, after each group's values are spread over its rows."""
        step, offset, levels = (spread_groups(t, ends, x) for t in (step, offset, levels))
        codes = ((x - offset) / step).round_().clamp_(min=0).minimum(levels)
        return codes.mul_(step).add_(offset)

    def round_to_codes_backward(
        self, x: Tensor, ends: Tensor, step: Tensor, offset: Tensor, levels: Tensor, grad: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Elementwise; gradients of step and offset are summed by group."""
        step, offset, levels = (spread_groups(t, ends, x) for t in (step, offset, levels))
        scaled = (x - offset) / step
        inside = (scaled >= 0).logical_and_(scaled <= levels)
        codes = scaled.round().clamp_(min=0).minimum(levels)
        grad_x = grad * inside
        # Inside the range a larger step moves a value by its rounding error, outside by its code.
        grad_step = _group_sums((codes - scaled * inside).mul_(grad), ends)
        return grad_x, grad_step, _group_sums(grad - grad_x, ends)

    def dropout(self, x: Tensor, p: float, seed: int) -> Tensor:
        """A generator of its own for each seed, so that an equal seed drops the same again."""
        # Some generators read the low half of a seed only.
        generator = torch.Generator(x.device).manual_seed(seed % _SEED_PRIME)
        kept = torch.empty_like(x).bernoulli_(1 - p, generator=generator)
        return kept.mul_(x).mul_(1 / (1 - p) if p < 1 else 0)


def group_sizes(ends: Tensor) -> Tensor:
    """Rows of each group, ``[groups]``, from the rows where groups end."""
    return ends.diff(prepend=ends.new_zeros(1))


def spread_groups(per_group: Tensor, ends: Tensor, x: Tensor) -> Tensor:
    """``[groups]`` values over the rows of ``x``, ready to broadcast."""
    by_row = per_group.repeat_interleave(group_sizes(ends), output_size=x.size(0))
    return by_row.view(-1, *[1] * (x.dim() - 1))


def _matrix(pattern: SparsePattern, values: Tensor) -> Tensor:
    return torch.sparse_csr_tensor(
        pattern.rowptr, pattern.col, values.contiguous(), pattern.shape, check_invariants=False
    )


def _transposed(pattern: SparsePattern, values: Tensor) -> Tensor:
    order = pattern.transposed_order
    return torch.sparse_csr_tensor(
        pattern.transposed_rowptr,
        pattern.row.index_select(0, order),
        values.index_select(0, order),
        (pattern.shape[1], pattern.shape[0]),
        check_invariants=False,
    )


def _segment_sums(rowptr: Tensor, values: Tensor) -> Tensor:
    # A product with a matrix of ones, one row a segment: several times faster than scatter-add.
    entries = torch.arange(values.size(0), dtype=rowptr.dtype, device=values.device)
    shape = (rowptr.numel() - 1, values.size(0))
    ones = values.new_ones(values.size(0))
    return torch.sparse_csr_tensor(rowptr, entries, ones, shape, check_invariants=False) @ values


def _pair_sums(pattern: SparsePattern, targets: Tensor, sources: Tensor) -> Tensor:
    sums = targets.index_select(0, pattern.row)
    return sums.add_(sources.index_select(0, pattern.col))


def _group_sums(x: Tensor, ends: Tensor) -> Tensor:
    by_row = x.flatten(1).sum(dim=1) if x.dim() > 1 else x
    sums = torch.cat([by_row.new_zeros(1), by_row.cumsum(0, dtype=torch.float64).to(x.dtype)])
    return sums.index_select(0, ends).diff(prepend=sums.new_zeros(1))
