"""From a packed model to the passes of a model in C."""

from collections.abc import Iterable

import numpy as np

from sgq_auto.packed.allocation import FEATURES
from sgq_auto.packed.device.lowering.layer_builder import LayerBuilder
from sgq_auto.packed.device.lowering.layer_steps import layer_steps
from sgq_auto.packed.device.lowering.operation_steps import OperationSteps
from sgq_auto.packed.device.passes import Passes
from sgq_auto.packed.device.steps import Opcode, Register
from sgq_auto.packed.device.unsupported import UnsupportedInCError
from sgq_auto.packed.runtime.operations.operation import Operation
from sgq_auto.packed.runtime.packed_model import PackedModel
from sgq_auto.packed.runtime.program import Stage, input_buffer
from sgq_auto.packed.runtime.target_units import TargetUnits


def lowered(model: PackedModel) -> Passes:
    """The passes of a model.

    A layer's input that is read row by row alone, in the pass that makes it, is never held: a row
    of it goes on at once, through its codes.

    Raises:
        UnsupportedInCError: If the model has what C cannot do yet.
    """
    graph = model.graph.spec
    if graph.holds_edges and graph.num_graphs > 1:
        raise UnsupportedInCError(f"a model of {graph.num_graphs} graphs of its own")
    passes = Passes()
    for stage in model.program.stages:
        _stage(passes, model, stage)
    return passes


def _stage(passes: Passes, model: PackedModel, stage: Stage) -> None:
    num_features = model.features.spec.num_features
    of_graphs = model.program.values_of_graphs(stage)
    passes.of_graphs = of_graphs[0]
    layer = next((la for la in model.layers if la.spec.name == stage.layer), None)
    if layer is None:
        tables = {"table": FEATURES}
        made = passes.add(Opcode.READ_FEATURES, num_features, tables=tables)
    else:
        source = model.program.source_of(layer.spec.name)
        steps = LayerBuilder(passes, model.graph.spec, source, stage.further)
        made = layer_steps(steps, layer)
    values: dict[int, Register] = {0: made}
    operations = OperationSteps(passes, num_features, stage.layer or FEATURES)
    wanted = _needed(stage.operations, (output.value for output in stage.outputs))
    for position, operation in enumerate(stage.operations):
        if position + 1 in wanted:
            inputs = [values[value] for value in operation.inputs]
            passes.of_graphs = of_graphs[position + 1]
            values[position + 1] = operations.of(position, operation, inputs)
    for output in stage.outputs:
        passes.of_graphs = of_graphs[output.value]
        _hand_on(passes, model, output.buffer, values[output.value])


def _hand_on(passes: Passes, model: PackedModel, buffer: str | None, value: Register) -> None:
    if buffer is None:
        passes.hand_over(_in_units(passes, model.target_units, value))
    elif buffer in model.skips:
        passes.write(buffer, buffer, value, model.skips[buffer])
    else:
        reader = next(la for la in model.layers if buffer == input_buffer(la.spec.name))
        passes.write(buffer, reader.spec.name, value, reader.inputs)


def _in_units(passes: Passes, units: TargetUnits | None, value: Register) -> Register:
    """Numbers in the user's units, where outputs have others."""
    if units is None:
        return value
    numbers = np.array([*units.std, *units.mean], dtype=np.float32)
    tables = {"table": passes.parameter("target units", numbers)}
    return passes.add(Opcode.AFFINE, value.width, value, tables=tables)


def _needed(operations: tuple[Operation, ...], outputs: Iterable[int]) -> set[int]:
    """The values of a stage that its outputs depend on."""
    needed = set(outputs)
    for position in reversed(range(len(operations))):
        if position + 1 in needed:
            needed.update(operations[position].inputs)
    return needed
