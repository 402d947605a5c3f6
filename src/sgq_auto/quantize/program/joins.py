"""What joins, stacks, reduces, cuts or copies embeddings in packed operations."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from sgq_auto.packed.runtime.operations.joins import (
    Add,
    Columns,
    Concatenate,
    Maximum,
)
from sgq_auto.quantize.program.lowering import Arguments, Lowered, scaled
from sgq_auto.quantize.program.program_builder import (
    Builder,
    Lengths,
    Row,
    Stacked,
    UnpackableError,
    Value,
)


def lower_split(builder: Builder, args: Arguments, outputs: Sequence[Tensor]) -> list[Value]:
    """What the parts of an embedding stand for that was split into columns.

    Args:
        builder: The program so far.
        args: What the operator was called with.
        outputs: The parts.

    Raises:
        UnpackableError: If it was split into nodes.
    """
    row, first, parts = builder.row(args[0]), 0, list[Value]()
    if any(part.size(0) != args[0].size(0) for part in outputs):
        raise UnpackableError("it takes some of the nodes")
    for part in outputs:
        last = first + part.size(1)
        made = Columns(inputs=(row.value,), first=first, last=last)
        parts.append(builder.add(made, part.size(1)))
        first = last
    return parts


def _cat(builder: Builder, args: Arguments, _keywords: Any, output: Tensor) -> Value:
    dimension = args[1] if len(args) > 1 else 0
    if dimension % output.dim() != output.dim() - 1 or output.dim() != 2:
        raise UnpackableError("it joins other dimensions than columns")
    rows = [builder.row(tensor) for tensor in args[0]]
    width = sum(row.width for row in rows)
    return builder.add(Concatenate(inputs=tuple(row.value for row in rows)), width)


def _stack(builder: Builder, args: Arguments, _keywords: Any, output: Tensor) -> Value:
    dimension = (args[1] if len(args) > 1 else 0) % output.dim()
    if output.dim() != 3:
        raise UnpackableError("it stacks more than matrices")
    return Stacked(tuple(builder.row(tensor) for tensor in args[0]), dimension)


def _maximum(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
    rows = [builder.row(tensor) for tensor in args[:2]]
    return _largest(builder, rows)


def _largest(builder: Builder, rows: list[Row]) -> Row:
    if len(rows) == 1:
        return rows[0]
    width = max(row.width for row in rows)
    return builder.add(Maximum(inputs=tuple(row.value for row in rows)), width)


def _reduced(builder: Builder, args: Arguments) -> list[Row]:
    """The embeddings that are reduced to one along the dimension that they are stacked along."""
    stacked = builder.get(args[0])
    if not isinstance(stacked, Stacked):
        raise UnpackableError("it reduces something else than stacked embeddings")
    dimensions = args[1] if len(args) > 1 else None
    given = dimensions if isinstance(dimensions, list | tuple) else [dimensions]
    if len(given) != 1 or given[0] is None or given[0] % 3 != stacked.dimension:
        raise UnpackableError("it reduces another dimension than the stacked one")
    if len(args) > 2 and args[2]:
        raise UnpackableError("it keeps the dimension that it reduces")
    return [builder.here(row) for row in stacked.rows]


def _max(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
    return _largest(builder, _reduced(builder, args))


def _total(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
    rows = _reduced(builder, args)
    if len(rows) == 1:
        return rows[0]
    return builder.add(Add(inputs=tuple(row.value for row in rows)), rows[0].width)


def _mean(builder: Builder, args: Arguments, keywords: Any, output: Any) -> Value:
    total = _total(builder, args, keywords, output)
    assert isinstance(total, Row)
    return scaled(builder, total, 1 / len(_reduced(builder, args)))


def _slice(builder: Builder, args: Arguments, _keywords: Any, output: Tensor) -> Value:
    dimension, first, last = [*args[1:4], None, None][:3]
    value = builder.row(args[0])
    if output.shape == args[0].shape:
        return value
    if dimension % output.dim() != 1 or (len(args) > 4 and args[4] != 1):
        raise UnpackableError("it takes some of the nodes")
    start, stop, _ = slice(first, last).indices(value.width)
    return builder.add(Columns(inputs=(value.value,), first=start, last=stop), stop - start)


def _same(builder: Builder, args: Arguments, _keywords: Any, output: Tensor) -> Value:
    """An operator that changes no value: a copy, a view of the same shape, or of one column."""
    value = builder.get(args[0])
    assert value is not None
    if isinstance(value, Lengths):
        return value
    shapes = {tuple(output.shape), tuple(args[0].shape)}
    one_column = shapes <= {(len(output),), (len(output), 1)}
    if output.dtype != args[0].dtype or (len(shapes) > 1 and not one_column):
        raise UnpackableError("it changes the shape or the type of an embedding")
    return value


def _copy(builder: Builder, args: Arguments, _keywords: Any, _output: Any) -> Value:
    """An embedding takes over the values of another one."""
    return builder.row(args[1])


# By the name of the operator.
ARRANGING: Mapping[str, Lowered] = {
    "cat": _cat,
    "stack": _stack,
    "maximum": _maximum,
    "max": _max,
    "amax": _max,
    "sum": _total,
    "mean": _mean,
    "slice": _slice,
    "copy": _copy,
    "alias": _same,
    "detach": _same,
    "clone": _same,
    "contiguous": _same,
    "_to_copy": _same,
    "view": _same,
    "_unsafe_view": _same,
    "reshape": _same,
    "squeeze": _same,
    "unsqueeze": _same,
    "expand": _same,
    "lift_fresh": _same,
}
