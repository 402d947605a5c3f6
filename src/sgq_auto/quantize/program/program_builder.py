"""Builds the program of a packed model while one walks through a recorded forward pass."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgq_auto.packed.allocation import FEATURES
from sgq_auto.packed.runtime.operations.joins import Read
from sgq_auto.packed.runtime.operations.norms import GraphNorm
from sgq_auto.packed.runtime.operations.operation import Float32, Operation
from sgq_auto.packed.runtime.operations.pooling import Pool
from sgq_auto.packed.runtime.program import Output, Program, Stage


class UnpackableError(Exception):
    """Why something that a model does cannot be packed, as the rest of a sentence."""


@dataclass(frozen=True)
class Row:
    """An embedding: one of the values that a stage makes.

    Attributes:
        stage: The stage: how many layers had run.
        value: Which of its values.
        width: Its columns.
        per_graph: Whether its rows are graphs, of which something was pooled, and not nodes.
    """

    stage: int
    value: int
    width: int
    per_graph: bool = False


@dataclass(frozen=True)
class Stacked:
    """Several embeddings that a model has stacked along a new dimension, to take their maximum."""

    rows: tuple[Row, ...]
    dimension: int


@dataclass(frozen=True)
class LogSoftmax:
    """The logarithmic softmax of an embedding, which tells the classes no better than it does."""

    row: Row


@dataclass(frozen=True)
class Lengths:
    """What divides an embedding row by row, to scale each row to length 1.

    Attributes:
        row: The embedding.
        eps: The least divisor; ``None`` until it is known.
    """

    row: Row
    eps: float | None = None


@dataclass(frozen=True)
class Failed:
    """What cannot be packed, which matters only where it is used."""

    reason: str


Value = Row | Stacked | LogSoftmax | Lengths | Failed

# The row of the node features: as if a stage before the first had made it.
_FEATURE_STAGE = -1


@dataclass
class _StageDraft:
    """A stage that is not finished."""

    layer: str | None
    width: int
    further: tuple[str, ...] = ()
    operations: list[Operation] = field(default_factory=list)
    outputs: dict[str | None, int] = field(default_factory=dict)
    # Of each value, whether its rows are graphs.
    of_graphs: list[bool] = field(default_factory=lambda: [False])


class Builder:
    """A program in the making.

    Attributes:
        skips: Columns of each skip connection so far, by its name.
        graph_sizes: ``[graphs]``, the number of nodes of each, at least 1.
    """

    def __init__(self, num_features: int, graph_sizes: Tensor | None = None) -> None:
        self.graph_sizes = torch.ones(1) if graph_sizes is None else graph_sizes
        self.skips: dict[str, int] = {}
        self._stages = [_StageDraft(None, num_features)]
        self._features = Row(_FEATURE_STAGE, 0, num_features)
        self._values: dict[int, Value] = {}
        # The buffer that holds an embedding past its stage.
        self._held: dict[tuple[int, int], str] = {(_FEATURE_STAGE, 0): FEATURES}
        self._reads: dict[tuple[int, str], Row] = {}

    # What tensors stand for. They are told apart by identity: a recording keeps all of them.

    def set(self, tensor: Tensor, value: Value) -> None:
        """Let a tensor stand for a value from here on."""
        self._values[id(tensor)] = value

    def set_features(self, tensor: Tensor) -> None:
        """Let a tensor stand for the node features."""
        self.set(tensor, self._features)

    def get(self, tensor: Any) -> Value | None:
        """What a tensor stands for; ``None`` for a constant, which no node's data is in."""
        return self._values.get(id(tensor))

    def row(self, tensor: Any) -> Row:
        """The embedding that a tensor stands for, as a value of the stage at hand.

        Raises:
            UnpackableError: If it stands for something else.
        """
        value = self.get(tensor)
        if isinstance(value, Failed):
            raise UnpackableError(value.reason)
        if not isinstance(value, Row):
            raise UnpackableError("it is used on something that is no embedding")
        if tensor.dim() == 1:
            raise UnpackableError("it is used on an embedding whose column was squeezed away")
        return self.here(value)

    def here(self, row: Row) -> Row:
        """An embedding as a value of the stage at hand: read from its codes if it is older.

        Raises:
            UnpackableError: If it is older, and nothing holds it in codes.
        """
        stage = len(self._stages) - 1
        if row.stage == stage:
            return row
        if row == self._features and stage == 0:
            return Row(0, 0, row.width)
        buffer = self._held.get((row.stage, row.value))
        if buffer is None:
            raise UnpackableError("it changes an embedding that it keeps past a layer")
        if (stage, buffer) not in self._reads:
            read = self._added(Read(inputs=(), buffer=buffer), row.width, per_graph=row.per_graph)
            self._reads[stage, buffer] = read
        return self._reads[stage, buffer]

    # What the program does.

    def add(self, operation: Operation, width: int) -> Row:
        """Add an operation to the stage at hand; what it makes.

        Raises:
            UnpackableError: If it reads rows of nodes and rows of graphs, or rows of graphs where
                it cannot.
        """
        of_graphs = self._stages[-1].of_graphs
        read = {of_graphs[value] for value in operation.inputs}
        if len(read) > 1:
            raise UnpackableError("it reads rows of nodes and rows of graphs")
        if True in read and isinstance(operation, GraphNorm):
            raise UnpackableError("it takes its statistics from all graphs together")
        if True in read and isinstance(operation, Pool):
            raise UnpackableError("it pools what is pooled already")
        return self._added(operation, width, per_graph=isinstance(operation, Pool) or True in read)

    def _added(self, operation: Operation, width: int, *, per_graph: bool) -> Row:
        stage = self._stages[-1]
        stage.operations.append(operation)
        stage.of_graphs.append(per_graph)
        return Row(len(self._stages) - 1, len(stage.operations), width, per_graph)

    def operation(self, row: Row) -> Operation | None:
        """The operation that made an embedding; ``None`` where a layer did."""
        return self._stages[row.stage].operations[row.value - 1] if row.value else None

    def add_layer(
        self, layer: str, width: int, further: Iterable[str] = (), *, per_graph: bool = False
    ) -> Row:
        """Begin the stage of a layer; its output.

        Args:
            layer: Its name.
            width: Its columns.
            further: The buffers that it reads besides its input.
            per_graph: Whether its rows are graphs.
        """
        draft = _StageDraft(layer, width, tuple(further), of_graphs=[per_graph])
        self._stages.append(draft)
        return Row(len(self._stages) - 1, 0, width, per_graph)

    def hold(self, row: Row, buffer: str) -> None:
        """Hold an embedding in a buffer from the stage on that makes it."""
        if row.stage == _FEATURE_STAGE:
            row = Row(0, 0, row.width)
        self._stages[row.stage].outputs[buffer] = row.value
        self._held.setdefault((row.stage, row.value), buffer)

    def buffer_of(self, row: Row) -> str | None:
        """The buffer that holds an embedding; ``None`` where none does."""
        return self._held.get((row.stage, row.value))

    def finish(self, logits: Row) -> Program:
        """The program, without what nothing needs.

        Raises:
            UnpackableError: If the logits are older than the last layer.
        """
        if logits.stage != len(self._stages) - 1:
            raise UnpackableError("its last layer does not lead to the logits")
        self._stages[-1].outputs[None] = logits.value
        stages, skips = self._stages, self.skips
        if not stages[0].outputs:
            stages = stages[1:]
        while True:
            kept = [_pruned(stage) for stage in stages]
            read = set().union(*(stage.reads for stage in kept))
            unread = [name for name in skips if name not in read]
            if not unread:
                return Program(tuple(kept), skips)
            skips = {name: width for name, width in skips.items() if name in read}
            for stage in stages:
                for name in unread:
                    stage.outputs.pop(name, None)


