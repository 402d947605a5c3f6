"""Where graphs come from: one class a kind of source."""

from typing import Protocol

from sgq_auto.graphs.raw import RawGraph
from sgq_auto.graphs.sources.data import DataSource
from sgq_auto.graphs.sources.embedded import EmbeddedCora
from sgq_auto.graphs.sources.npz import NpzSource
from sgq_auto.graphs.sources.pyg import PygSource
from sgq_auto.graphs.sources.synthetic import SyntheticSource


class GraphSource(Protocol):
    """Something that yields a graph."""

    def load(self) -> RawGraph:
        """Load the graph.

        Raises:
            InputError: If it cannot be had, with the ways to get it.
        """


__all__ = ["DataSource", "EmbeddedCora", "GraphSource", "NpzSource", "PygSource", "SyntheticSource"]
