"""Eight codes, or sixteen totals, at a time: LLVM's own vectors inside numba kernels.

The compiler splits them into whatever registers the machine has.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import models, register_model

from sgq_auto.packed.engines.signatures import COUNTERS, LANES
from sgq_auto.packed.engines.words import declared, pointer_to, typed

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_WORDS = ir.VectorType(_I64, LANES)
_REALS = ir.VectorType(ir.DoubleType(), LANES)
_INTS = ir.VectorType(_I32, COUNTERS)
# Sums may be fused with products; their order stays.
_FUSED = ("contract",)


class VectorType(types.Type):
    """The numba type of an LLVM vector."""

    def __init__(self, name: str, kind: ir.VectorType) -> None:
        self.kind = kind
        super().__init__(name=name)


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: VectorType) -> None:
        super().__init__(dmm, fe_type, fe_type.kind)


_words = VectorType("int64x8", _WORDS)
_reals = VectorType("float64x8", _REALS)
_ints = VectorType("int32x16", _INTS)


def _loader(vector: VectorType, bytes_each: int) -> Any:
    """An intrinsic that reads consecutive values, from a pointer and the index of the first."""

    def load(_typing: Any, values: Any, first: Any) -> Any:
        def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            return builder.load(pointer_to(builder, args, vector.kind), align=bytes_each)

        return vector(values, types.int64), codegen

    return typed(load)


def _storer(vector: VectorType, bytes_each: int) -> Any:
    """An intrinsic that writes consecutive values."""

    def store(_typing: Any, values: Any, first: Any, lanes: Any) -> Any:
        def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            pointer = pointer_to(builder, args, vector.kind)
            builder.store(args[2], pointer, align=bytes_each)
            return context.get_dummy_value()

        return types.void(values, types.int64, vector), codegen

    return typed(store)


load_lanes, store_lanes = _loader(_reals, 8), _storer(_reals, 8)
load_integers, store_integers = _loader(_words, 8), _storer(_words, 8)
load_counters, store_counters = _loader(_ints, 4), _storer(_ints, 4)


@typed
def add(_typing: Any, left: Any, right: Any) -> Any:
    """``left + right``, lane by lane."""

    def codegen(_context: Any, builder: Any, signature: Any, args: Any) -> Any:
        is_real = signature.return_type is _reals
        return builder.fadd(*args) if is_real else builder.add(*args)

    return left(left, right), codegen


@typed
def no_counters(_typing: Any) -> Any:
    """Sixteen zeros."""

    def codegen(_context: Any, _builder: Any, _signature: Any, _args: Any) -> Any:
        return ir.Constant(_INTS, [0] * COUNTERS)

    return _ints(), codegen


@typed
def spread(_typing: Any, value: Any) -> Any:
    """A number in every lane."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _spread(builder, args[0], _REALS)

    return _reals(types.float64), codegen


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
        kind = ir.FunctionType(real, [real, _REALS])
        reduce = declared(builder, f"llvm.vector.reduce.fadd.v{LANES}f64", kind)
        return builder.call(reduce, [ir.Constant(real, 0.0), args[0]], fastmath=("reassoc",))

    return types.float64(lanes), codegen


@typed
def codes(_typing: Any, word: Any, bits: Any) -> Any:
    """The eight lowest codes of a word, up to 8 bits each."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        found = _split(builder, *args)
        # From 32 bits, which every vector unit converts.
        return builder.sitofp(builder.trunc(found, ir.VectorType(_I32, LANES)), _REALS)

    return _reals(types.uint64, types.int64), codegen


@typed
def wide_codes(_typing: Any, stream: Any, size: Any, bit: Any, bits: Any) -> Any:
    """Eight codes of up to 16 bits; those past the end of the stream are anything."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        found = _each_code(builder, args, LANES, _I32)
        return builder.uitofp(found, _REALS)

    return _reals(stream, types.int64, types.int64, types.int64), codegen


@typed
def load_singles(_typing: Any, stream: Any, size: Any, byte: Any) -> Any:
    """Eight fp32 values; those past the end of the stream are some of its last."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        stream, size, byte = args
        lanes = ir.Constant(_REALS, ir.Undefined)
        for lane in range(LANES):
            at = _least(builder, builder.add(byte, _I64(4 * lane)), builder.sub(size, _I64(4)))
            single = builder.load(pointer_to(builder, (stream, at), ir.FloatType()), align=1)
            real = builder.fpext(single, ir.DoubleType())
            lanes = builder.insert_element(lanes, real, _I32(lane))
        return lanes

    return _reals(stream, types.int64, types.int64), codegen


@typed
def nearest_codes(_typing: Any, lanes: Any, step: Any, offset: Any, top: Any) -> Any:
    """Codes ``0 .. top`` of values; halves round to even."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        step, offset, top = (_spread(builder, number, _REALS) for number in args[1:])
        scaled = builder.fdiv(builder.fsub(args[0], offset), step)
        unary, binary = (ir.FunctionType(_REALS, [_REALS] * n) for n in (1, 2))
        rint = declared(builder, f"llvm.rint.v{LANES}f64", unary)
        least = declared(builder, f"llvm.minnum.v{LANES}f64", binary)
        most = declared(builder, f"llvm.maxnum.v{LANES}f64", binary)
        zero = ir.Constant(_REALS, [0.0] * LANES)
        rounded = builder.call(most, [builder.call(rint, [scaled]), zero])
        return builder.call(least, [rounded, top])

    return lanes(lanes, types.float64, types.float64, types.float64), codegen


