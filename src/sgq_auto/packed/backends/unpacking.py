"""From packed words to vectors of codes, and back."""

from typing import Any

from llvmlite import ir
from numba.core import types

from sgq_auto.packed.backends.signatures import COUNTERS, LANES
from sgq_auto.packed.backends.vectors import (
    I32,
    I64,
    REALS,
    WORDS,
    ints,
    least,
    reals,
    spread_value,
    words,
)
from sgq_auto.packed.backends.words import declared, pointer_to, typed


@typed
def codes(_typing: Any, word: Any, bits: Any) -> Any:
    """The eight lowest codes of a word, up to 8 bits each."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        found = _split(builder, *args)
        # From 32 bits, which every vector unit converts.
        return builder.sitofp(builder.trunc(found, ir.VectorType(I32, LANES)), REALS)

    return reals(types.uint64, types.int64), codegen


@typed
def wide_codes(_typing: Any, stream: Any, size: Any, bit: Any, bits: Any) -> Any:
    """Eight codes of up to 16 bits; those past the end of the stream are anything."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        found = _each_code(builder, args, LANES, I32)
        return builder.uitofp(found, REALS)

    return reals(stream, types.int64, types.int64, types.int64), codegen


@typed
def code_counters(_typing: Any, stream: Any, size: Any, bit: Any, bits: Any) -> Any:
    """Sixteen codes of up to 16 bits; those past the end of the stream are anything."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _each_code(builder, args, COUNTERS, I32)

    return ints(stream, types.int64, types.int64, types.int64), codegen


@typed
def join_codes(_typing: Any, lanes: Any, bits: Any) -> Any:
    """A word of eight codes of up to 8 bits, the first one lowest."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        narrow = builder.fptosi(args[0], ir.VectorType(I32, LANES))
        lanes = ir.Constant(WORDS, list(range(LANES)))
        shifts = builder.mul(lanes, spread_value(builder, args[1], WORDS))
        shifted = builder.shl(builder.zext(narrow, WORDS), shifts)
        kind = ir.FunctionType(I64, [WORDS])
        return builder.call(
            declared(builder, f"llvm.vector.reduce.or.v{LANES}i64", kind), [shifted]
        )

    return types.uint64(lanes, types.int64), codegen


@typed
def split_word(_typing: Any, word: Any, bits: Any) -> Any:
    """The eight lowest integers of a word, up to 8 bits each."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _split(builder, *args)

    return words(types.uint64, types.int64), codegen


@typed
def wide_integers(_typing: Any, stream: Any, size: Any, bit: Any, bits: Any) -> Any:
    """Eight packed integers of up to 57 bits; those past the end of the stream are anything."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _each_code(builder, args, LANES, I64)

    return words(stream, types.int64, types.int64, types.int64), codegen


def _split(builder: Any, word: Any, bits: Any) -> Any:
    """The eight lowest codes of a word as int64."""
    lanes = ir.Constant(WORDS, list(range(LANES)))
    shifts = builder.mul(lanes, spread_value(builder, bits, WORDS))
    shifted = builder.lshr(spread_value(builder, word, WORDS), shifts)
    return builder.and_(shifted, spread_value(builder, _mask(builder, bits), WORDS))


def _each_code(builder: Any, args: Any, count: int, kind: Any) -> Any:
    """Consecutive codes, each from the bytes of one ``kind`` that hold it."""
    stream, size, bit, bits = args
    last = builder.sub(size, I64(kind.width // 8))
    mask = builder.trunc(_mask(builder, bits), kind)
    found = ir.Constant(ir.VectorType(kind, count), ir.Undefined)
    for lane in range(count):
        at = builder.add(bit, builder.mul(bits, I64(lane)))
        byte = least(builder, builder.lshr(at, I64(3)), last)
        word = builder.load(pointer_to(builder, (stream, byte), kind), align=1)
        # Past the end the shift may be too large; its result is not used.
        shift = builder.and_(builder.sub(at, builder.shl(byte, I64(3))), I64(kind.width - 1))
        code = builder.and_(builder.lshr(word, builder.trunc(shift, kind)), mask)
        found = builder.insert_element(found, code, I32(lane))
    return found


def _mask(builder: Any, bits: Any) -> Any:
    return builder.sub(builder.shl(I64(1), bits), I64(1))
