"""Pooling: a row for each graph from the rows of its nodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.header_fields import choice, count
from sgq_auto.packed.runtime.operations.operation import Operation, Settings


class Pooling(StrEnum):
    """How the rows of a graph's nodes become one."""

    SUM = "sum"
    MEAN = "mean"
    MAX = "max"


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool(Operation):
    """The sum, mean or maximum of each column over the nodes of each graph.

    It is 0 for a graph without nodes, as in PyG. The runtime takes in the rows of nodes while they
    are made, and hands it the finished rows of graphs.

    Attributes:
        pooling: Which of them.
        columns: Columns of what it reads and makes.
    """

    kind = "pool"
    settings: ClassVar[Settings] = {
        "pooling": lambda node, key: choice(Pooling, node, key),
        "columns": lambda node, key: count(node, key, 1),
    }

    pooling: Pooling
    columns: int

    def __call__(self, *values: Floats) -> Floats:
        """The rows of graphs, which the runtime has pooled."""
        return values[0]

    @property
    def held_columns(self) -> int:
        """fp32 numbers that are held of a graph: a mean has the number of nodes besides."""
        return self.columns + (self.pooling is Pooling.MEAN)

    @classmethod
    def width(cls, widths: Sequence[int], settings: Mapping[str, Any]) -> int:
        """As many columns as it reads.

        Raises:
            ArtifactError: If they are not as many as it says.
        """
        width = super().width(widths, settings)
        if width != settings["columns"]:
            raise ArtifactError(f"pool of {settings['columns']} columns is given {width}")
        return width
