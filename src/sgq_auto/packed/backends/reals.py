"""Vectors of eight fp64 numbers: what values, weights and their sums are computed in."""

from typing import Any

from llvmlite import ir
from numba.core import types

from sgq_auto.packed.backends.signatures import LANES
from sgq_auto.packed.backends.vectors import I32, I64, REALS, least, reals, spread_value
from sgq_auto.packed.backends.words import declared, pointer_to, typed

# Sums may be fused with products; their order stays.
_FUSED = ("contract",)


@typed
def spread(_typing: Any, value: Any) -> Any:
    """A number in every lane."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return spread_value(builder, args[0], REALS)

    return reals(types.float64), codegen


@typed
def multiply_add(_typing: Any, total: Any, left: Any, right: Any) -> Any:
    """``total + left * right``, lane by lane."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        product = builder.fmul(args[1], args[2], flags=_FUSED)
        return builder.fadd(args[0], product, flags=_FUSED)

    return total(total, left, right), codegen


@typed
def sum_lanes(_typing: Any, lanes: Any) -> Any:
    """The sum of all lanes."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        real = ir.DoubleType()
        kind = ir.FunctionType(real, [real, REALS])
        reduce = declared(builder, f"llvm.vector.reduce.fadd.v{LANES}f64", kind)
        return builder.call(reduce, [ir.Constant(real, 0.0), args[0]], fastmath=("reassoc",))

    return types.float64(lanes), codegen


@typed
def first_lanes(_typing: Any, lanes: Any, count: Any) -> Any:
    """The first ``count`` lanes, 0 in the others, whatever they hold."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        places = ir.Constant(ir.VectorType(I64, LANES), list(range(LANES)))
        count = spread_value(builder, args[1], places.type)
        wanted = builder.icmp_signed("<", places, count)
        # Not a product: what lies past a row may read as NaN, and NaN times 0 is NaN.
        return builder.select(wanted, args[0], ir.Constant(REALS, [0.0] * LANES))

    return lanes(lanes, types.int64), codegen


@typed
def largest_lanes(_typing: Any, left: Any, right: Any) -> Any:
    """The larger of two numbers, lane by lane."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *args), *args)

    return left(left, right), codegen


@typed
def leaky_lanes(_typing: Any, lanes: Any, slope: Any) -> Any:
    """``x`` above 0, ``slope * x`` else, lane by lane."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        scaled = builder.fmul(args[0], spread_value(builder, args[1], REALS))
        zeros = ir.Constant(REALS, [0.0] * LANES)
        return builder.select(builder.fcmp_ordered(">", args[0], zeros), args[0], scaled)

    return lanes(lanes, types.float64), codegen


@typed
def load_singles(_typing: Any, stream: Any, size: Any, byte: Any) -> Any:
    """Eight fp32 values; those past the end of the stream are some of its last."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        stream, size, byte = args
        lanes = ir.Constant(REALS, ir.Undefined)
        for lane in range(LANES):
            at = least(builder, builder.add(byte, I64(4 * lane)), builder.sub(size, I64(4)))
            single = builder.load(pointer_to(builder, (stream, at), ir.FloatType()), align=1)
            real = builder.fpext(single, ir.DoubleType())
            lanes = builder.insert_element(lanes, real, I32(lane))
        return lanes

    return reals(stream, types.int64, types.int64), codegen


@typed
def nearest_codes(_typing: Any, lanes: Any, step: Any, offset: Any, top: Any) -> Any:
    """Codes ``0 .. top`` of values; halves round to even."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        step, offset, top = (spread_value(builder, number, REALS) for number in args[1:])
        scaled = builder.fdiv(builder.fsub(args[0], offset), step)
        unary, binary = (ir.FunctionType(REALS, [REALS] * n) for n in (1, 2))
        rint = declared(builder, f"llvm.rint.v{LANES}f64", unary)
        least = declared(builder, f"llvm.minnum.v{LANES}f64", binary)
        most = declared(builder, f"llvm.maxnum.v{LANES}f64", binary)
        zero = ir.Constant(REALS, [0.0] * LANES)
        rounded = builder.call(most, [builder.call(rint, [scaled]), zero])
        return builder.call(least, [rounded, top])

    return lanes(lanes, types.float64, types.float64, types.float64), codegen