def constant(tensor: Any, width: int, shape_of: Tensor) -> Float32:
    """A parameter, or what follows from parameters alone, as a number for each column.

    Args:
        tensor: A tensor or a number.
        width: Columns.
        shape_of: What it is combined with.

    Raises:
        UnpackableError: If it has a number for each node.
    """
    values = torch.as_tensor(tensor, dtype=torch.float32, device="cpu").detach()
    if values.dim() == shape_of.dim() and values.dim() > 1 and values.size(0) > 1:
        if not bool((values == values[:1]).all()):
            raise UnpackableError("it has a number of its own for each node")
        values = values[:1]
    return np.ascontiguousarray(values.expand(1, width).reshape(width).numpy())


def _pruned(draft: _StageDraft) -> Stage:
    """A stage with the operations that its outputs need, counted anew."""
    needed = set(draft.outputs.values())
    for position in reversed(range(len(draft.operations))):
        if position + 1 in needed:
            needed |= set(draft.operations[position].inputs)
    places, operations = {0: 0}, []
    for position, operation in enumerate(draft.operations):
        if position + 1 in needed:
            operations.append(_renumbered(operation, places))
            places[position + 1] = len(operations)
    outputs = tuple(Output(places[value], name) for name, value in draft.outputs.items())
    return Stage(draft.layer, tuple(operations), outputs, draft.further)


def _renumbered(operation: Operation, places: dict[int, int]) -> Operation:
    inputs = tuple(places[value] for value in operation.inputs)
    fields = {**operation.described(), **operation.held()}
    return type(operation)(inputs=inputs, **fields)
