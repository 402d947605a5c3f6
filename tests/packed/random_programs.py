"""Random operations between the layers of a packed model, and what it holds past them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sgq_auto.packed.allocation import FEATURES
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.runtime.operations.elementwise import Function
from sgq_auto.packed.runtime.operations.joins import Read
from sgq_auto.packed.runtime.operations.norms import GraphNorm
from sgq_auto.packed.runtime.operations.operation import Operation
from sgq_auto.packed.runtime.operations.operation_kinds import OPERATIONS
from sgq_auto.packed.runtime.operations.pooling import Pool
from sgq_auto.packed.runtime.program import Output, Program, Stage, input_buffer

_MOST_OPERATIONS = 6
# A pooling is drawn by ``pooled_models``: what follows it has rows of graphs.
_KINDS = [kind for kind in OPERATIONS.values() if kind is not Pool]
_WIDEST = 120


@dataclass
class RandomProgram:
    """Draws stages, one after each layer.

    Attributes:
        random: Where chance comes from.
        spread: Powers of ten that parameters reach to either side of 1.
        buffers: Columns of what is held so far and may be read.
        skips: Columns and ranges of skip connections.
    """

    random: np.random.Generator
    spread: float
    num_features: int
    stages: list[Stage] = field(default_factory=list)
    buffers: dict[str, int] = field(default_factory=dict)
    skips: dict[str, tuple[int, Ranges]] = field(default_factory=dict)
    _pending: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.buffers[FEATURES] = self.num_features

    def further(self, count: int, width: int) -> tuple[str, ...]:
        """Buffers that a layer of this width may read besides its input, that among them."""
        fitting = [name for name, columns in self.buffers.items() if columns == width]
        return tuple(self._one_of(fitting) for _ in range(count))

    def add(
        self,
        layer: str | None,
        width: int,
        following: str | None,
        ranges: Ranges,
        further: tuple[str, ...] = (),
    ) -> int:
        """A stage with random operations.

        Args:
            layer: Its layer; ``None`` for a first one on the node features.
            width: Columns of that layer's output.
            following: The layer that reads its result; ``None`` for the logits.
            ranges: Ranges of a skip connection, if there is one.
            further: What its layer reads besides its input.

        Returns:
            Columns of its result.
        """
        operations: list[Operation] = []
        widths = [width]
        for _ in range(int(self.random.integers(0, _MOST_OPERATIONS + 1))):
            kind = Read if self.random.random() < 0.2 else self._one_of(_KINDS)
            made = self._operation(kind, widths)
            if made is not None and made[1] <= _WIDEST:
                operations.append(made[0])
                widths.append(made[1])
        last = len(widths) - 1
        outputs = [Output(last, None if following is None else input_buffer(following))]
        # A skip connection must be read by a later stage: the next one does so first.
        if following is not None and self.random.random() < 0.5:
            name, value = f"{layer}.skip", int(self.random.integers(0, len(widths)))
            outputs.append(Output(value, name))
            self.skips[name] = widths[value], ranges
        self.stages.append(Stage(layer, tuple(operations), tuple(outputs), further))
        if following is not None:
            self.buffers[input_buffer(following)] = widths[last]
        self.buffers |= {name: width for name, (width, _) in self.skips.items()}
        return widths[last]

    def program(self) -> Program:
        """The program: skip connections that nothing happened to read are left out."""
        read = set().union(*(stage.reads for stage in self.stages))
        self.skips = {name: skip for name, skip in self.skips.items() if name in read}
        stages = tuple(
            Stage(
                stage.layer,
                stage.operations,
                tuple(
                    output
                    for output in stage.outputs
                    if output.buffer is None
                    or output.buffer.endswith(".input")
                    or output.buffer in self.skips
                ),
                stage.further,
            )
            for stage in self.stages
        )
        return Program(stages, {name: width for name, (width, _) in self.skips.items()})

    def _operation(self, kind: type[Operation], widths: list[int]) -> tuple[Operation, int] | None:
        if issubclass(kind, Read):
            # What was made last, skip connections above all, more often than what came first.
            buffer = self._one_of([*self.buffers, *list(self.skips) * 2])
            return Read(inputs=(), buffer=buffer), self.buffers[buffer]
        first = int(self.random.integers(0, len(widths)))
        inputs: tuple[int, ...] = (first,)
        if kind.kind in ("add", "multiply", "maximum", "concatenate"):
            fitting = [k for k, w in enumerate(widths) if w in (1, widths[first])]
            if kind.kind == "concatenate":
                fitting = list(range(len(widths)))
            inputs = (first, *(self._one_of(fitting) for _ in range(1)))
        settings = {name: self._setting(name, widths[first]) for name in kind.settings}
        if kind.kind == "columns":
            settings["last"] = int(self.random.integers(settings["first"] + 1, widths[first] + 1))
        shapes = kind.shapes([widths[k] for k in inputs], settings)
        tensors = {name: self._vector(shape) for name, shape in shapes.items()}
        made = kind(inputs=inputs, **settings, **tensors)
        assert not isinstance(made, GraphNorm) or len(inputs) == 1
        return made, kind.width([widths[k] for k in inputs], settings)

    def _setting(self, name: str, width: int) -> Any:
        match name:
            case "function":
                return self._one_of(list(Function))
            case "added":
                return bool(self.random.random() < 0.5)
            case "eps":
                return float(10.0 ** self.random.uniform(-6, 0))
            case "first":
                return int(self.random.integers(0, width))
            case "last":
                return width
            case "out":
                return int(self.random.integers(1, 20))
            case "low":
                return float(-self.random.random())
            case _:  # Factors, slopes, limits.
                return float(np.float32(self.random.uniform(0.2, 2)))

    def _vector(self, shape: tuple[int, ...]) -> np.ndarray:
        scales = 10.0 ** self.random.uniform(-self.spread, self.spread, shape)
        return (self.random.normal(size=shape) * scales).astype(np.float32)

    def _one_of(self, choices: Any) -> Any:
        return choices[int(self.random.integers(0, len(choices)))]
