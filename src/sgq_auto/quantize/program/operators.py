"""Operators of torch, as a forward pass outside the layers calls them, in packed operations."""

from collections.abc import Mapping
from typing import Any

from sgq_auto.quantize.program.activations import ACTIVATIONS
from sgq_auto.quantize.program.arithmetic import ARITHMETIC
from sgq_auto.quantize.program.joins import ARRANGING
from sgq_auto.quantize.program.lowering import Arguments, Lowered
from sgq_auto.quantize.program.norms import batch_norm, layer_norm
from sgq_auto.quantize.program.program_builder import (
    Builder,
    UnpackableError,
    Value,
)


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
    try:
        return _OPERATORS[plain](builder, args, keywords, output)
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        # An operator has many forms, of which the table knows those that models use.
        raise UnpackableError("it is called in a way that is not known") from error


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
    **ACTIVATIONS,
    **ARITHMETIC,
    **ARRANGING,
    "native_batch_norm": _batch_norm,
    "_native_batch_norm_legit": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "cudnn_batch_norm": _batch_norm,
    "native_layer_norm": _layer_norm,
}
