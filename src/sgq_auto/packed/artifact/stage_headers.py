"""The program in a header: stages, their operations, and skip connections, read and checked.

A header of version 2 has none: its layers are a chain, each with an activation (``none``, ``relu``
or ``elu``). One of version 3 has these entries:

- ``skips``: for each skip connection, by name, ``features`` (its width) and ``bits`` (a list; one
  number where its rows are graphs);
- ``stages``, in order: ``layer`` (a name; null for a first stage that works on the node features),
  ``operations`` (``kind``, ``inputs`` and what the kind adds) and ``outputs`` (``value`` and
  ``buffer``: the name of a skip connection, ``NAME.input`` for what layer NAME reads, or null for
  the logits). Value 0 is the layer's output, value ``k + 1`` is what operation ``k`` made. Where
  the layer reads more than its input, ``further`` lists these buffers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.header_fields import (
    bit_widths,
    choice,
    count,
    counts,
    list_of,
    object_of,
)
from sgq_auto.packed.runtime.operations.elementwise import Activate, Function
from sgq_auto.packed.runtime.operations.graph_rows import Described, buffers_of_graphs
from sgq_auto.packed.runtime.operations.operation import Operation
from sgq_auto.packed.runtime.operations.operation_kinds import OPERATIONS
from sgq_auto.packed.runtime.program import Output, Program, Stage, input_buffer

MAX_STAGES = 1025
_MAX_OPERATIONS = 256
_MAX_SKIPS = 1024
# What names of operations' tensors start with, and no layer's.
OPERATION_PREFIX = "operation:"


@dataclass(frozen=True)
class OperationHeader:
    """One operation of a header, checked.

    Attributes:
        kind: The class of its kind.
        inputs: The values that it reads.
        settings: Its settings by name.
        shapes: The shapes of its fp32 tensors by name.
    """

    kind: type[Operation]
    inputs: tuple[int, ...]
    settings: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class StageHeader:
    """One stage of a header.

    Attributes:
        layer: The name of its layer; ``None`` where it works on the node features.
        operations: What follows.
        outputs: What it hands on.
        widths: Columns of each value; empty until :func:`check_stages` has filled it in.
        further: The buffers that its layer reads besides its input.
    """

    layer: str | None
    operations: tuple[OperationHeader, ...]
    outputs: tuple[Output, ...]
    widths: tuple[int, ...] = ()
    further: tuple[str, ...] = ()


@dataclass(frozen=True)
class SkipHeader:
    """A skip connection of a header.

    Attributes:
        features: Its columns.
        bits: Its bits, bucket by bucket; one number where its rows are graphs.
        per_graph: Whether they are.
    """

    features: int
    bits: tuple[int, ...]
    per_graph: bool = False


def describe_program(program: Program, skips: Mapping[str, Ranges]) -> dict[str, Any]:
    """The entries ``skips`` and ``stages``."""
    return {
        "skips": {
            name: {"features": width, "bits": skips[name].bits}
            for name, width in program.skips.items()
        },
        "stages": [
            {
                "layer": stage.layer,
                "operations": [
                    {"kind": op.kind, "inputs": op.inputs, **op.described()}
                    for op in stage.operations
                ],
                "outputs": [{"value": o.value, "buffer": o.buffer} for o in stage.outputs],
                **({"further": stage.further} if stage.further else {}),
            }
            for stage in program.stages
        ],
    }


def chain_activations(program: Program) -> list[str] | None:
    """The activation after each layer, where a header of version 2 can say all of a program."""
    stages, names = program.stages, [stage.layer for stage in program.stages]
    buffers = [*(input_buffer(name) for name in names[1:] if name is not None), None]
    chained = [
        (Output(len(stage.operations), buffer),)
        for stage, buffer in zip(stages, buffers, strict=False)
    ]
    is_chain = None not in names and [stage.outputs for stage in stages] == chained
    is_chain = is_chain and not any(stage.further for stage in stages)
    found = [_activation(stage) for stage in stages]
    known = [name for name in found if name is not None]
    return known if is_chain and len(known) == len(found) and not program.skips else None


def chain_stages(layers: Sequence[Mapping[str, Any]]) -> tuple[StageHeader, ...]:
    """The stages of a header of version 2, from its layers' activations."""
    names = [layer.get("name") for layer in layers]
    stages = []
    for position, layer in enumerate(layers):
        function = choice(_ChainActivation, layer, "activation")
        operations = () if function == "none" else (_activate(function),)
        last = position + 1 == len(layers)
        buffer = None if last else input_buffer(str(names[position + 1]))
        stages.append(
            StageHeader(str(names[position]), operations, (Output(len(operations), buffer),))
        )
    return tuple(stages)


