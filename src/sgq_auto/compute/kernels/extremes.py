"""The largest of each row's entries, column by column: what max aggregation is trained with.

Nothing of edges by features is made: rows of the dense matrix are read where they are.
"""

import numpy as np
from numba import float32, int64

from sgq_auto.compute.kernel_compiler import Array, compiled


@compiled()
def row_max(rowptr: Array, col: Array, dense: Array, out: Array) -> None:
    """``out [rows, width]``: the largest of ``dense [columns, width]``; 0 of no entries."""
    for i in range(rowptr.size - 1):
        start, end = int64(rowptr[i]), int64(rowptr[i + 1])
        best = out[i]
        if start == end:
            best[:] = float32(0)
            continue
        first = dense[col[start]]
        for c in range(best.size):
            best[c] = first[c]
        for e in range(start + 1, end):
            values = dense[col[e]]
            for c in range(best.size):
                best[c] = max(best[c], values[c])


@compiled()
def row_max_backward(
    rowptr: Array, col: Array, dense: Array, out: Array, grad: Array, grad_dense: Array
) -> None:
    """Add the gradient of ``dense``; entries that are equally large share it, as in PyG."""
    width = dense.shape[1]
    share = np.empty(width, dtype=np.float32)
    for i in range(rowptr.size - 1):
        start, end = int64(rowptr[i]), int64(rowptr[i + 1])
        best = out[i]
        share[:] = float32(0)
        for e in range(start, end):
            values = dense[col[e]]
            for c in range(width):
                share[c] += float32(1) if values[c] == best[c] else float32(0)
        for c in range(width):
            share[c] = grad[i, c] / max(share[c], float32(1))
        for e in range(start, end):
            values, below = dense[col[e]], grad_dense[col[e]]
            for c in range(width):
                below[c] += share[c] if values[c] == best[c] else float32(0)
