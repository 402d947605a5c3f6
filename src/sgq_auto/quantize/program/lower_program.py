"""From a recorded forward pass to the program of a packed model."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sgq_auto.errors import InputError
from sgq_auto.packed.runtime.program import Program, input_buffer
from sgq_auto.quantize.forward.graph_pooling import GraphPooling
from sgq_auto.quantize.program.joins import lower_split
from sgq_auto.quantize.program.norms import lower_norm
from sgq_auto.quantize.program.operators import lower_operator
from sgq_auto.quantize.program.pooling import graph_sizes, lower_pooling
from sgq_auto.quantize.program.program_builder import (
    Builder,
    Failed,
    LogSoftmax,
    Row,
    UnpackableError,
    Value,
)
from sgq_auto.quantize.program.recording import LayerCall, OutsideCall, Recording, SkipCall

# What takes the type and the shape of an embedding at most, and none of its values.
_CONSTANTS = frozenset(
    {
        *("new_zeros", "new_ones", "new_full", "new_empty"),
        *("zeros_like", "ones_like", "full_like", "empty_like"),
    }
)


@dataclass(frozen=True, eq=False)
class Lowered:
    """The program of a recorded model, or why it has none.

    Attributes:
        program: What the packed runtime would run; ``None`` where it cannot.
        reason: Why not, in one line; empty where it can.
    """

    program: Program | None
    reason: str = ""


def lower(recording: Recording, num_features: int) -> Lowered:
    """The program of a recorded forward pass.

    Args:
        recording: What a prepared model did.
        num_features: Columns of the node features.
    """
    try:
        return Lowered(_Walk(recording, num_features).program())
    except InputError as error:
        return Lowered(None, str(error))


class _Walk:
    """Walks through a recording, event by event."""

    def __init__(self, recording: Recording, num_features: int) -> None:
        self._recording = recording
        self._builder = Builder(num_features, graph_sizes(recording.graph))
        # The last layer that ran, for messages.
        self._after = ""
        if recording.features is not None:
            self._builder.set_features(recording.features)

    def program(self) -> Program:
        """The program.

        Raises:
            InputError: If the packed runtime cannot run it.
        """
        _check_layers(self._recording)
        shared = _shared_memory(self._recording)
        for event in self._recording.events:
            if isinstance(event, LayerCall):
                self._layer(event)
            elif isinstance(event, SkipCall):
                self._skip(event)
            else:
                self._outside(event, shared)
        try:
            return self._builder.finish(self._logits())
        except UnpackableError as error:
            raise InputError(f"the model: {error}") from error

    def _layer(self, call: LayerCall) -> None:
        builder, name = self._builder, call.layer.name
        if call.input is not None:
            self._hold(call.input, input_buffer(name), f"the input of {name}")
            if call.quantized is not None:
                self._alias(call.quantized, call.input)
        further = [self._held(tensor, name) for tensor in call.further]
        self._after = name
        width, per_graph = call.output.size(1), call.layer.per_graph
        row = builder.add_layer(name, width, further, per_graph=per_graph)
        builder.set(call.output, row)

    def _skip(self, call: SkipCall) -> None:
        self._hold(call.input, call.name, call.name)
        self._builder.skips[call.name] = call.input[0].numel()
        self._alias(call.output, call.input)

    def _hold(self, tensor: Tensor, buffer: str, what: str) -> None:
        value = self._builder.get(tensor)
        if isinstance(value, Failed):
            raise InputError(value.reason)
        if not isinstance(value, Row):
            raise InputError(f"{what}: it is no embedding that the model made of nodes")
        self._builder.hold(value, buffer)

    def _held(self, tensor: Tensor, layer: str) -> str:
        """The buffer of an embedding that a layer reads besides its input."""
        value = self._builder.get(tensor)
        buffer = self._builder.buffer_of(value) if isinstance(value, Row) else None
        if buffer is None:
            raise InputError(f"{layer}: it reads what is held in no codes")
        return buffer

    def _alias(self, tensor: Tensor, other: Tensor) -> None:
        value = self._builder.get(other)
        assert value is not None
        self._builder.set(tensor, value)

    def _outside(self, call: OutsideCall, shared: Mapping[int, list[Tensor]]) -> None:
        """An operation: what it returns stands for what it makes, or for why that fails."""
        touched = list(_known([call.args, call.keywords], self._builder))
        outputs = call.output if isinstance(call.output, list | tuple) else [call.output]
        made = [out for out in outputs if isinstance(out, Tensor)]
        if not touched or not made or _name_of(call.function) in _CONSTANTS:
            return
        failed = next((value for value in touched if isinstance(value, Failed)), None)
        values: list[Value] = [failed] if failed else self._lowered(call, shared, made)
        # Of several results the first one may be the embedding alone: a norm's, or a maximum.
        others = Failed(f"{_name(call)}: the packed runtime has its values alone")
        missing = [failed or others] * (len(made) - len(values))
        for tensor, value in zip(made, [*values, *missing], strict=True):
            self._builder.set(tensor, value)

    def _lowered(
        self, call: OutsideCall, shared: Mapping[int, list[Tensor]], made: list[Tensor]
    ) -> list[Value]:
        """What the results of an operation stand for, or why it cannot be packed."""
        try:
            if isinstance(call.function, GraphPooling):
                return [lower_pooling(self._builder, call.function, call.args[0])]
            if isinstance(call.function, nn.Module):
                return [lower_norm(self._builder, call.function, call.args, call.keywords)]
            name = _name_of(call.function)
            is_changed = any(made[0] is tensor for tensor in call.args)
            if is_changed:
                self._check_views(call, shared.get(_memory(made[0]), []))
            if name in ("split", "split_with_sizes"):
                return lower_split(self._builder, call.args, made)
            return [lower_operator(self._builder, name, call.args, call.keywords, made[0])]
        except UnpackableError as error:
            where = f"after {self._after}" if self._after else "before the first layer"
            return [Failed(f"{_name(call)} {where}: {error}")]

    def _check_views(self, call: OutsideCall, views: list[Tensor]) -> None:
        """Nothing that shares its memory with what changes can be packed from here on."""
        error = UnpackableError("it changes an embedding that has another view")
        for view in views:
            self._builder.set(view, Failed(f"{_name(call)} after {self._after}: {error}"))
        if views:
            raise error

    def _logits(self) -> Row:
        output = self._recording.output
        value = self._builder.get(output)
        if isinstance(value, LogSoftmax):
            value = value.row
        if isinstance(value, Failed):
            raise InputError(value.reason)
        if not isinstance(value, Row):
            raise InputError("the model's output is not what its layers lead to")
        return value


def _check_layers(recording: Recording) -> None:
    """The layers by themselves.

    Raises:
        InputError: If the packed runtime does not have one, or one runs twice.
    """
    runs = Counter(call.layer.name for call in recording.calls)
    for call in recording.calls:
        layer = call.layer
        kind = layer.packed_kind()
        if kind is None:
            raise InputError(layer.unpackable())
        if runs[layer.name] > 1:
            raise InputError(f"{layer.name}: it runs {runs[layer.name]} times")
        if call.input is None and kind.feature_fault:
            raise InputError(f"{layer.name}: in a packed model, {kind.feature_fault}")


def _name(call: OutsideCall) -> str:
    """What did something, as messages call it: a module of the model, or a function."""
    if isinstance(call.function, GraphPooling):
        return f"pooling ({call.function.pooling})"
    if isinstance(call.function, nn.Module):
        return call.module
    function = _name_of(call.function).strip("_")
    return f"{call.module} ({function})" if call.module else function


def _name_of(function: Any) -> str:
    """The name of an operator without its overload; empty for a module."""
    return "" if isinstance(function, nn.Module) else str(function.overloadpacket.__name__)


def _known(value: Any, builder: Builder) -> Iterator[Value]:
    """What the tensors in some arguments stand for, constants left out."""
    if isinstance(value, Tensor):
        known = builder.get(value)
        if known is not None:
            yield known
    elif isinstance(value, dict):
        yield from _known(list(value.values()), builder)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _known(item, builder)


def _memory(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _shared_memory(recording: Recording) -> dict[int, list[Tensor]]:
    """The memory that more than one tensor of a recording has, and these tensors."""
    tensors: dict[int, dict[int, Tensor]] = {}
    for event in recording.events:
        outputs = event.output if isinstance(event.output, list | tuple) else [event.output]
        for out in outputs:
            if isinstance(out, Tensor) and out.layout is torch.strided:
                tensors.setdefault(_memory(out), {})[id(out)] = out
    return {memory: list(views.values()) for memory, views in tensors.items() if len(views) > 1}
