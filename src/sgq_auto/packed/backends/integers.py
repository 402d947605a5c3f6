"""Vectors of integers: eight of 64 bits, which are positions, or sixteen totals of 32 bits."""

from typing import Any

from llvmlite import ir
from numba.core import types

from sgq_auto.packed.backends.signatures import COUNTERS, LANES
from sgq_auto.packed.backends.vectors import (
    I8,
    I32,
    I64,
    INTS,
    REALS,
    WORDS,
    ints,
    reals,
    spread_value,
    words,
)
from sgq_auto.packed.backends.words import pointer_to, typed


@typed
def no_counters(_typing: Any) -> Any:
    """Sixteen zeros."""

    def codegen(_context: Any, _builder: Any, _signature: Any, _args: Any) -> Any:
        return ir.Constant(INTS, [0] * COUNTERS)

    return ints(), codegen


@typed
def half_counters(_typing: Any, counters: Any, half: Any) -> Any:
    """The first (0) or second (1) eight totals as fp64."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        lanes = ir.VectorType(I32, LANES)
        halves = [
            builder.shuffle_vector(
                args[0], args[0], ir.Constant(lanes, list(range(start, start + LANES)))
            )
            for start in (0, LANES)
        ]
        is_first = builder.icmp_signed("==", args[1], I64(0))
        return builder.sitofp(builder.select(is_first, *halves), REALS)

    return reals(counters, types.int64), codegen


@typed
def scale_counters(_typing: Any, counters: Any, factor: Any) -> Any:
    """``counters * factor``."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.mul(args[0], spread_value(builder, builder.trunc(args[1], I32), INTS))

    return counters(counters, types.int64), codegen


@typed
def store_narrow(_typing: Any, values: Any, first: Any, integers: Any) -> Any:
    """Write eight integers as consecutive int32 values."""

    def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        kind = ir.VectorType(I32, LANES)
        builder.store(builder.trunc(args[2], kind), pointer_to(builder, args, kind), align=4)
        return context.get_dummy_value()

    return types.void(values, types.int64, integers), codegen


@typed
def add_integer(_typing: Any, integers: Any, value: Any) -> Any:
    """``integers + value``."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.add(args[0], spread_value(builder, args[1], WORDS))

    return integers(integers, types.int64), codegen


@typed
def shift_integers(_typing: Any, integers: Any, bits: Any) -> Any:
    """``integers << bits``."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.shl(args[0], spread_value(builder, args[1], WORDS))

    return integers(integers, types.int64), codegen


@typed
def count_below(_typing: Any, integers: Any, limit: Any) -> Any:
    """How many integers come before the first that is not less than ``limit``."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        beyond = builder.icmp_signed(">=", args[0], spread_value(builder, args[1], WORDS))
        mask = builder.zext(builder.bitcast(beyond, I8), I64)
        ended = builder.or_(mask, I64(1 << LANES))
        return builder.cttz(ended, ir.Constant(ir.IntType(1), 1))

    return types.int64(integers, types.int64), codegen


@typed
def spread_bytes(_typing: Any, word: Any) -> Any:
    """The eight bytes of a word as integers."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.zext(builder.bitcast(args[0], ir.VectorType(I8, LANES)), WORDS)

    return words(types.uint64), codegen
