"""Attention over the entries of each row: scores of node pairs and their softmax.

Scores are ``[entries, heads]``; a row's entries are contiguous, so every segment is a slice. The
kernels stream their edge tensors once or twice and are bound by memory beyond cache sizes. The
exponential between :func:`subtract_row_maximum` and :func:`divide_by_row_sum` is left to the
caller, whose library has a vectorised one.
"""

from collections.abc import Callable
from functools import cache

import numba
import numpy as np

from sgq_auto.compute.kernel_compiler import Array, compiled
from sgq_auto.compute.kernels.vectors import (
    add,
    add_scaled,
    leaky,
    load,
    maximum,
    multiply,
    reciprocal,
    store,
    subtract,
    zeros,
)

_int64 = numba.int64


def pair_scores(
    rowptr: Array, col: Array, targets: Array, sources: Array, slope: float, out: Array
) -> None:
    """``out = LeakyReLU(targets[row] + sources[column])`` at every entry.

    Args:
        rowptr: ``[rows + 1]``.
        col: ``[entries]``.
        targets: ``[rows, heads]`` fp32.
        sources: ``[columns, heads]`` fp32.
        slope: Factor of negative sums, fp32.
        out: ``[entries, heads]`` fp32.
    """
    kernel = _pair_scores(targets.shape[1])
    kernel(rowptr, col, targets.ravel(), sources.ravel(), np.float32(slope), out.ravel())


def pair_scores_backward(
    rowptr: Array,
    col: Array,
    targets: Array,
    sources: Array,
    slope: float,
    grad: Array,
    grad_targets: Array,
    grad_sources: Array,
) -> None:
    """Add the gradients of ``targets`` and ``sources``, from the gradient of the scores."""
    arrays = (targets.ravel(), sources.ravel(), np.float32(slope), grad.ravel())
    kernel = _pair_scores_backward(targets.shape[1])
    kernel(rowptr, col, *arrays, grad_targets.ravel(), grad_sources.ravel())


def row_sum(rowptr: Array, values: Array, out: Array) -> None:
    """``out [rows, heads]``: sums of ``values [entries, heads]`` over each row."""
    _row_sum(values.shape[1])(rowptr, values.ravel(), out.ravel())


def subtract_row_maximum(rowptr: Array, scores: Array, out: Array) -> None:
    """``out = scores`` less their largest value in each row, head by head."""
    _subtract_row_maximum(scores.shape[1])(rowptr, scores.ravel(), out.ravel())


def divide_by_row_sum(rowptr: Array, scores: Array) -> None:
    """Divide ``scores`` by their sum over each row, in place."""
    _divide_by_row_sum(scores.shape[1])(rowptr, scores.ravel())


def softmax_backward(rowptr: Array, softmax: Array, grad: Array, out: Array) -> None:
    """Gradient of the scores from the softmax and its gradient."""
    _softmax_backward(softmax.shape[1])(rowptr, softmax.ravel(), grad.ravel(), out.ravel())


@cache
def _pair_scores(heads: int) -> Callable[..., None]:
    @compiled()
    def pair_scores(rowptr, col, targets, sources, slope, out):
        for i in range(rowptr.size - 1):
            target = load(targets, i * heads, heads)
            for e in range(_int64(rowptr[i]), _int64(rowptr[i + 1])):
                total = add(target, load(sources, _int64(col[e]) * heads, heads))
                store(out, e * heads, heads, leaky(total, total, slope))

    return pair_scores


@cache
def _pair_scores_backward(heads: int) -> Callable[..., None]:
    @compiled()
    def pair_scores_backward(
        rowptr, col, targets, sources, slope, grad, grad_targets, grad_sources
    ):
        for i in range(rowptr.size - 1):
            target = load(targets, i * heads, heads)
            total = load(grad_targets, i * heads, heads)
            for e in range(_int64(rowptr[i]), _int64(rowptr[i + 1])):
                at = _int64(col[e]) * heads
                signs = add(target, load(sources, at, heads))
                share = leaky(load(grad, e * heads, heads), signs, slope)
                store(grad_sources, at, heads, add(load(grad_sources, at, heads), share))
                total = add(total, share)
            store(grad_targets, i * heads, heads, total)

    return pair_scores_backward


@cache
def _row_sum(heads: int) -> Callable[..., None]:
    @compiled()
    def row_sum(rowptr, values, out):
        for i in range(rowptr.size - 1):
            total = zeros(heads)
            for e in range(_int64(rowptr[i]), _int64(rowptr[i + 1])):
                total = add(total, load(values, e * heads, heads))
            store(out, i * heads, heads, total)

    return row_sum


@cache
def _subtract_row_maximum(heads: int) -> Callable[..., None]:
    @compiled()
    def subtract_row_maximum(rowptr, scores, out):
        for i in range(rowptr.size - 1):
            start, end = _int64(rowptr[i]), _int64(rowptr[i + 1])
            if start == end:
                continue
            largest = load(scores, start * heads, heads)
            for e in range(start + 1, end):
                largest = maximum(largest, load(scores, e * heads, heads))
            for e in range(start, end):
                at = e * heads
                store(out, at, heads, subtract(load(scores, at, heads), largest))

    return subtract_row_maximum


@cache
def _divide_by_row_sum(heads: int) -> Callable[..., None]:
    @compiled()
    def divide_by_row_sum(rowptr, scores):
        for i in range(rowptr.size - 1):
            start, end = _int64(rowptr[i]), _int64(rowptr[i + 1])
            total = zeros(heads)
            for e in range(start, end):
                total = add(total, load(scores, e * heads, heads))
            factor = reciprocal(total)
            for e in range(start, end):
                at = e * heads
                store(scores, at, heads, multiply(load(scores, at, heads), factor))

    return divide_by_row_sum


@cache
def _softmax_backward(heads: int) -> Callable[..., None]:
    @compiled()
    def softmax_backward(rowptr, softmax, grad, out):
        for i in range(rowptr.size - 1):
            start, end = _int64(rowptr[i]), _int64(rowptr[i + 1])
            mean = zeros(heads)
            for e in range(start, end):
                at = e * heads
                mean = add_scaled(mean, load(softmax, at, heads), load(grad, at, heads))
            for e in range(start, end):
                at = e * heads
                centred = subtract(load(grad, at, heads), mean)
                store(out, at, heads, multiply(load(softmax, at, heads), centred))

    return softmax_backward
