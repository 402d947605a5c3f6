"""Putting the entries of sparse matrices in order: counting sorts, bound by random writes."""

import numpy as np
from numba import int64

from sgq_auto.compute.kernel_compiler import Array, compiled


@compiled()
def group_by_target(source, target, cursor, col):
    """Write each source to the row of its target; ``cursor`` is where each row goes on."""
    for e in range(source.size):
        t = target[e]
        col[cursor[t]] = source[e]
        cursor[t] += 1


@compiled()
def scatter_rows(rowptr, col, order, position, cursor, out):
    """Transpose: rows are visited in ``order``, column ``c`` becomes row ``position[c]``."""
    for row in range(order.size):
        old = order[row]
        for e in range(rowptr[old], rowptr[old + 1]):
            c = position[col[e]]
            out[cursor[c]] = row
            cursor[c] += 1


@compiled()
def merge_repeats_and_add_loops(rowptr, col, kept_rowptr, kept):
    """Copy sorted rows, each entry once, the diagonal among them."""
    at = 0
    for row in range(rowptr.size - 1):
        last, looped = -1, False
        for e in range(rowptr[row], rowptr[row + 1]):
            c = col[e]
            if c >= row and not looped:
                kept[at] = row
                at += 1
                looped = True
                last = row
            if c != last:
                kept[at] = c
                at += 1
                last = c
        if not looped:
            kept[at] = row
            at += 1
        kept_rowptr[row + 1] = at


@compiled()
def _block_starts(rowptr, col, columns, starts):
    blocks, rows = starts.shape[0], starts.shape[1] - 1
    for i in range(rows):
        for e in range(int64(rowptr[i]), int64(rowptr[i + 1])):
            starts[col[e] // columns, i + 1] += 1
    total = 0
    for b in range(blocks):
        for i in range(rows + 1):
            total += starts[b, i]
            starts[b, i] = total


@compiled()
def _block_entries(rowptr, col, values, columns, starts, block_col, block_values):
    for i in range(rowptr.size - 1):
        e = int64(rowptr[i])
        while e < rowptr[i + 1]:
            b = col[e] // columns
            at = int64(starts[b, i])
            while e < rowptr[i + 1] and col[e] // columns == b:
                block_col[at] = col[e] - b * columns
                block_values[at] = values[e]
                at += 1
                e += 1


def block_columns(
    rowptr: Array, col: Array, values: Array, num_columns: int, columns: int
) -> tuple[Array, Array, Array]:
    """Lay a CSR matrix out in blocks of ``columns`` columns, one block after the other.

    Columns must be sorted within rows. Returns ``rowptr [blocks, rows + 1]``, and ``col`` and
    ``values`` in the new order; columns are counted from the first one of their block, in two
    bytes where they fit.
    """
    blocks = -(-num_columns // columns)
    starts = np.zeros((blocks, rowptr.size), rowptr.dtype)
    _block_starts(rowptr, col, columns, starts)
    small = columns <= np.iinfo(np.uint16).max + 1
    block_col = np.empty(col.size, np.uint16 if small else col.dtype)
    block_values = np.empty_like(values)
    _block_entries(rowptr, col, values, columns, starts, block_col, block_values)
    return starts, block_col, block_values
