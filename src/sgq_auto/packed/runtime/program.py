"""The program of a packed model: the order of its layers, and what happens between them.

A layer makes rows, a chunk at a time; the operations of its stage go on from there; and what later
stages need of the results is written to buffers in codes. A buffer is either the input of a layer,
called ``NAME.input``, or a skip connection. It is held until the last stage that reads it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.allocation import FEATURES
from sgq_auto.packed.runtime.operations.graph_rows import (
    Described,
    buffers_of_graphs,
    values_of_graphs,
)
from sgq_auto.packed.runtime.operations.joins import Read
from sgq_auto.packed.runtime.operations.norms import GraphNorm
from sgq_auto.packed.runtime.operations.operation import Operation
from sgq_auto.packed.runtime.operations.pooling import Pool
from sgq_auto.packed.sizes.data_flow import DataFlow, PooledSpec, SkipSpec


@dataclass(frozen=True)
class Output:
    """A value that a stage hands on.

    Attributes:
        value: Which one: 0 is the layer's own output, ``k + 1`` that of operation ``k``.
        buffer: Where it is written; ``None`` for the logits.
    """

    value: int
    buffer: str | None


@dataclass(frozen=True, eq=False)
class Stage:
    """A layer and the operations on its output.

    Attributes:
        layer: The name of the layer; ``None`` for a first stage that works on the node features.
        operations: What follows, each from earlier values.
        outputs: What of it is handed on.
        further: The buffers that its layer reads besides its input, in order.
    """

    layer: str | None
    operations: tuple[Operation, ...]
    outputs: tuple[Output, ...]
    further: tuple[str, ...] = ()

    @property
    def reads(self) -> frozenset[str]:
        """The buffers that it reads, but for the input of its layer."""
        read = {op.buffer for op in self.operations if isinstance(op, Read)}
        return frozenset(read.union(self.further))

    @property
    def described(self) -> list[Described]:
        """Its operations, as a header says them."""
        return [Described(type(op), op.inputs, op.described()) for op in self.operations]

    def is_same(self, other: "Stage") -> bool:
        """Whether another stage does the same, with the same numbers."""
        held, others = (
            [each for op in stage.operations for each in op.held().items()]
            for stage in (self, other)
        )
        return (
            (self.layer, self.outputs, self.further, self.described)
            == (other.layer, other.outputs, other.further, other.described)
            and [name for name, _ in held] == [name for name, _ in others]
            and all(np.array_equal(a, b) for (_, a), (_, b) in zip(held, others, strict=True))
        )


@dataclass(frozen=True, eq=False)
class Program:
    """Stages in the order in which they run.

    Attributes:
        stages: The stages.
        skips: Columns of each skip connection, by its name.
    """

    stages: tuple[Stage, ...]
    skips: Mapping[str, int] = field(default_factory=dict)

    def is_same(self, other: "Program") -> bool:
        """Whether another program does the same, with the same numbers."""
        return len(self.stages) == len(other.stages) and all(
            own.is_same(others) for own, others in zip(self.stages, other.stages, strict=True)
        )

    @classmethod
    def chain(cls, layers: Sequence[str], between: Sequence[Sequence[Operation]] = ()) -> Self:
        """Layers one after the other, each with operations in a row on its output.

        Args:
            layers: The names of the layers; the first one reads the node features.
            between: The operations after each layer; none by default.
        """
        following = [*map(input_buffer, layers[1:]), None]
        after = [*between, *[()] * (len(layers) - len(between))]
        stages = (
            Stage(layer, tuple(operations), (Output(len(operations), buffer),))
            for layer, operations, buffer in zip(layers, after, following, strict=True)
        )
        return cls(tuple(stages))

    @cached_property
    def last_reads(self) -> dict[str, int]:
        """The position of the last stage that needs each buffer, or the node features."""
        needed: dict[str, int] = {}
        for position, stage in enumerate(self.stages):
            if stage.layer is not None:
                needed[self.source_of(stage.layer)] = position
            needed |= dict.fromkeys(stage.reads, position)
        return needed

    def source_of(self, layer: str) -> str:
        """What a layer reads: its buffer, or :data:`FEATURES`."""
        buffer = input_buffer(layer)
        return buffer if buffer in self._written else FEATURES

    def reads_features(self, layer: str) -> bool:
        """Whether a layer reads the node features."""
        return self.source_of(layer) == FEATURES

    @property
    def needs_all_nodes(self) -> bool:
        """Whether some norm needs statistics over all nodes."""
        return any(isinstance(op, GraphNorm) for op in self._operations())

    def widths(
        self, stage: Stage, inputs: Mapping[str, int], outputs: Mapping[str | None, int]
    ) -> list[int]:
        """Columns of each value of a stage.

        Args:
            stage: One of its stages.
            inputs: Columns of what each layer reads, by its name; those of the node features.
            outputs: Columns of what each layer makes; those of the node features as ``None``.
        """
        buffers = {input_buffer(name): width for name, width in inputs.items()}
        buffers |= {FEATURES: inputs[FEATURES], **self.skips}
        return value_widths(outputs[stage.layer], stage.described, buffers)

    @cached_property
    def graph_buffers(self) -> frozenset[str | None]:
        """The buffers whose rows are graphs; ``None`` among them if those of its output are."""
        return buffers_of_graphs(
            (
                FEATURES if stage.layer is None else self.source_of(stage.layer),
                stage.described,
                [(output.value, output.buffer) for output in stage.outputs],
            )
            for stage in self.stages
        )

    def values_of_graphs(self, stage: Stage) -> list[bool]:
        """Of each value of one of its stages, whether its rows are graphs."""
        return values_of_graphs(
            stage.described, self.graph_buffers, first=self.runs_on_graphs(stage.layer)
        )

    def runs_on_graphs(self, layer: str | None) -> bool:
        """Whether the rows that a layer reads are graphs."""
        return layer is not None and self.source_of(layer) in self.graph_buffers

    @property
    def predicts_graphs(self) -> bool:
        """Whether its output has a row a graph, and not a row a node."""
        return None in self.graph_buffers

    def flow(self) -> DataFlow:
        """How tensors pass between its layers, as sizes depend on it."""
        # Layers that have run when a stage is over.
        ran = {id(stage): k + self._layers_at_first for k, stage in enumerate(self.stages)}
        reading = {
            name: max((ran[id(s)] for s in self.stages if name in s.reads), default=0)
            for name in {name for stage in self.stages for name in stage.reads}
        }
        layers = [stage.layer for stage in self.stages if stage.layer is not None]
        sources = [self.source_of(layer) for layer in layers]
        elements = (tensor.size for op in self._operations() for tensor in op.held().values())
        works_on_features = 0 if self._layers_at_first == 0 else None
        return DataFlow(
            inputs=tuple(self._made(source) for source in sources),
            skips=tuple(
                SkipSpec(
                    name, width, self._made(name) or 0, reading[name], name in self.graph_buffers
                )
                for name, width in self.skips.items()
            ),
            input_reads=tuple(
                0 if source == FEATURES else reading.get(source, 0) for source in sources
            ),
            packed_vector_elements=sum(elements),
            feature_reads=reading.get(FEATURES, works_on_features),
            pooled=tuple(
                PooledSpec(operation.held_columns, ran[id(stage)])
                for stage in self.stages
                for operation in stage.operations
                if isinstance(operation, Pool)
            ),
        )

    @property
    def _layers_at_first(self) -> int:
        """Layers that have run when the first stage is over."""
        return 0 if self.stages[0].layer is None else 1

    @cached_property
    def _written(self) -> dict[str, int]:
        """The position of the stage that writes each buffer."""
        return {
            output.buffer: position
            for position, stage in enumerate(self.stages)
            for output in stage.outputs
            if output.buffer is not None
        }

    def _made(self, buffer: str) -> int | None:
        """Layers that had run when a buffer was written; ``None`` for the node features."""
        written = self._written.get(buffer)
        return None if written is None else written + self._layers_at_first

    def _operations(self) -> Iterable[Operation]:
        return (op for stage in self.stages for op in stage.operations)


def input_buffer(layer: str) -> str:
    """The name of the buffer that a layer reads, where that is not the node features."""
    return f"{layer}.input"


def value_widths(
    first: int,
    operations: Iterable[tuple[type[Operation], tuple[int, ...], Mapping[str, Any]]],
    buffers: Mapping[str, int],
) -> list[int]:
    """Columns of each value of a stage.

    Args:
        first: Columns of its layer's output.
        operations: The kind, the inputs and the settings of each operation.
        buffers: Columns of each buffer that they may read.

    Raises:
        ArtifactError: If an operation is given what does not fit it.
    """
    widths = [first]
    for kind, inputs, settings in operations:
        if any(value >= len(widths) for value in inputs):
            raise ArtifactError(f"{kind.kind} reads a value that is not made before it")
        if issubclass(kind, Read):
            if inputs or settings["buffer"] not in buffers:
                raise ArtifactError(f"read of {settings['buffer']!r}, which is not held then")
            widths.append(buffers[settings["buffer"]])
        else:
            widths.append(kind.width([widths[value] for value in inputs], settings))
    return widths
