"""What the operators of torch are turned into packed operations by, and what they share."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from sgq_auto.packed.runtime.operations.elementwise import (
    Scale,
)
from sgq_auto.packed.runtime.operations.operation import Operation
from sgq_auto.quantize.program.program_builder import (
    Builder,
    Row,
    Value,
)

Arguments = tuple[Any, ...]
# Called with the builder, the positional arguments, those by name, and the output; says what the
# output stands for.
Lowered = Callable[[Builder, Arguments, Mapping[str, Any], Tensor], Value]


def one(builder: Builder, tensor: Any, make: Callable[[int], Operation]) -> Row:
    """An operation on one embedding, which keeps its width."""
    row = builder.row(tensor)
    return builder.add(make(row.value), row.width)


def scaled(builder: Builder, row: Row, factor: float, shift: float = 0.0) -> Row:
    """``factor x + shift``; nothing where that is ``x``."""
    if factor == 1 and shift == 0:
        return row
    made = Scale(inputs=(row.value,), factor=float(factor), shift=float(shift))
    return builder.add(made, row.width)
