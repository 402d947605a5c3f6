"""The steps that a model in C is made of: each works on one row of the graph.

A pass is a list of steps that run for one row after the other, and of steps that run once after
all rows, for the graph that they were pooled to. What they make of a row lies in registers, which
are rows of numbers; what other rows need is written to buffers, in codes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class Opcode(IntEnum):
    """What a step does. The numbers are those of ``sgq_runtime.c``."""

    PRODUCT = 1
    FEATURE_PRODUCT = 2
    GATHER = 3
    ATTENTION = 4
    READ = 5
    READ_FEATURES = 6
    WRITE = 7
    OUTPUT = 8
    BIAS = 9
    ADD = 10
    MULTIPLY = 11
    MAXIMUM = 12
    COPY = 13
    AFFINE = 14
    SCALE = 15
    CLIP = 16
    PRELU = 17
    ACTIVATE = 18
    PROJECT = 19
    STANDARDIZE_ROWS = 20
    NORMALIZE_ROWS = 21
    SOFTMAX_ROWS = 22
    MEAN_HEADS = 23
    POOL = 24
    MEAN_OF_NODES = 25
    GATE = 26
    REDUCE = 27
    REDUCE_FEATURES = 28
    TRANSFORM = 29
    SCALE_BY_DEGREE = 30


class Weighing(IntEnum):
    """What a gather weighs neighbours by. The numbers are those of ``sgq_runtime.c``."""

    BY_ONE = 0
    BY_SHARE = 1
    BY_DEGREES = 2
    BY_ONE_ITSELF_MORE = 3


class Scoring(IntEnum):
    """What scores of edges are. The numbers are those of ``sgq_runtime.c``."""

    SUMS = 0
    BENT_SUMS = 1
    PRODUCTS = 2
    COSINES = 3


class Reduced(IntEnum):
    """What a reduction makes of neighbours. The numbers are those of ``sgq_runtime.c``."""

    MEAN = 1
    SUM = 2
    MAX = 3
    MIN = 4
    VAR = 5
    STD = 6


class DegreeFactor(IntEnum):
    """What rows are multiplied by, from degrees. The numbers are those of ``sgq_runtime.c``."""

    ANY = 0
    COUNT = 1
    AMPLIFICATION = 2
    ATTENUATION = 3
    LINEAR = 4
    INVERSE_LINEAR = 5


class Pooled(IntEnum):
    """How a pooling takes in the row of a node. The numbers are those of ``sgq_runtime.c``."""

    SUM = 0
    MAXIMUM = 1


# Added to what a gather weighs by where a node is one of those that it gathers.
WITH_ITSELF = 16
# The same where edges have weights.
WEIGHTED = 32
# Bits of each reduction where a step lists some.
REDUCTION_BITS = 3

# Each of these makes a number from the one in its place, so that both may lie in one register.
IN_PLACE = frozenset(
    {
        Opcode.BIAS,
        Opcode.ADD,
        Opcode.MULTIPLY,
        Opcode.MAXIMUM,
        Opcode.AFFINE,
        Opcode.SCALE,
        Opcode.CLIP,
        Opcode.PRELU,
        Opcode.ACTIVATE,
        Opcode.STANDARDIZE_ROWS,
        Opcode.NORMALIZE_ROWS,
        Opcode.SOFTMAX_ROWS,
        Opcode.MEAN_OF_NODES,
        Opcode.SCALE_BY_DEGREE,
    }
)


@dataclass(frozen=True, eq=False)
class Register:
    """A row of numbers.

    Attributes:
        width: How many.
    """

    width: int


@dataclass(frozen=True, eq=False)
class Step:
    """One step.

    Attributes:
        opcode: What it does.
        width: Columns of what it makes or reads.
        out: What it makes; ``None`` where it writes to a buffer or hands over outputs.
        inputs: What it reads.
        tables: The parts of the tables that it names, by the words ``table``, ``table2`` and
            ``extra``; what they are called there.
        extra: A number that says how it does what it does.
        scratch: What it needs besides.
        columns: First columns of what it makes and of its input, where that is a part.
        buffer: The buffer that it reads a row of, or writes.
        gathers: Whether it reads rows of the buffer that neighbours have.
    """

    opcode: Opcode
    width: int
    out: Register | None = None
    inputs: tuple[Register, ...] = ()
    tables: Mapping[str, str] = field(default_factory=dict)
    extra: int = 0
    scratch: Register | None = None
    columns: tuple[int, int] = (0, 0)
    buffer: str | None = None
    gathers: bool = False

    @property
    def registers(self) -> tuple[Register, ...]:
        """All that it reads or makes."""
        own = (self.out, self.scratch)
        return (*self.inputs, *(register for register in own if register is not None))
