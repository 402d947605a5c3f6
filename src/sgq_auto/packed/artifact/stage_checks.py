"""Whether the stages of a header fit together, and the shapes that follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.allocation import EDGE_WEIGHTS, FEATURES
from sgq_auto.packed.artifact.stage_headers import (
    OPERATION_PREFIX,
    SkipHeader,
    StageHeader,
    graph_buffers,
    written_buffers,
)
from sgq_auto.packed.runtime.operations.joins import Read
from sgq_auto.packed.runtime.program import input_buffer, value_widths


@dataclass(frozen=True)
class Widths:
    """What a program's shapes depend on.

    Attributes:
        features: Columns of the node features.
        inputs: Columns of what each layer reads, by its name.
        outputs: Columns of what each layer makes, by its name.
        classes: Columns of the logits.
        further: How many buffers each layer reads besides its input, by its name.
    """

    features: int
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]
    classes: int
    further: Mapping[str, int]


def check_stages(
    stages: Sequence[StageHeader], skips: Mapping[str, SkipHeader], widths: Widths
) -> tuple[StageHeader, ...]:
    """The stages with the widths of their values and the shapes of their tensors.

    Raises:
        ArtifactError: If a stage reads what is not there, or hands on what does not fit.
    """
    _check_names(stages, skips, widths)
    buffers = {input_buffer(name): width for name, width in widths.inputs.items()}
    buffers |= {name: skip.features for name, skip in skips.items()}
    # What is held when a stage runs: the node features, and what stages before it wrote.
    held = {FEATURES: widths.features}
    checked, read, written = [], set(), written_buffers(stages)
    for position, stage in enumerate(stages):
        waits_for = None if stage.layer is None else input_buffer(stage.layer)
        if waits_for in written and waits_for not in held:
            raise ArtifactError(f"{stage.layer} runs before {waits_for} is written")
        last = position + 1 == len(stages)
        filled = _filled(stage, held, widths)
        for output in stage.outputs:
            _check_output(output.value, output.buffer, filled, buffers, widths.classes, last=last)
        if not stage.outputs or [o.buffer for o in stage.outputs].count(None) != last:
            raise ArtifactError("each stage must hand something on, the last one the logits")
        held |= {o.buffer: buffers[o.buffer] for o in stage.outputs if o.buffer is not None}
        read |= {op.settings["buffer"] for op in stage.operations if op.kind is Read}
        read |= set(stage.further)
        checked.append(filled)
    unread = [name for name in skips if name not in read]
    if unread:
        raise ArtifactError(f"skip connection {unread[0]} is never read")
    return tuple(checked)


def check_graphs(stages: Sequence[StageHeader]) -> None:
    """Check that no layer reads rows of graphs beside its input.

    Raises:
        ArtifactError: If one does.
    """
    of_graphs = graph_buffers(stages)
    for stage in stages:
        if not of_graphs.isdisjoint(stage.further):
            raise ArtifactError(f"{stage.layer} reads rows of graphs beside its input")


def _check_names(
    stages: Sequence[StageHeader], skips: Mapping[str, SkipHeader], widths: Widths
) -> None:
    layers = list(widths.inputs)
    taken = {*layers, *(input_buffer(name) for name in layers), FEATURES, EDGE_WEIGHTS}
    for name in skips:
        if not name or name in taken:
            raise ArtifactError(f"a skip connection is called {name!r}, as something else is")
    for name in [*layers, *skips]:
        if name.startswith(OPERATION_PREFIX):
            raise ArtifactError(f"a name starts with {OPERATION_PREFIX}: {name[:60]!r}")
    named = [stage.layer for stage in stages]
    if named not in (layers, [None, *layers]) or not layers:
        raise ArtifactError("stages must have the layers in their order, one each")


def _filled(stage: StageHeader, held: Mapping[str, int], widths: Widths) -> StageHeader:
    """A stage with its widths and shapes."""
    if stage.layer is not None and _source(stage.layer, widths, held) != widths.inputs[stage.layer]:
        given = _source(stage.layer, widths, held)
        raise ArtifactError(
            f"{stage.layer} reads {widths.inputs[stage.layer]} features; it is given {given}"
        )
    _check_further(stage, held, widths)
    first = widths.features if stage.layer is None else widths.outputs[stage.layer]
    described = [(op.kind, op.inputs, op.settings) for op in stage.operations]
    made = value_widths(first, described, held)
    operations = tuple(
        replace(op, shapes=op.kind.shapes([made[k] for k in op.inputs], op.settings))
        for op in stage.operations
    )
    return replace(stage, operations=operations, widths=tuple(made))


def _check_further(stage: StageHeader, held: Mapping[str, int], widths: Widths) -> None:
    name, given = stage.layer, len(stage.further)
    wanted = 0 if name is None else widths.further[name]
    if given != wanted:
        raise ArtifactError(f"{name} reads {wanted} embeddings besides its input; further: {given}")
    for buffer in stage.further:
        if name is not None and held.get(buffer) != widths.inputs[name]:
            raise ArtifactError(
                f"{name} reads {buffer[:60]!r}, which is not held then or not as wide as its input"
            )


def _source(layer: str, widths: Widths, held: Mapping[str, int]) -> int:
    """Columns of what a layer reads when it runs."""
    return held.get(input_buffer(layer), widths.features)


def _check_output(
    value: int,
    buffer: str | None,
    stage: StageHeader,
    buffers: Mapping[str, int],
    classes: int,
    *,
    last: bool,
) -> None:
    if value >= len(stage.widths):
        raise ArtifactError(f"a stage hands on value {value}; it has {len(stage.widths)}")
    if buffer is not None and (last or buffer not in buffers):
        raise ArtifactError(f"a stage writes {buffer[:60]!r}, which nothing reads after it")
    width, wanted = stage.widths[value], classes if buffer is None else buffers[buffer]
    if width != wanted and buffer is None:
        raise ArtifactError(f"the last stage gives {width} features for {classes} classes")
    if width != wanted:
        reader = str(buffer).removesuffix(".input")
        raise ArtifactError(f"{reader} reads {wanted} features; it is given {width}")
