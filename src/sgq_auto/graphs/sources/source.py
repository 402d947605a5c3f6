"""What every kind of source is."""

from typing import Protocol, runtime_checkable

from sgq_auto.graphs.raw_graph import RawGraph


@runtime_checkable
class GraphSource(Protocol):
    """Something that yields a graph: a file, a dataset, or an object of the user's.

    A configuration under ``conf/dataset`` names its class in ``source._target_``. A new kind of
    source needs this one method.
    """

    def load(self) -> RawGraph:
        """Load the graph.

        Raises:
            InputError: If it cannot be had, with the ways to get it.
        """
