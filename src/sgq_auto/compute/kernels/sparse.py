"""Sparse products: gather, scatter and inner products over the stored entries of CSR matrices.

Each kernel reads 4 bytes of column index and 4 bytes of value an entry and head from memory, and
a row of the dense operand from the nearest cache that holds it. Where that is the first- or
second-level cache, they are bound by arithmetic and index traffic; where the dense operand is
larger, by the latency of its rows, which is hidden by prefetching or avoided by column blocks.

Dense operands are ``[rows, heads, channels]`` and values ``[entries, heads]``, all contiguous.
A kernel works on a tile of heads and channels whose accumulators fit the vector registers.
"""

from collections.abc import Callable, Iterator
from functools import cache

import numba

from sgq_auto.compute.kernel_compiler import Array, compiled
from sgq_auto.compute.kernels.vectors import (
    add,
    add_scaled,
    dots,
    load,
    prefetch,
    store,
    zeros,
)

_int64 = numba.int64

_REGISTER_FLOATS = 64
_SHORT_FLOATS = 16
# Rows of larger operands are prefetched this many entries ahead.
_NEAR_CACHE_BYTES = 1 << 20
_AHEAD = 32


def spmm(
    rowptr: Array, col: Array, values: Array, dense: Array, out: Array, columns: int = 0
) -> None:
    """Add ``A @ dense`` to ``out``.

    Args:
        rowptr: ``[blocks, rows + 1]``, where the entries of each row start in each column block.
        col: ``[entries]``, columns, counted from the first one of their block.
        values: ``[entries, heads]`` fp32.
        dense: ``[columns, heads, channels]`` fp32.
        out: ``[rows, heads, channels]`` fp32.
        columns: Columns of a block; any number where there is one block.
    """
    ahead = _distance(dense, blocks=rowptr.shape[0])
    for heads, channels, where in _tiles(dense):
        kernel = _gather(heads, channels, ahead)
        kernel(rowptr, col, values.ravel(), dense.ravel(), out.ravel(), columns, *where)


def spmm_transposed(
    rowptr: Array, col: Array, values: Array, dense: Array, out: Array, columns: int = 0
) -> None:
    """Add ``A.T @ dense`` to ``out``: ``dense`` is ``[rows, ...]``, ``out`` ``[columns, ...]``."""
    ahead = _distance(out, blocks=rowptr.shape[0])
    for heads, channels, where in _tiles(dense):
        kernel = _scatter(heads, channels, ahead)
        kernel(rowptr, col, values.ravel(), dense.ravel(), out.ravel(), columns, *where)


def sddmm(rowptr: Array, col: Array, left: Array, right: Array, out: Array) -> None:
    """Add inner products of rows of ``left`` and ``right`` at the stored entries to ``out``.

    Args:
        rowptr: ``[rows + 1]``.
        col: ``[entries]``.
        left: ``[rows, heads, channels]`` fp32.
        right: ``[columns, heads, channels]`` fp32.
        out: ``[entries, heads]`` fp32.
    """
    ahead = _distance(right, blocks=1)
    for heads, channels, where in _tiles(left):
        kernel = _inner(heads, channels, ahead)
        kernel(rowptr, col, left.ravel(), right.ravel(), out.ravel(), *where)


def _distance(operand: Array, blocks: int) -> int:
    """How many entries ahead rows of an operand are prefetched; 0 where a near cache holds them."""
    return _AHEAD if blocks == 1 and operand.nbytes > _NEAR_CACHE_BYTES else 0


def _tiles(dense: Array) -> Iterator[tuple[int, int, tuple[int, int, int, int]]]:
    """Tiles of heads and channels: their sizes, then strides and positions of the tile."""
    _, heads, channels = dense.shape
    h = 0
    while h < heads:
        tile_heads = _most_that_fit(heads - h, channels)
        c = 0
        while c < channels:
            tile_channels = channels if tile_heads > 1 else _most_that_fit(channels - c, 1)
            yield tile_heads, tile_channels, (heads, heads * channels, h, h * channels + c)
            c += tile_channels
        h += tile_heads


def _most_that_fit(count: int, width: int) -> int:
    """How many of ``count`` runs of ``width`` floats make a good vector, at least one.

    Short vectors of any length and powers of two compile to a few registers; a length like 24 or
    41 is taken apart float by float, ten times slower.
    """
    for n in range(min(count, _REGISTER_FLOATS // width), 1, -1):
        if n * width <= _SHORT_FLOATS or (n * width).bit_count() == 1:
            return n
    return 1


@cache
def _gather(heads: int, channels: int, ahead: int) -> Callable[..., None]:
    width = heads * channels

    @compiled()
    def gather(rowptr, col, values, dense, out, columns, value_stride, stride, value_start, start):
        last = col.size - 1
        for b in range(rowptr.shape[0]):
            first = b * columns * stride + start
            for i in range(rowptr.shape[1] - 1):
                e = _int64(rowptr[b, i])
                end = _int64(rowptr[b, i + 1])
                even = load(out, i * stride + start, width)
                # Two sums, so that additions need not wait for each other.
                odd = zeros(width)
                while e + 1 < end:
                    if ahead > 0:
                        prefetch(dense, _int64(col[min(e + ahead, last)]) * stride + first)
                        prefetch(dense, _int64(col[min(e + 1 + ahead, last)]) * stride + first)
                    row = load(dense, _int64(col[e]) * stride + first, width)
                    even = add_scaled(
                        even, load(values, e * value_stride + value_start, heads), row
                    )
                    e += 1
                    row = load(dense, _int64(col[e]) * stride + first, width)
                    odd = add_scaled(odd, load(values, e * value_stride + value_start, heads), row)
                    e += 1
                if e < end:
                    row = load(dense, _int64(col[e]) * stride + first, width)
                    even = add_scaled(
                        even, load(values, e * value_stride + value_start, heads), row
                    )
                store(out, i * stride + start, width, add(even, odd))

    return gather


@cache
def _scatter(heads: int, channels: int, ahead: int) -> Callable[..., None]:
    width = heads * channels

    @compiled()
    def scatter(rowptr, col, values, dense, out, columns, value_stride, stride, value_start, start):
        last = col.size - 1
        for b in range(rowptr.shape[0]):
            first = b * columns * stride + start
            for i in range(rowptr.shape[1] - 1):
                row = load(dense, i * stride + start, width)
                for e in range(_int64(rowptr[b, i]), _int64(rowptr[b, i + 1])):
                    if ahead > 0:
                        prefetch(out, _int64(col[min(e + ahead, last)]) * stride + first)
                    at = _int64(col[e]) * stride + first
                    scales = load(values, e * value_stride + value_start, heads)
                    store(out, at, width, add_scaled(load(out, at, width), scales, row))

    return scatter


@cache
def _inner(heads: int, channels: int, ahead: int) -> Callable[..., None]:
    width = heads * channels

    @compiled()
    def inner(rowptr, col, left, right, out, out_stride, stride, out_start, start):
        last = col.size - 1
        for i in range(rowptr.size - 1):
            row = load(left, i * stride + start, width)
            for e in range(_int64(rowptr[i]), _int64(rowptr[i + 1])):
                if ahead > 0:
                    prefetch(right, _int64(col[min(e + ahead, last)]) * stride + start)
                at = e * out_stride + out_start
                products = dots(row, load(right, _int64(col[e]) * stride + start, width), heads)
                store(out, at, heads, add(load(out, at, heads), products))

    return inner
