"""The kinds of operations that a packed model may have between its layers."""

from collections.abc import Mapping

from sgq_auto.packed.runtime.operations.elementwise import Activate, Affine, Clip, Prelu, Scale
from sgq_auto.packed.runtime.operations.joins import (
    Add,
    Columns,
    Concatenate,
    Maximum,
    Multiply,
    Project,
    Read,
)
from sgq_auto.packed.runtime.operations.norms import (
    CenterColumns,
    NormalizeRows,
    PairNorm,
    SoftmaxRows,
    StandardizeAll,
    StandardizeColumns,
    StandardizeRows,
)
from sgq_auto.packed.runtime.operations.operation import Operation
from sgq_auto.packed.runtime.operations.pooling import Pool

# By the name that a header gives them. Names are part of the file format: none may change.
OPERATIONS: Mapping[str, type[Operation]] = {
    operation.kind: operation
    for operation in (
        Read,
        Activate,
        Prelu,
        Clip,
        Scale,
        Affine,
        Add,
        Multiply,
        Maximum,
        Concatenate,
        Columns,
        Project,
        StandardizeRows,
        NormalizeRows,
        SoftmaxRows,
        StandardizeColumns,
        StandardizeAll,
        CenterColumns,
        PairNorm,
        Pool,
    )
}
