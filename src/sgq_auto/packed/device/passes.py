"""Passes as they are built, step by step, with the buffers and registers that they use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sgq_auto.packed.allocation import FEATURES
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import PackedWeight
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.device.steps import IN_PLACE, Opcode, Pooled, Register, Scoring, Step
from sgq_auto.packed.runtime.operations.pooling import Pooling
from sgq_auto.packed.sizes.device_footprint import CodeSum, DeviceBuffer, places_of


@dataclass
class Held:
    """An embedding that a pass writes.

    Attributes:
        name: Its name, the same each time that it is written.
        layer: The layer, or skip connection, whose embedding bits it has.
        width: Columns.
        ranges: What its codes stand for.
        first: The pass that writes it.
        rows: The passes that read the rows of their own nodes.
        gathered: The passes that gather from it.
        per_graph: Whether it has one row, of the whole graph, and not a row a node.
    """

    name: str
    layer: str
    width: int
    ranges: Ranges
    first: int
    rows: set[int] = field(default_factory=set)
    gathered: set[int] = field(default_factory=set)
    per_graph: bool = False

    @property
    def planned(self) -> DeviceBuffer:
        """The same as sizes see it."""
        last = max({self.first} | self.rows | self.gathered)
        # Whoever reads it in the pass that writes it needs the row that was just written.
        is_local = last == self.first
        span = self.first, last
        return DeviceBuffer(self.name, self.layer, self.width, *span, is_local, self.per_graph)


@dataclass
class Passes:
    """The passes of a model, and all that their steps name.

    Attributes:
        steps: The steps of each pass for every node.
        graph_steps: Its steps after all nodes, for the graph that they were pooled to.
        of_graphs: Whether steps that are added now are such ones.
        buffers: Every embedding that is written, in order; steps name them by their place.
        weights: Weight matrices by the name of their tensor.
        ranges: Ranges of coefficients, which no buffer holds, by name.
        numbers: fp32 parameters by name.
        code_sums: What sums of codes may be.
        num_sums: Whole numbers that these sums need at once.
        num_lanes: 32-bit words in which some of them lie side by side at first.
        scorings: The ways in which scores of edges are made.
    """

    steps: list[list[Step]] = field(default_factory=lambda: [[]])
    graph_steps: list[list[Step]] = field(default_factory=lambda: [[]])
    of_graphs: bool = False
    buffers: list[Held] = field(default_factory=list)
    weights: dict[str, PackedWeight] = field(default_factory=dict)
    ranges: dict[str, Ranges] = field(default_factory=dict)
    numbers: dict[str, Array] = field(default_factory=dict)
    code_sums: list[CodeSum] = field(default_factory=list)
    num_sums: int = 0
    num_lanes: int = 0
    scorings: set[Scoring] = field(default_factory=set)
    _current: dict[str, int] = field(default_factory=dict)

    @property
    def position(self) -> int:
        """The pass that is built."""
        return len(self.steps) - 1

    @property
    def all_steps(self) -> list[Step]:
        """Every step, in order."""
        both = zip(self.steps, self.graph_steps, strict=True)
        return [step for pair in both for listed in pair for step in listed]

    @property
    def pools(self) -> bool:
        """Whether some step takes in the rows of all nodes."""
        return any(self.graph_steps)

    @property
    def _listed(self) -> list[Step]:
        return (self.graph_steps if self.of_graphs else self.steps)[-1]

    def start_pass(self) -> None:
        """Begin a pass: what comes next needs rows that the pass so far has not made."""
        if self.steps[-1]:
            self.steps.append([])
            self.graph_steps.append([])

    def add(self, opcode: Opcode, width: int, *inputs: Register, **given: Any) -> Register:
        """A step that makes a row of numbers; ``given`` is what :class:`Step` takes besides."""
        out = Register(given.pop("made", width))
        self._listed.append(Step(opcode, width, out, inputs, **given))
        return out

    def into(
        self, out: Register, opcode: Opcode, width: int, *inputs: Register, **given: Any
    ) -> None:
        """A step that makes a part of a row that others make too."""
        self._listed.append(Step(opcode, width, out, inputs, **given))

    def hand_over(self, value: Register) -> None:
        """A step that hands over the outputs of a node, or of the graph."""
        self._listed.append(Step(Opcode.OUTPUT, value.width, None, (value,)))

    def pool(self, value: Register, pooling: Pooling) -> Register:
        """Steps that take in a row of each node, and what they are pooled to."""
        way = Pooled.MAXIMUM if pooling is Pooling.MAX else Pooled.SUM
        self.of_graphs = False
        made = self.add(Opcode.POOL, value.width, value, extra=way)
        self.of_graphs = True
        if pooling is not Pooling.MEAN:
            return made
        return self.add(Opcode.MEAN_OF_NODES, value.width, made)

    def write(self, name: str, layer: str, value: Register, ranges: Ranges) -> None:
        """A step that writes a row to a buffer, in codes."""
        place = len(self.buffers)
        self._current[name] = place
        held = Held(name, layer, value.width, ranges, self.position, per_graph=self.of_graphs)
        self.buffers.append(held)
        tables = {"table": f"buffer {place}"}
        step = Step(Opcode.WRITE, value.width, None, (value,), tables, buffer=name)
        self._listed.append(step)

    def row_of(self, name: str) -> str:
        """What the tables call a buffer whose rows of the same nodes are read; of features too."""
        if name == FEATURES:
            return FEATURES
        place = self._current[name]
        self.buffers[place].rows.add(self.position)
        return f"buffer {place}"

    def width_of(self, name: str) -> int:
        """Columns of a buffer."""
        return self.buffers[self._current[name]].width

    def gathered(self, name: str) -> str:
        """What the tables call a buffer that is gathered from."""
        place = self._current[name]
        self.buffers[place].gathered.add(self.position)
        return f"buffer {place}"

    def parameter(self, name: str, values: Array) -> str:
        """What the tables call some fp32 parameters."""
        self.numbers[name] = values
        return f"numbers {name}"

    def weight(self, name: str, weight: PackedWeight) -> str:
        """What the tables call a weight matrix."""
        self.weights[name] = weight
        return f"weight {name}"

    def coefficients(self, name: str, ranges: Ranges) -> str:
        """What the tables call the ranges of coefficients."""
        self.ranges[name] = ranges
        return f"ranges {name}"

    def sums(self, width: int, *largest: CodeSum) -> None:
        """Sums of so many columns are needed, which may be so large: weighted, and as they are."""
        self.num_sums = max(self.num_sums, 2 * width)
        # Lanes of 16 bits at most, and eight words that are not filled, whole words of 64 bits.
        self.num_lanes = max(self.num_lanes, 4 * -(-width // 4) + 16)
        self.code_sums += largest

    def head_sums(self, width: int, heads: int, *largest: CodeSum) -> None:
        """The same with a sum of factors for each head."""
        self.num_sums = max(self.num_sums, 2 * width + heads)
        self.code_sums += largest

    def reads_of(self, position: int) -> list[tuple[int, bool]]:
        """The earlier passes whose rows a pass reads, and whether it gathers them."""
        found = set()
        for held in self.buffers:
            if held.first < position and position in held.gathered:
                found.add((held.first, True))
            elif held.first < position and position in held.rows:
                found.add((held.first, False))
        return sorted(found)

    def places(self) -> tuple[Mapping[Register, int], int]:
        """Where each register lies among all numbers, and how many these are."""
        steps: list[Step] = []
        first: dict[Register, int] = {}
        last: dict[Register, int] = {}
        for listed, after in zip(self.steps, self.graph_steps, strict=True):
            start = len(steps)
            steps += listed + after
            for moment in range(start, len(steps)):
                step = steps[moment]
                for register in step.registers:
                    first.setdefault(register, moment)
                    last[register] = moment
                if step.opcode is Opcode.POOL and step.out is not None:
                    # It is kept from one row to the next.
                    first[step.out] = start
                    last[step.out] = start + len(listed)
        owner = _shared(steps, last)
        owners = list(dict.fromkeys(owner.get(register, register) for register in first))
        spans = [
            (
                first[own],
                max(last[register] for register in first if owner.get(register, register) is own),
            )
            for own in owners
        ]
        places, end = places_of([own.width for own in owners], spans)
        where = dict(zip(owners, places, strict=True))
        return {register: where[owner.get(register, register)] for register in first}, end


def _shared(steps: list[Step], last: Mapping[Register, int]) -> dict[Register, Register]:
    """The first register of those that lie in one place, as a step works in place."""
    owner: dict[Register, Register] = {}
    for moment, step in enumerate(steps):
        if step.opcode not in IN_PLACE or step.out is None:
            continue
        source = step.inputs[0]
        if source.width == step.out.width and last[source] == moment:
            owner[step.out] = owner.get(source, source)
    return owner
