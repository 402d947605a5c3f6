"""What numba has no word for: unaligned words, bit scans and prefetching. Memory is pointers."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)


def typed(function: Callable[..., Any]) -> Any:
    """Numba's decorator, whose result takes one argument fewer than the function."""
    return intrinsic(function)


@typed
def load_word(_typing: Any, stream: Any, byte: Any) -> Any:
    """The 64-bit word that starts at ``byte``."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.load(pointer_to(builder, args, _I64), align=1)

    return types.uint64(stream, types.int64), codegen


@typed
def store_word(_typing: Any, stream: Any, byte: Any, word: Any) -> Any:
    """Write the 64-bit word that starts at ``byte``."""

    def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        builder.store(args[2], pointer_to(builder, args, _I64), align=1)
        return context.get_dummy_value()

    return types.void(stream, types.int64, types.uint64), codegen


@typed
def as_real(_typing: Any, bits: Any) -> Any:
    """The fp64 number with the bits of an int64."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@typed
def trailing_zeros(_typing: Any, word: Any) -> Any:
    """Zeros below the lowest set bit of a word that is not zero."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


@typed
def count_ones(_typing: Any, word: Any) -> Any:
    """Set bits of a word."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), codegen


@typed
def prefetch(_typing: Any, stream: Any, byte: Any) -> Any:
    """Ask for the cache line that holds ``byte``."""

    def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        pointer = pointer_to(builder, args, _I8)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, _I32, _I32, _I32])
        # To read, to be kept in every cache, data.
        numbers = [_I32(0), _I32(3), _I32(1)]
        builder.call(declared(builder, "llvm.prefetch.p0", kind), [pointer, *numbers])
        return context.get_dummy_value()

    return types.void(stream, types.int64), codegen


def pointer_to(builder: Any, args: Any, kind: Any) -> Any:
    """A pointer to a ``kind`` at element ``args[1]`` of pointer ``args[0]``."""
    return builder.bitcast(builder.gep(args[0], [args[1]]), kind.as_pointer())


def declared(builder: Any, name: str, kind: Any) -> Any:
    """A function of LLVM's own, declared where it is used first."""
    return builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