def parse_stages(root: Mapping[str, Any]) -> tuple[StageHeader, ...]:
    """The stages of a header of version 3; how they fit together is not checked yet."""
    return tuple(_stage(node) for node in list_of(root, "stages", MAX_STAGES))


def parse_skips(
    root: Mapping[str, Any], buckets: int, of_graphs: frozenset[str | None]
) -> dict[str, SkipHeader]:
    """The skip connections of a header of version 3.

    Args:
        root: The header.
        buckets: Degree buckets of the graph.
        of_graphs: The buffers whose rows are graphs, which have no buckets.
    """
    skips = object_of(root, "skips")
    if len(skips) > _MAX_SKIPS:
        raise ArtifactError(f"skips holds {len(skips)}; at most {_MAX_SKIPS} are read")
    return {
        name: SkipHeader(
            count(object_of(skips, name), "features", 1),
            bit_widths(object_of(skips, name), "bits", 1 if name in of_graphs else buckets),
            name in of_graphs,
        )
        for name in skips
    }


def written_buffers(stages: Sequence[StageHeader]) -> frozenset[str]:
    """The buffers that some stage writes.

    Raises:
        ArtifactError: If one is written twice.
    """
    buffers = [o.buffer for stage in stages for o in stage.outputs if o.buffer is not None]
    if len(set(buffers)) != len(buffers):
        raise ArtifactError("a buffer is written twice")
    return frozenset(buffers)


def graph_buffers(stages: Sequence[StageHeader]) -> frozenset[str | None]:
    """The buffers whose rows are graphs, because something was pooled; ``None`` for the output.

    Raises:
        ArtifactError: If an operation reads what it cannot.
    """
    described = (
        (
            "" if stage.layer is None else input_buffer(stage.layer),
            [Described(op.kind, op.inputs, op.settings) for op in stage.operations],
            [(output.value, output.buffer) for output in stage.outputs],
        )
        for stage in stages
    )
    return buffers_of_graphs(described)


class _ChainActivation(StrEnum):
    """The activations that a header of version 2 knows."""

    NONE = "none"
    RELU = "relu"
    ELU = "elu"


def _activation(stage: Stage) -> str | None:
    """What a stage does after its layer, if a header of version 2 has a word for it."""
    if not stage.operations:
        return str(_ChainActivation.NONE)
    operation = stage.operations[0]
    if len(stage.operations) > 1 or not isinstance(operation, Activate) or operation.inputs != (0,):
        return None
    if operation.function is Function.ELU and operation.parameter != 1.0:
        return None
    known = operation.function in (Function.RELU, Function.ELU)
    return str(operation.function) if known else None


def _activate(function: str) -> OperationHeader:
    settings = {"function": Function(function), "parameter": 1.0}
    return OperationHeader(Activate, (0,), settings, {})


def _stage(node: Any) -> StageHeader:
    if not isinstance(node, dict):
        raise ArtifactError("stages holds something that is no stage")
    layer = node.get("layer")
    if layer is not None and not isinstance(layer, str):
        raise ArtifactError("a stage names a layer that is no text")
    operations = tuple(_operation(op) for op in list_of(node, "operations", _MAX_OPERATIONS))
    outputs = tuple(_output(output) for output in list_of(node, "outputs", _MAX_SKIPS))
    further = tuple(list_of(node, "further", _MAX_SKIPS)) if "further" in node else ()
    if not all(isinstance(buffer, str) for buffer in further):
        raise ArtifactError("further names a buffer that is no text")
    return StageHeader(layer, operations, outputs, further=further)


def _operation(node: Any) -> OperationHeader:
    if not isinstance(node, dict):
        raise ArtifactError("operations holds something that is no operation")
    name = node.get("kind")
    if not isinstance(name, str) or name not in OPERATIONS:
        raise ArtifactError(f"operation is {name!r}, which this runtime does not know")
    kind = OPERATIONS[name]
    settings = {key: read(node, key) for key, read in kind.settings.items()}
    return OperationHeader(kind, counts(node, "inputs"), settings, {})


def _output(node: Any) -> Output:
    if not isinstance(node, dict):
        raise ArtifactError("outputs holds something that is no output")
    buffer = node.get("buffer")
    if buffer is not None and not isinstance(buffer, str):
        raise ArtifactError("an output names a buffer that is no text")
    return Output(count(node, "value"), buffer)
