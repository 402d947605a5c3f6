"""Activations and limits of torch in packed operations."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from sgq_auto.packed.runtime.operations.elementwise import (
    Activate,
    Clip,
    Function,
    Prelu,
)
from sgq_auto.packed.runtime.operations.norms import SoftmaxRows
from sgq_auto.quantize.program.lowering import Arguments, Lowered, one, scaled
from sgq_auto.quantize.program.program_builder import (
    Builder,
    Lengths,
    LogSoftmax,
    Row,
    UnpackableError,
    Value,
    constant,
)

_LARGEST = 3.0e38


def _function(function: Function, parameter: float = 1.0) -> Lowered:
    def lower(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
        return _activate(builder, args[0], function, parameter)

    return lower


def _activate(builder: Builder, x: Any, function: Function, parameter: float = 1.0) -> Row:
    return one(
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
    return made if scale == 1 else scaled(builder, made, scale)


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
    return one(builder, args[0], lambda k: Clip(inputs=(k,), low=limits[0], high=limits[1]))


def _hardtanh(builder: Builder, args: Arguments, _keywords: Any, output: Any) -> Value:
    low, high = args[1:3] if len(args) > 2 else (-1.0, 1.0)
    return _clip(builder, (args[0], low, high), {}, output)


def _softmax(builder: Builder, args: Arguments, _keywords: Any, output: Tensor) -> Value:
    if args[1] % output.dim() != 1:
        raise UnpackableError("it is not taken over columns")
    return one(builder, args[0], lambda k: SoftmaxRows(inputs=(k,)))


def _log_softmax(builder: Builder, args: Arguments, _keywords: Any, output: Tensor) -> Value:
    if args[1] % output.dim() != 1:
        raise UnpackableError("it is not taken over columns")
    return LogSoftmax(builder.row(args[0]))


# By the name of the operator.
ACTIVATIONS: Mapping[str, Lowered] = {
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
    "_log_softmax": _log_softmax,
    "log_softmax": _log_softmax,
    "_softmax": _softmax,
    "softmax": _softmax,
}
