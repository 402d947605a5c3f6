"""Fake-quantization and its gradients, each in one pass over the tensor.

A tensor is ``[rows, width]``, flat; scale group ``g`` ends at row ``ends[g]``. The passes
vectorise and are bound by reading and writing the tensor once.
"""

import numba
import numpy as np

from sgq_auto.compute.kernel_compiler import Array, compiled

_float32, _float64 = numba.float32, numba.float64
_SHORT_SUM = 512


@compiled()
def round_to_codes(
    x: Array, ends: Array, width: int, step: Array, offset: Array, levels: Array, out: Array
) -> None:
    """``out = code * step + offset``, ``code = round((x - offset) / step)`` in ``0..levels``.

    Args:
        x: ``[rows * width]`` fp32; NaN stays NaN.
        ends: ``int64 [groups]``, the row where each group ends.
        width: Values of a row.
        step: ``[groups]`` fp32.
        offset: ``[groups]`` fp32.
        levels: ``[groups]`` fp32, the highest code.
        out: ``[rows * width]`` fp32.
    """
    start = 0
    for g in range(ends.size):
        end = ends[g] * width
        s, o, top = step[g], offset[g], levels[g]
        # Indices from zero: a loop that might count from below zero does not vectorise.
        values, rounded = x[start:end], out[start:end]
        for k in range(values.size):
            code = (values[k] - o) / s
            code = _float32(0) if code < 0 else code
            code = top if code > top else code
            rounded[k] = np.rint(code) * s + o
        start = end


@compiled(fastmath={"reassoc", "nsz"})
def round_to_codes_backward(
    x: Array,
    ends: Array,
    width: int,
    step: Array,
    offset: Array,
    levels: Array,
    grad: Array,
    grad_x: Array,
    grad_step: Array,
    grad_offset: Array,
) -> None:
    """Gradients of :func:`round_to_codes`: straight-through for ``x``, LSQ+'s for the range.

    Inside the range a larger step moves a value by its rounding error, outside by its code.
    """
    start = 0
    for g in range(ends.size):
        s, o, top = step[g], offset[g], levels[g]
        step_total, offset_total = _float64(0), _float64(0)
        while start < ends[g] * width:
            # Short sums in fp32, which vectorise; their total in fp64, which stays exact.
            end = min(start + _SHORT_SUM, ends[g] * width)
            step_sum, offset_sum = _float32(0), _float32(0)
            values, above, below = x[start:end], grad[start:end], grad_x[start:end]
            for k in range(values.size):
                scaled = (values[k] - o) / s
                code = _float32(0) if scaled < 0 else scaled
                code = top if code > top else code
                inner = above[k] if code == scaled else _float32(0)
                below[k] = inner
                step_sum += np.rint(code) * above[k] - scaled * inner
                offset_sum += above[k] - inner
            step_total += step_sum
            offset_total += offset_sum
            start = end
        grad_step[g] = step_total
        grad_offset[g] = offset_total
