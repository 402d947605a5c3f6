"""Operators of torch, as a forward pass outside the layers calls them, in packed operations.

An entry of the table is called with the builder, the first argument's embedding, the other
arguments and the output, and says what the output stands for.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from sgq_auto.packed.runtime.operations.combining import (
    Add,
    Columns,
    Concatenate,
    Maximum,
    Multiply,
)
from sgq_auto.packed.runtime.operations.elementwise import (
    Activate,
    Affine,
    Clip,
    Function,
    Prelu,
    Scale,
)
from sgq_auto.packed.runtime.operations.norms import NormalizeRows, SoftmaxRows
from sgq_auto.packed.runtime.operations.operation import Operation
from sgq_auto.quantize.program.builder import (
    Builder,
    Lengths,
    LogSoftmax,
    Row,
    Stacked,
    UnpackableError,
    Value,
    constant,
)
from sgq_auto.quantize.program.norms import batch_norm, layer_norm

_LARGEST = 3.0e38
Arguments = tuple[Any, ...]
Lowered = Callable[[Builder, Arguments, Mapping[str, Any], Tensor], Value]


def lower_operator(
    builder: Builder, name: str, args: Arguments, keywords: Mapping[str, Any], output: Any
) -> Value:
    """What the output of an operator stands for; adds the operations that make it.

    Args:
        builder: The program so far.
        name: The operator's name without its overload, like ``relu``.
        args: What it was called with.
        keywords: The same, by name.
        output: The tensor that it returned.

    Raises:
        UnpackableError: If the packed runtime has no such operation.
    """
    plain = name.removesuffix("_") if not name.startswith("_") else name
    if plain not in _OPERATORS:
        raise UnpackableError("the packed runtime has no such operation")
    return _OPERATORS[plain](builder, args, keywords, output)


def _one(builder: Builder, tensor: Any, make: Callable[[int], Operation]) -> Row:
    """An operation on one embedding."""
    row = builder.row(tensor)
    return builder.add(make(row.value), row.width)


def _function(function: Function, parameter: float = 1.0) -> Lowered:
    def lower(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
        return _activate(builder, args[0], function, parameter)

    return lower


def _activate(builder: Builder, x: Any, function: Function, parameter: float = 1.0) -> Row:
    return _one(
        builder, x, lambda k: Activate(inputs=(k,), function=function, parameter=float(parameter))
    )


def _leaky_relu(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
    slope = args[1] if len(args) > 1 else 0.01
    return _activate(builder, args[0], Function.LEAKY_RELU, slope)


def _elu(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
    alpha, scale, input_scale = [*args[1:], 1.0, 1.0, 1.0][:3]
    if input_scale != 1:
        raise UnpackableError("its input is scaled (celu)")
    made = _activate(builder, args[0], Function.ELU, alpha)
    return made if scale == 1 else _scaled(builder, made, scale)


def _gelu(builder: Builder, args: Arguments, keywords: Mapping[str, Any], _output: Any) -> Value:
    approximate = keywords.get("approximate", "none")
    function = Function.GELU if approximate == "none" else Function.GELU_TANH
    return _activate(builder, args[0], function)


def _softplus(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
    if len(args) > 1 and args[1] != 1:
        raise UnpackableError("its beta is not 1")
    return _activate(builder, args[0], Function.SOFTPLUS)


def _prelu(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
    row = builder.row(args[0])
    slope = constant(args[1], row.width, args[0])
    return builder.add(Prelu(inputs=(row.value,), slope=slope), row.width)


def _clip(builder: Builder, args: Arguments, keywords: Mapping[str, Any], _output: Any) -> Value:
    low = args[1] if len(args) > 1 else keywords.get("min")
    high = args[2] if len(args) > 2 else keywords.get("max")
    value = builder.get(args[0])
    if isinstance(value, Lengths) and high is None and low is not None:
        return Lengths(value.row, float(low))
    if any(isinstance(limit, Tensor) for limit in (low, high)):
        raise UnpackableError("its limits are tensors")
    limits = (-_LARGEST if low is None else float(low), _LARGEST if high is None else float(high))
    return _one(builder, args[0], lambda k: Clip(inputs=(k,), low=limits[0], high=limits[1]))


def _hardtanh(builder: Builder, args: Arguments, _keywords: Any, output: Any) -> Value:
    low, high = args[1:3] if len(args) > 2 else (-1.0, 1.0)
    return _clip(builder, (args[0], low, high), {}, output)


def _scaled(builder: Builder, row: Row, factor: float, shift: float = 0.0) -> Row:
    if factor == 1 and shift == 0:
        return row
    made = Scale(inputs=(row.value,), factor=float(factor), shift=float(shift))
    return builder.add(made, row.width)


def _with_constant(
    builder: Builder, x: Tensor, other: Any, *, multiply: bool, factor: float = 1.0
) -> Row:
    """An embedding times, or plus ``factor`` times, a number or a parameter."""
    row = builder.row(x)
    if not isinstance(other, Tensor) or other.numel() == 1:
        number = float(other) * factor
        return _scaled(builder, row, *((number, 0.0) if multiply else (1.0, number)))
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
    scaled = _scaled(builder, builder.row(second), factor)
    if builder.get(first) is None:
        if not isinstance(first, Tensor) or first.numel() == 1:
            return _scaled(builder, scaled, 1.0, float(first))
        vector = constant(first, scaled.width, second)
        ones = np.ones_like(vector)
        made = Affine(inputs=(scaled.value,), scale=ones, shift=vector)
        return builder.add(made, scaled.width)
    row = builder.row(first)
    width = max(row.width, scaled.width)
    return builder.add(Add(inputs=(row.value, scaled.value)), width)


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
    return _with_constant(builder, first, 1.0 / second, multiply=True)


def _neg(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
    return _scaled(builder, builder.row(args[0]), -1.0)


def _length(builder: Builder, args: Arguments, _keywords: Any, output: Tensor) -> Value:
    """The first step of ``torch.nn.functional.normalize``."""
    value = builder.get(args[0])
    order = args[1] if len(args) > 1 else 2
    if not isinstance(value, Row) or order != 2 or tuple(output.shape[1:]) != (1,):
        raise UnpackableError("only the Euclidean length of rows, to divide them by, can be")
    return Lengths(value)


def _cat(builder: Builder, args: Arguments, _keywords: Any, output: Tensor) -> Value:
    dimension = args[1] if len(args) > 1 else 0
    if dimension % output.dim() != output.dim() - 1 or output.dim() != 2:
        raise UnpackableError("it joins other dimensions than columns")
    rows = [builder.row(tensor) for tensor in args[0]]
    width = sum(row.width for row in rows)
    return builder.add(Concatenate(inputs=tuple(row.value for row in rows)), width)


def _stack(builder: Builder, args: Arguments, _keywords: Any, output: Tensor) -> Value:
    dimension = (args[1] if len(args) > 1 else 0) % output.dim()
    if output.dim() != 3:
        raise UnpackableError("it stacks more than matrices")
    return Stacked(tuple(builder.row(tensor) for tensor in args[0]), dimension)


def _maximum(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
    rows = [builder.row(tensor) for tensor in args[:2]]
    return _largest(builder, rows)


def _largest(builder: Builder, rows: list[Row]) -> Row:
    if len(rows) == 1:
        return rows[0]
    width = max(row.width for row in rows)
    return builder.add(Maximum(inputs=tuple(row.value for row in rows)), width)


def _reduced(builder: Builder, args: Arguments) -> list[Row]:
    """The embeddings that are reduced to one along the dimension that they are stacked along."""
    stacked = builder.get(args[0])
    if not isinstance(stacked, Stacked):
        raise UnpackableError("it reduces something else than stacked embeddings")
    dimensions = args[1] if len(args) > 1 else None
    given = dimensions if isinstance(dimensions, list | tuple) else [dimensions]
    if len(given) != 1 or given[0] is None or given[0] % 3 != stacked.dimension:
        raise UnpackableError("it reduces another dimension than the stacked one")
    if len(args) > 2 and args[2]:
        raise UnpackableError("it keeps the dimension that it reduces")
    return [builder.here(row) for row in stacked.rows]


def _max(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
    return _largest(builder, _reduced(builder, args))


def _total(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
    rows = _reduced(builder, args)
    if len(rows) == 1:
        return rows[0]
    return builder.add(Add(inputs=tuple(row.value for row in rows)), rows[0].width)


def _mean(builder: Builder, args: Arguments, keywords: Any, output: Any) -> Value:
    total = _total(builder, args, keywords, output)
    assert isinstance(total, Row)
    return _scaled(builder, total, 1 / len(_reduced(builder, args)))


def _slice(builder: Builder, args: Arguments, _keywords: Any, output: Tensor) -> Value:
    dimension, first, last = [*args[1:4], None, None][:3]
    value = builder.row(args[0])
    if output.shape == args[0].shape:
        return value
    if dimension % output.dim() != 1 or (len(args) > 4 and args[4] != 1):
        raise UnpackableError("it takes some of the nodes")
    start, stop, _ = slice(first, last).indices(value.width)
    return builder.add(Columns(inputs=(value.value,), first=start, last=stop), stop - start)


def _same(builder: Builder, args: Arguments, _keywords: Any, output: Tensor) -> Value:
    """An operator that changes no value: a copy, or a view of the same shape."""
    value = builder.get(args[0])
    assert value is not None
    if isinstance(value, Lengths):
        return value
    if output.shape != args[0].shape or output.dtype != args[0].dtype:
        raise UnpackableError("it changes the shape or the type of an embedding")
    return value


def _log_softmax(builder: Builder, args: Arguments, _keywords: Any, output: Tensor) -> Value:
    if args[1] % output.dim() != 1:
        raise UnpackableError("it is not taken over columns")
    return LogSoftmax(builder.row(args[0]))


def _softmax(builder: Builder, args: Arguments, _keywords: Any, output: Tensor) -> Value:
    if args[1] % output.dim() != 1:
        raise UnpackableError("it is not taken over columns")
    return _one(builder, args[0], lambda k: SoftmaxRows(inputs=(k,)))


def _batch_norm(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
    x, weight, bias, mean, variance = args[:5]
    if len(args) == 8:
        training, eps = bool(args[5]), float(args[7])
    else:  # Without the flag: its own statistics.
        training, eps = False, float(args[-1])
    statistics = None if training or mean is None else (mean, variance)
    return batch_norm(builder, builder.row(x), weight, bias, statistics, eps)


def _layer_norm(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
    x, shape, weight, bias, eps = args[:5]
    row = builder.row(x)
    if list(shape) != [row.width]:
        raise UnpackableError("it is taken over more than a row")
    return layer_norm(builder, row, weight, bias, float(eps))


_OPERATORS: Mapping[str, Lowered] = {
    "relu": _function(Function.RELU),
    "elu": _elu,
    "leaky_relu": _leaky_relu,
    "gelu": _gelu,
    "silu": _function(Function.SILU),
    "tanh": _function(Function.TANH),
    "sigmoid": _function(Function.SIGMOID),
    "softplus": _softplus,
    "hardswish": _function(Function.HARDSWISH),
    "_prelu_kernel": _prelu,
    "prelu": _prelu,
    "hardtanh": _hardtanh,
    "clamp": _clip,
    "clamp_min": _clip,
    "add": _add,
    "sub": _sub,
    "rsub": _rsub,
    "mul": _mul,
    "div": _div,
    "neg": _neg,
    "linalg_vector_norm": _length,
    "norm": _length,
    "cat": _cat,
    "stack": _stack,
    "maximum": _maximum,
    "max": _max,
    "amax": _max,
    "sum": _total,
    "mean": _mean,
    "slice": _slice,
    "alias": _same,
    "detach": _same,
    "clone": _same,
    "contiguous": _same,
    "_to_copy": _same,
    "view": _same,
    "_unsafe_view": _same,
    "reshape": _same,
    "expand": _same,
    "lift_fresh": _same,
    "_log_softmax": _log_softmax,
    "log_softmax": _log_softmax,
    "_softmax": _softmax,
    "softmax": _softmax,
    "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "cudnn_batch_norm": _batch_norm,
    "native_layer_norm": _layer_norm,
}
