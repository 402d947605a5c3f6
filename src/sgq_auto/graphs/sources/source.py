"""What every kind of source is."""

from typing import Protocol, runtime_checkable

from sgq_auto.graphs.raw import RawGraph


@runtime_checkable
class GraphSource(Protocol):
    """Something that yields a graph."""

    def load(self) -> RawGraph:
        """Load the graph.

        Raises:
            InputError: If it cannot be had, with the ways to get it.
        """
