"""Many graphs in one block-diagonal graph, and some of them as a graph of their own."""

from sgq_auto.graphs.many_graphs.largest import Largest, largest_graph
from sgq_auto.graphs.many_graphs.parts import (
    another,
    graphs_of,
    output_rows,
    part,
    rows_of_graphs,
)

__all__ = [
    "Largest",
    "another",
    "graphs_of",
    "largest_graph",
    "output_rows",
    "part",
    "rows_of_graphs",
]
