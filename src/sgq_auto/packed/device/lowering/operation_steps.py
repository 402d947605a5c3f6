"""The steps of each operation between layers that a model in C may have."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgq_auto.packed.allocation import FEATURES
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.device.passes import Passes
from sgq_auto.packed.device.steps import Opcode, Register
from sgq_auto.packed.device.unsupported import UnsupportedInCError
from sgq_auto.packed.runtime.operations import elementwise, joins, norms
from sgq_auto.packed.runtime.operations.elementwise import Function
from sgq_auto.packed.runtime.operations.operation import Operation
from sgq_auto.packed.runtime.operations.pooling import Pool

# The numbers are those of sgq_runtime.c.
FUNCTIONS = {
    Function.RELU: 1,
    Function.ELU: 2,
    Function.LEAKY_RELU: 3,
    Function.GELU: 4,
    Function.GELU_TANH: 5,
    Function.SILU: 6,
    Function.TANH: 7,
    Function.SIGMOID: 8,
    Function.SOFTPLUS: 9,
    Function.HARDSWISH: 10,
}
_COLUMNWISE: dict[type[Operation], Opcode] = {
    joins.Add: Opcode.ADD,
    joins.Multiply: Opcode.MULTIPLY,
    joins.Maximum: Opcode.MAXIMUM,
}


@dataclass(frozen=True, eq=False)
class OperationSteps:
    """Adds the steps of operations to the pass that is built.

    Attributes:
        passes: The passes so far.
        num_features: Columns of the node features.
        stage: What the layer before is called, for messages and parameters.
    """

    passes: Passes
    num_features: int
    stage: str

    def of(self, position: int, operation: Operation, inputs: Sequence[Register]) -> Register:
        """The steps of one operation, and the row that it makes.

        Args:
            position: Which operation of its stage it is.
            operation: The operation.
            inputs: The rows that it reads.

        Raises:
            UnsupportedInCError: If it is of another kind.
        """
        if isinstance(operation, joins.Read):
            return self._read(operation.buffer)
        if isinstance(operation, Pool):
            return self.passes.pool(inputs[0], operation.pooling)
        opcode = _COLUMNWISE.get(type(operation))
        if opcode is not None:
            return self._columnwise(opcode, inputs)
        if isinstance(operation, joins.Concatenate):
            return self._concatenated(inputs)
        if isinstance(operation, joins.Columns):
            width, columns = operation.last - operation.first, (0, operation.first)
            return self.passes.add(Opcode.COPY, width, *inputs, columns=columns)
        described = _described(operation)
        if described is None:
            raise UnsupportedInCError(f"the operation {operation.kind} after {self.stage}")
        opcode, extra, numbers = described
        width = operation.out if isinstance(operation, joins.Project) else inputs[0].width
        if isinstance(operation, joins.Project):
            extra = inputs[0].width
        given: dict[str, Any] = {"extra": extra}
        if numbers is not None:
            name = f"{self.stage}.{position}.{operation.kind}"
            given["tables"] = {"table": self.passes.parameter(name, numbers.astype(np.float32))}
        return self.passes.add(opcode, width, *inputs, **given)

    def _read(self, buffer: str) -> Register:
        read = self.passes.row_of(buffer)
        if buffer == FEATURES:
            given = {"tables": {"table": FEATURES}}
            return self.passes.add(Opcode.READ_FEATURES, self.num_features, **given)
        width = self.passes.width_of(buffer)
        return self.passes.add(Opcode.READ, width, tables={"table": read}, buffer=buffer)

    def _columnwise(self, opcode: Opcode, inputs: Sequence[Register]) -> Register:
        """Values two at a time; one column of either may stand for all."""
        made = inputs[0]
        for other in inputs[1:]:
            width = max(made.width, other.width)
            extra = (1 if made.width < width else 0) | (2 if other.width < width else 0)
            made = self.passes.add(opcode, width, made, other, extra=extra)
        return made

    def _concatenated(self, inputs: Sequence[Register]) -> Register:
        total = sum(value.width for value in inputs)
        first = inputs[0]
        out = self.passes.add(Opcode.COPY, first.width, first, made=total)
        start = first.width
        for value in inputs[1:]:
            self.passes.into(out, Opcode.COPY, value.width, value, columns=(start, 0))
            start += value.width
        return out


def _described(operation: Operation) -> tuple[Opcode, int, Array | None] | None:
    """Step, how it does it, and parameters of an operation on one row."""
    match operation:
        case elementwise.Activate():
            numbers = np.array([operation.parameter])
            return Opcode.ACTIVATE, FUNCTIONS[operation.function], numbers
        case elementwise.Prelu():
            return Opcode.PRELU, 0, operation.slope
        case elementwise.Clip():
            return Opcode.CLIP, 0, np.array([operation.low, operation.high])
        case elementwise.Scale():
            return Opcode.SCALE, 0, np.array([operation.factor, operation.shift])
        case elementwise.Affine():
            return Opcode.AFFINE, 0, np.concatenate([operation.scale, operation.shift])
        case joins.Project():
            return Opcode.PROJECT, 0, np.concatenate([operation.weight.ravel(), operation.bias])
        case norms.StandardizeRows():
            return Opcode.STANDARDIZE_ROWS, 0, np.array([operation.eps])
        case norms.NormalizeRows():
            return Opcode.NORMALIZE_ROWS, int(operation.added), np.array([operation.eps])
        case norms.SoftmaxRows():
            return Opcode.SOFTMAX_ROWS, 0, None
    return None