@typed
def join_codes(_typing: Any, lanes: Any, bits: Any) -> Any:
    """A word of eight codes of up to 8 bits, the first one lowest."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        narrow = builder.fptosi(args[0], ir.VectorType(_I32, LANES))
        lanes = ir.Constant(_WORDS, list(range(LANES)))
        shifts = builder.mul(lanes, _spread(builder, args[1], _WORDS))
        shifted = builder.shl(builder.zext(narrow, _WORDS), shifts)
        kind = ir.FunctionType(_I64, [_WORDS])
        return builder.call(
            declared(builder, f"llvm.vector.reduce.or.v{LANES}i64", kind), [shifted]
        )

    return types.uint64(lanes, types.int64), codegen


@typed
def store_narrow(_typing: Any, values: Any, first: Any, integers: Any) -> Any:
    """Write eight integers as consecutive int32 values."""

    def codegen(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        kind = ir.VectorType(_I32, LANES)
        builder.store(builder.trunc(args[2], kind), pointer_to(builder, args, kind), align=4)
        return context.get_dummy_value()

    return types.void(values, types.int64, integers), codegen


@typed
def add_integer(_typing: Any, integers: Any, value: Any) -> Any:
    """``integers + value``."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.add(args[0], _spread(builder, args[1], _WORDS))

    return integers(integers, types.int64), codegen


@typed
def shift_integers(_typing: Any, integers: Any, bits: Any) -> Any:
    """``integers << bits``."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.shl(args[0], _spread(builder, args[1], _WORDS))

    return integers(integers, types.int64), codegen


@typed
def count_below(_typing: Any, integers: Any, limit: Any) -> Any:
    """How many integers come before the first that is not less than ``limit``."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        beyond = builder.icmp_signed(">=", args[0], _spread(builder, args[1], _WORDS))
        mask = builder.zext(builder.bitcast(beyond, _I8), _I64)
        ended = builder.or_(mask, _I64(1 << LANES))
        return builder.cttz(ended, ir.Constant(ir.IntType(1), 1))

    return types.int64(integers, types.int64), codegen


@typed
def spread_bytes(_typing: Any, word: Any) -> Any:
    """The eight bytes of a word as integers."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.zext(builder.bitcast(args[0], ir.VectorType(_I8, LANES)), _WORDS)

    return _words(types.uint64), codegen


@typed
def split_word(_typing: Any, word: Any, bits: Any) -> Any:
    """The eight lowest integers of a word, up to 8 bits each."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _split(builder, *args)

    return _words(types.uint64, types.int64), codegen


@typed
def wide_integers(_typing: Any, stream: Any, size: Any, bit: Any, bits: Any) -> Any:
    """Eight packed integers of up to 57 bits; those past the end of the stream are anything."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _each_code(builder, args, LANES, _I64)

    return _words(stream, types.int64, types.int64, types.int64), codegen


@typed
def half_counters(_typing: Any, counters: Any, half: Any) -> Any:
    """The first (0) or second (1) eight totals as fp64."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        lanes = ir.VectorType(_I32, LANES)
        halves = [
            builder.shuffle_vector(
                args[0], args[0], ir.Constant(lanes, list(range(start, start + LANES)))
            )
            for start in (0, LANES)
        ]
        is_first = builder.icmp_signed("==", args[1], _I64(0))
        return builder.sitofp(builder.select(is_first, *halves), _REALS)

    return _reals(counters, types.int64), codegen


@typed
def scale_counters(_typing: Any, counters: Any, factor: Any) -> Any:
    """``counters * factor``."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.mul(args[0], _spread(builder, builder.trunc(args[1], _I32), _INTS))

    return counters(counters, types.int64), codegen


@typed
def code_counters(_typing: Any, stream: Any, size: Any, bit: Any, bits: Any) -> Any:
    """Sixteen codes of up to 16 bits; those past the end of the stream are anything."""

    def codegen(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return _each_code(builder, args, COUNTERS, _I32)

    return _ints(stream, types.int64, types.int64, types.int64), codegen


def _split(builder: Any, word: Any, bits: Any) -> Any:
    """The eight lowest codes of a word as int64."""
    lanes = ir.Constant(_WORDS, list(range(LANES)))
    shifts = builder.mul(lanes, _spread(builder, bits, _WORDS))
    shifted = builder.lshr(_spread(builder, word, _WORDS), shifts)
    return builder.and_(shifted, _spread(builder, _mask(builder, bits), _WORDS))


def _each_code(builder: Any, args: Any, count: int, kind: Any) -> Any:
    """Consecutive codes, each from the bytes of one ``kind`` that hold it."""
    stream, size, bit, bits = args
    last = builder.sub(size, _I64(kind.width // 8))
    mask = builder.trunc(_mask(builder, bits), kind)
    found = ir.Constant(ir.VectorType(kind, count), ir.Undefined)
    for lane in range(count):
        at = builder.add(bit, builder.mul(bits, _I64(lane)))
        byte = _least(builder, builder.lshr(at, _I64(3)), last)
        word = builder.load(pointer_to(builder, (stream, byte), kind), align=1)
        # Past the end the shift may be too large; its result is not used.
        shift = builder.and_(builder.sub(at, builder.shl(byte, _I64(3))), _I64(kind.width - 1))
        code = builder.and_(builder.lshr(word, builder.trunc(shift, kind)), mask)
        found = builder.insert_element(found, code, _I32(lane))
    return found


def _mask(builder: Any, bits: Any) -> Any:
    return builder.sub(builder.shl(_I64(1), bits), _I64(1))


def _least(builder: Any, left: Any, right: Any) -> Any:
    return builder.select(builder.icmp_signed("<", left, right), left, right)


def _spread(builder: Any, value: Any, vector: Any) -> Any:
    """A vector with ``value`` in every lane."""
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, _I32(0))
    zeros = ir.Constant(ir.VectorType(_I32, vector.count), [0] * vector.count)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)
