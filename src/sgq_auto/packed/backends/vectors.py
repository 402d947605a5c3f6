"""LLVM's own vectors inside numba kernels: eight numbers, or sixteen totals, at a time.

The compiler splits them into whatever registers the machine has.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import models, register_model

from sgq_auto.packed.backends.signatures import COUNTERS, LANES
from sgq_auto.packed.backends.words import pointer_to, typed

I8, I32, I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
WORDS = ir.VectorType(I64, LANES)
REALS = ir.VectorType(ir.DoubleType(), LANES)
INTS = ir.VectorType(I32, COUNTERS)


class VectorType(types.Type):
    """The numba type of an LLVM vector."""

    def __init__(self, name: str, kind: ir.VectorType) -> None:
        self.kind = kind
        super().__init__(name=name)


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: VectorType) -> None:
        super().__init__(dmm, fe_type, fe_type.kind)


words = VectorType("int64x8", WORDS)
reals = VectorType("float64x8", REALS)
ints = VectorType("int32x16", INTS)


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


load_lanes, store_lanes = _loader(reals, 8), _storer(reals, 8)
load_integers, store_integers = _loader(words, 8), _storer(words, 8)
load_counters, store_counters = _loader(ints, 4), _storer(ints, 4)


@typed
def add(_typing: Any, left: Any, right: Any) -> Any:
    """``left + right``, lane by lane."""

    def codegen(_context: Any, builder: Any, signature: Any, args: Any) -> Any:
        is_real = signature.return_type is reals
        return builder.fadd(*args) if is_real else builder.add(*args)

    return left(left, right), codegen


def spread_value(builder: Any, value: Any, vector: Any) -> Any:
    """A vector with ``value`` in every lane."""
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, I32(0))
    zeros = ir.Constant(ir.VectorType(I32, vector.count), [0] * vector.count)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)


def least(builder: Any, left: Any, right: Any) -> Any:
    """The smaller of two integers."""
    return builder.select(builder.icmp_signed("<", left, right), left, right)
