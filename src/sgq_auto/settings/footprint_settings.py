"""At which graph the sizes of a model for many graphs are."""

from dataclasses import dataclass
from typing import Any

from sgq_auto.errors import InputError

LARGEST = "largest"


@dataclass(frozen=True)
class FootprintSettings:
    """At which graph the sizes of a model for many graphs are.

    Attributes:
        graph: ``largest``, the largest of the data; or the nodes and edges of the largest that a
            device will be given, each direction of an edge counted.
    """

    # One or the other: no type that a configuration can check.
    graph: Any = LARGEST

    def __post_init__(self) -> None:
        """Check the value.

        Raises:
            InputError: If it is neither.
        """
        if self.graph == LARGEST:
            return
        sizes = self.graph if isinstance(self.graph, list | tuple) else ()
        plain = [size for size in sizes if type(size) is int and size >= 0]
        if len(plain) != 2 or len(sizes) != 2 or plain[0] < 1:
            raise InputError(
                f"footprint.graph={self.graph}: it must be {LARGEST}, or nodes and edges like "
                "[500,2000]"
            )
        nodes, edges = plain
        if edges > nodes * (nodes - 1):
            raise InputError(
                f"footprint.graph={list(sizes)}: {nodes:,} nodes have at most "
                f"{nodes * (nodes - 1):,} edges between different ones"
            )

    @property
    def size(self) -> tuple[int, int] | None:
        """Nodes and edges that were given; ``None``: those of the largest graph."""
        return None if self.graph == LARGEST else (self.graph[0], self.graph[1])

    @property
    def key(self) -> dict[str, Any]:
        """What of it defines a study: nothing where studies were before there was the setting."""
        return {} if self.size is None else {"footprint": list(self.size)}
