"""Reductions of messages that differ from edge to edge, because edges have features."""

from collections.abc import Sequence

from torch import Tensor

from sgq_auto.graphs import CsrPattern
from sgq_auto.packed.runtime.neighbor_reductions import SMALLEST_VARIANCE, Reduction


def reduced_messages(
    pattern: CsrPattern, messages: Tensor, reductions: Sequence[Reduction]
) -> list[Tensor]:
    """Each reduction of the messages of a row's entries, ``[rows, features]``; 0 without any.

    Args:
        pattern: The entries.
        messages: ``[entries, features]``.
        reductions: Which.
    """
    return [_reduced(pattern, messages, reduction) for reduction in reductions]


def _reduced(pattern: CsrPattern, messages: Tensor, reduction: Reduction) -> Tensor:
    if reduction in (Reduction.MAX, Reduction.MIN):
        sign = 1 if reduction is Reduction.MAX else -1
        index = pattern.row.long().unsqueeze(1).expand_as(messages)
        nothing = messages.new_zeros(pattern.shape[0], messages.size(1))
        found = nothing.scatter_reduce(0, index, sign * messages, "amax", include_self=False)
        return sign * found
    sums = _sums(pattern, messages)
    if reduction is Reduction.SUM:
        return sums
    counts = pattern.rowptr.diff().clamp(min=1).unsqueeze(1)
    if reduction is Reduction.MEAN:
        return sums / counts
    variance = _sums(pattern, messages * messages) / counts - (sums / counts) ** 2
    if reduction is Reduction.VAR:
        return variance
    deviation = variance.clamp(min=SMALLEST_VARIANCE).sqrt()
    return deviation.masked_fill(variance <= SMALLEST_VARIANCE, 0.0)


def _sums(pattern: CsrPattern, values: Tensor) -> Tensor:
    nothing = values.new_zeros(pattern.shape[0], values.size(1))
    return nothing.index_add(0, pattern.row, values)
