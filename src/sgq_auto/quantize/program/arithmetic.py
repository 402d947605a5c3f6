"""Sums, products and lengths of embeddings and constants in packed operations."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgq_auto.packed.runtime.operations.elementwise import (
    Affine,
)
from sgq_auto.packed.runtime.operations.joins import (
    Add,
    Multiply,
)
from sgq_auto.packed.runtime.operations.norms import NormalizeRows
from sgq_auto.quantize.program.lowering import Arguments, Lowered, scaled
from sgq_auto.quantize.program.pooling import mean_of_sum
from sgq_auto.quantize.program.program_builder import (
    Builder,
    Lengths,
    Row,
    UnpackableError,
    Value,
    constant,
)


def _with_constant(
    builder: Builder, x: Tensor, other: Any, *, multiply: bool, factor: float = 1.0
) -> Row:
    """An embedding times, or plus ``factor`` times, a number or a parameter."""
    row, values = builder.row(x), torch.as_tensor(other).detach()
    if not bool(values.isfinite().all()):
        raise UnpackableError("it combines an embedding with a number that is not finite")
    if values.numel() == 1:
        number = float(values) * factor
        return scaled(builder, row, *((number, 0.0) if multiply else (1.0, number)))
    vector = constant(other, row.width, x) * np.float32(factor)
    ones, zeros = np.ones_like(vector), np.zeros_like(vector)
    scale, shift = (vector, zeros) if multiply else (ones, vector)
    return builder.add(Affine(inputs=(row.value,), scale=scale, shift=shift), row.width)


def _add(builder: Builder, args: Arguments, keywords: Mapping[str, Any], _output: Any) -> Value:
    return _sum(builder, args[0], args[1], float(keywords.get("alpha", 1)))


def _sub(builder: Builder, args: Arguments, keywords: Mapping[str, Any], _output: Any) -> Value:
    return _sum(builder, args[0], args[1], -float(keywords.get("alpha", 1)))


def _rsub(builder: Builder, args: Arguments, keywords: Mapping[str, Any], _output: Any) -> Value:
    return _sum(builder, args[1], args[0], -float(keywords.get("alpha", 1)))


def _sum(builder: Builder, first: Any, second: Any, factor: float) -> Row:
    """``first + factor second``, either of which may be a constant."""
    if builder.get(second) is None:
        return _with_constant(builder, first, second, multiply=False, factor=factor)
    term = scaled(builder, builder.row(second), factor)
    if builder.get(first) is None:
        if not isinstance(first, Tensor) or first.numel() == 1:
            return scaled(builder, term, 1.0, float(first))
        vector = constant(first, term.width, second)
        ones = np.ones_like(vector)
        made = Affine(inputs=(term.value,), scale=ones, shift=vector)
        return builder.add(made, term.width)
    row = builder.row(first)
    width = max(row.width, term.width)
    return builder.add(Add(inputs=(row.value, term.value)), width)


def _mul(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
    first, second = args[:2]
    if builder.get(first) is None:
        first, second = second, first
    if builder.get(second) is None:
        return _with_constant(builder, first, second, multiply=True)
    rows = builder.row(first), builder.row(second)
    width = max(row.width for row in rows)
    return builder.add(Multiply(inputs=tuple(row.value for row in rows)), width)


def _div(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
    first, second = args[:2]
    divisor = builder.get(second)
    if isinstance(divisor, Lengths) and builder.get(first) == divisor.row:
        row, eps = builder.here(divisor.row), divisor.eps or 1e-30
        return builder.add(NormalizeRows(inputs=(row.value,), eps=eps), row.width)
    if divisor is not None:
        raise UnpackableError("it divides by an embedding")
    mean = mean_of_sum(builder, builder.row(first), second)
    if mean is not None:
        return mean
    inverse = torch.as_tensor(second, dtype=torch.float64).detach().reciprocal()
    return _with_constant(builder, first, inverse, multiply=True)


def _neg(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
    return scaled(builder, builder.row(args[0]), -1.0)


def _length(builder: Builder, args: Arguments, _keywords: Any, output: Tensor) -> Value:
    """The first step of ``torch.nn.functional.normalize``."""
    value = builder.get(args[0])
    order = args[1] if len(args) > 1 else 2
    if not isinstance(value, Row) or order != 2 or tuple(output.shape[1:]) != (1,):
        raise UnpackableError("only the Euclidean length of rows, to divide them by, can be")
    return Lengths(value)


# By the name of the operator.
ARITHMETIC: Mapping[str, Lowered] = {
    "add": _add,
    "sub": _sub,
    "rsub": _rsub,
    "mul": _mul,
    "div": _div,
    "neg": _neg,
    "linalg_vector_norm": _length,
    "norm": _length,
}
