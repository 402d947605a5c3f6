"""What numba has no word for: unaligned words, trailing zeros, and eight codes at a time."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

# Codes that one 64-bit word holds at up to 8 bits, whatever bit of a byte the first starts at.
LANES = 8

_WORD = ir.IntType(64)
_WORDS = ir.VectorType(_WORD, LANES)
_REALS = ir.VectorType(ir.DoubleType(), LANES)


def _intrinsic(function: Callable[..., Any]) -> Any:
    """Numba's decorator, whose result takes one argument fewer than the function."""
    return intrinsic(function)


@_intrinsic
def load_word(_typing: Any, stream: Any, byte: Any) -> Any:
    """The 64-bit word of a byte array that starts at ``byte``; unaligned and unchecked."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, signature, args)
        return builder.load(builder.bitcast(pointer, _WORD.as_pointer()), align=1)

    return types.uint64(stream, types.int64), codegen


@_intrinsic
def prefetch(_typing: Any, stream: Any, byte: Any) -> Any:
    """Ask for the cache line of a byte array that holds ``byte``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, signature, args)
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        name = "llvm.prefetch.p0i8"
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        # To read, to be kept in every cache, data.
        builder.call(function, [pointer, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(stream, types.int64), codegen


@_intrinsic
def trailing_zeros(_typing: Any, word: Any) -> Any:
    """Zeros below the lowest set bit of a word that is not zero."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


@_intrinsic
def load_real(_typing: Any, stream: Any, byte: Any) -> Any:
    """The fp32 value of a byte array that starts at ``byte``; unaligned and unchecked."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, signature, args)
        return builder.load(builder.bitcast(pointer, ir.FloatType().as_pointer()), align=1)

    return types.float32(stream, types.int64), codegen


@_intrinsic
def add_codes(_typing: Any, out: Any, first: Any, word: Any, bits: Any, weight: Any) -> Any:
    """Add the eight lowest codes of a word, times ``weight``, to an fp64 array."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _reals(context, builder, signature, args)
        weights = _spread(builder, args[4], _REALS)
        scaled = builder.fmul(weights, _codes(builder, *args[2:4]), flags=("contract",))
        total = builder.fadd(builder.load(pointer, align=8), scaled, flags=("contract",))
        builder.store(total, pointer, 8)
        return context.get_dummy_value()

    wanted = out, types.int64, types.uint64, types.uint64, types.float64
    return types.void(*wanted), codegen


def _codes(builder: Any, word: Any, bits: Any) -> Any:
    """The eight lowest codes of a word as fp64."""
    lanes = ir.Constant(_WORDS, list(range(LANES)))
    mask = builder.sub(builder.shl(_WORD(1), bits), _WORD(1))
    shifts = builder.mul(lanes, _spread(builder, bits, _WORDS))
    shifted = builder.lshr(_spread(builder, word, _WORDS), shifts)
    codes = builder.and_(shifted, _spread(builder, mask, _WORDS))
    # From 32 bits, which every vector unit converts.
    return builder.sitofp(builder.trunc(codes, ir.VectorType(ir.IntType(32), LANES)), _REALS)


def _spread(builder: Any, value: Any, vector: Any) -> Any:
    """A vector with ``value`` in every lane."""
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)


def _reals(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    pointer = _element(context, builder, signature, args)
    return builder.bitcast(pointer, _REALS.as_pointer())


def _element(context: Any, builder: Any, signature: Any, args: Any) -> Any:
    """A pointer to the element of the first argument that the second one counts."""
    array = context.make_array(signature.args[0])(context, builder, args[0])
    return builder.gep(array.data, [args[1]])
