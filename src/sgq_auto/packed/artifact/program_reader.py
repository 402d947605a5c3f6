"""The program of a model from a checked header and its tensors."""

from collections.abc import Mapping

import numpy as np

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.allocation import FEATURES
from sgq_auto.packed.artifact.header import Header
from sgq_auto.packed.artifact.scale_tensors import checked_ranges, scaled_groups
from sgq_auto.packed.artifact.stage_headers import OperationHeader
from sgq_auto.packed.artifact.tensor_shapes import operation_tensor
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.runtime.layers.layer import PackedLayer
from sgq_auto.packed.runtime.operations.operation import Operation
from sgq_auto.packed.runtime.program import Program, Stage

Tensors = Mapping[str, Array]


def program_of(header: Header, tensors: Tensors) -> Program:
    """The stages of a model."""
    stages = []
    for position, stage in enumerate(header.stages):
        operations = tuple(
            _operation(op, position, place, tensors) for place, op in enumerate(stage.operations)
        )
        stages.append(Stage(stage.layer, operations, stage.outputs, stage.further))
    skips = {name: skip.features for name, skip in header.skips.items()}
    return Program(tuple(stages), skips)


def skip_ranges(header: Header, tensors: Tensors) -> dict[str, Ranges]:
    """The ranges of its skip connections, by name."""
    return {
        name: _named_ranges(name, skip.bits, header, tensors, per_graph=skip.per_graph)
        for name, skip in header.skips.items()
    }


def feature_ranges(header: Header, layers: tuple[PackedLayer, ...], tensors: Tensors) -> Ranges:
    """The ranges of the node features, which each layer that reads them has among its own.

    Raises:
        ArtifactError: If two layers say different ones.
    """
    both = zip(header.layers, layers, strict=True)
    found = [layer.inputs for described, layer in both if described.reads_features]
    if not found:
        return _named_ranges(FEATURES, header.feature_bits, header, tensors)
    first = found[0]
    for other in found[1:]:
        same = np.array_equal(other.step, first.step), np.array_equal(other.offset, first.offset)
        if not all(same):
            raise ArtifactError("two layers have different ranges for the node features")
    return first


def _operation(
    described: OperationHeader, position: int, place: int, tensors: Tensors
) -> Operation:
    held = {name: tensors[operation_tensor(position, place, name)] for name in described.shapes}
    return described.kind(inputs=described.inputs, **described.settings, **held)


def _named_ranges(
    name: str, bits: tuple[int, ...], header: Header, tensors: Tensors, *, per_graph: bool = False
) -> Ranges:
    """The ranges of a skip connection, or of the node features."""
    rows = header.graph.scaled(header.graph.rows(per_graph=per_graph))
    groups = scaled_groups(bits, rows)
    (ranges,) = checked_ranges(name, [groups], [bits], tensors)
    return ranges
