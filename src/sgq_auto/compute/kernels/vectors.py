"""Vectors of fp32 values inside numba kernels.

LLVM does not keep an accumulator of a run-time number of features in registers, and reading and
writing it once an edge is what bounds a plain loop. Here a row of features is one value of an
LLVM vector type; the compiler splits it into whatever registers the machine has.

A width is a compile-time constant: pass a literal, or a variable that a kernel's factory closes
over. Loads and stores are unaligned and unchecked.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, models, register_model

_F32 = ir.FloatType()
_I32 = ir.IntType(32)
_FAST = ("contract", "reassoc", "nsz")


class VectorType(types.Type):
    """The numba type of a vector of ``width`` fp32 values."""

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(name=f"float32x{width}")


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: VectorType) -> None:
        super().__init__(dmm, fe_type, ir.VectorType(_F32, fe_type.width))


def _literal_intrinsic(function: Callable[..., Any]) -> Any:
    return intrinsic(prefer_literal=True)(function)


@_literal_intrinsic
def zeros(_typing: Any, width: Any) -> Any:
    """A vector of ``width`` zeros."""

    def codegen(_context: Any, _builder: Any, signature: Any, _args: Any) -> Any:
        n = signature.return_type.width
        return ir.Constant(ir.VectorType(_F32, n), [0.0] * n)

    return VectorType(width.literal_value)(width), codegen


@_literal_intrinsic
def load(_typing: Any, array: Any, start: Any, width: Any) -> Any:
    """``width`` consecutive values of a contiguous array, from flat position ``start``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_pointer(context, builder, signature, args), align=4)

    start = types.int64
    return VectorType(width.literal_value)(array, start, width), codegen


@_literal_intrinsic
def store(_typing: Any, array: Any, start: Any, width: Any, vector: Any) -> Any:
    """Write a vector to a contiguous array at flat position ``start``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[3], _pointer(context, builder, signature, args), align=4)
        return context.get_dummy_value()

    return types.void(array, types.int64, width, vector), codegen


@_literal_intrinsic
def add(_typing: Any, left: Any, right: Any) -> Any:
    """``left + right``."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.fadd(*args, flags=_FAST)

    return left(left, right), codegen


@_literal_intrinsic
def add_scaled(_typing: Any, total: Any, scales: Any, vector: Any) -> Any:
    """``total + scales * vector``, where each scale reaches an equal run of the vector.

    ``scales`` is a number, or a vector whose width divides that of ``vector``.
    """

    def codegen(_context: Any, builder: Any, signature: Any, args: Any) -> Any:
        spread = _spread(builder, args[1], signature.args[1], signature.args[2].width)
        return builder.fadd(args[0], builder.fmul(spread, args[2], flags=_FAST), flags=_FAST)

    if not isinstance(scales, VectorType):
        scales = types.float32
    return total(total, scales, vector), codegen


@_literal_intrinsic
def subtract(_typing: Any, left: Any, right: Any) -> Any:
    """``left - right``."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.fsub(*args)

    return left(left, right), codegen


@_literal_intrinsic
def multiply(_typing: Any, left: Any, right: Any) -> Any:
    """``left * right``."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.fmul(*args)

    return left(left, right), codegen


@_literal_intrinsic
def reciprocal(_typing: Any, vector: Any) -> Any:
    """``1 / vector``."""

    def codegen(_context: Any, builder: Any, signature: Any, args: Any) -> Any:
        n = signature.return_type.width
        return builder.fdiv(ir.Constant(ir.VectorType(_F32, n), [1.0] * n), args[0])

    return vector(vector), codegen


@_literal_intrinsic
def maximum(_typing: Any, left: Any, right: Any) -> Any:
    """The larger of each pair; NaN where ``left`` is."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        smaller = builder.fcmp_ordered("<", args[0], args[1])
        return builder.select(smaller, args[1], args[0])

    return left(left, right), codegen


@_literal_intrinsic
def leaky(_typing: Any, vector: Any, signs: Any, slope: Any) -> Any:
    """``vector`` where ``signs`` is positive, else ``slope * vector``."""

    def codegen(_context: Any, builder: Any, signature: Any, args: Any) -> Any:
        n = signature.return_type.width
        zero = ir.Constant(ir.VectorType(_F32, n), [0.0] * n)
        scaled = builder.fmul(_spread(builder, args[2], signature.args[2], n), args[0])
        return builder.select(builder.fcmp_ordered(">", args[1], zero), args[0], scaled)

    return vector(vector, signs, types.float32), codegen


@_literal_intrinsic
def prefetch(_typing: Any, array: Any, start: Any) -> Any:
    """Ask for the cache line at flat position ``start`` of an array, soon to be read."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, _I32, _I32, _I32])
        name = "llvm.prefetch.p0"
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        pointer = builder.bitcast(builder.gep(data, [args[1]]), byte)
        # To be read, kept in every cache, data.
        builder.call(function, [pointer, _I32(0), _I32(3), _I32(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), codegen


@_literal_intrinsic
def dots(_typing: Any, left: Any, right: Any, runs: Any) -> Any:
    """Inner products of ``runs`` equal runs of two vectors, as a vector."""
    count = runs.literal_value

    def codegen(_context: Any, builder: Any, signature: Any, args: Any) -> Any:
        width = signature.args[0].width
        run = width // count
        products = builder.fmul(args[0], args[1], flags=_FAST)
        reduce = _reduction(builder.module, run)
        out = ir.Constant(ir.VectorType(_F32, count), ir.Undefined)
        for h in range(count):
            lanes = ir.Constant(ir.VectorType(_I32, run), list(range(h * run, (h + 1) * run)))
            part = builder.shuffle_vector(products, products, lanes)
            total = builder.call(reduce, [ir.Constant(_F32, 0.0), part], fastmath=_FAST)
            out = builder.insert_element(out, total, _I32(h))
        return out

    return VectorType(count)(left, right, runs), codegen


def _pointer(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """A pointer to the vector at a flat position of an array argument."""
    array = context.make_array(signature.args[0])(context, builder, args[0])
    vector = ir.VectorType(_F32, signature.args[2].literal_value)
    return builder.bitcast(builder.gep(array.data, [args[1]]), vector.as_pointer())


def _spread(builder: Any, scales: Any, kind: Any, width: int) -> Any:
    count = 1
    if isinstance(kind, VectorType):
        count = kind.width
    else:
        one = ir.Constant(ir.VectorType(_F32, 1), ir.Undefined)
        scales = builder.insert_element(one, scales, _I32(0))
    if count == width:
        return scales
    lanes = [h for h in range(count) for _ in range(width // count)]
    return builder.shuffle_vector(scales, scales, ir.Constant(ir.VectorType(_I32, width), lanes))


def _reduction(module: Any, width: int) -> Any:
    kind = ir.FunctionType(_F32, [_F32, ir.VectorType(_F32, width)])
    name = f"llvm.vector.reduce.fadd.v{width}f32"
    return module.globals.get(name) or ir.Function(module, kind, name)
