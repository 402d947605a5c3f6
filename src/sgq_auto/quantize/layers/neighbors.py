"""Sums and means over the neighbours of a node, itself left out."""

import torch
from torch_geometric.nn import MessagePassing

from sgq_auto.compute import FixedMatrix
from sgq_auto.graphs import CsrPattern
from sgq_auto.packed.runtime.layers.layer import Aggregation

_AGGREGATIONS = {"mean": Aggregation.MEAN, "sum": Aggregation.SUM, "add": Aggregation.SUM}


def is_aggregated(conv: MessagePassing) -> bool:
    """Whether a PyG layer takes means or sums of what comes from sources to targets."""
    named = isinstance(conv.aggr, str) and conv.aggr in _AGGREGATIONS
    return named and conv.flow == "source_to_target"


def aggregation_of(conv: MessagePassing) -> Aggregation:
    """How a PyG layer aggregates its neighbours."""
    return _AGGREGATIONS[conv.aggr]


def neighbor_matrix(
    adj_t: CsrPattern, aggregation: Aggregation, dtype: torch.dtype = torch.float32
) -> FixedMatrix:
    """What times an embedding ``[N, features]`` gives the aggregate over each node's neighbours.

    A row of a node without neighbours is zero, as in PyG. All of it follows from the graph: there
    is nothing to quantize, and a packed model holds none of it.

    Args:
        adj_t: Edges with one self-loop a node, which is no neighbour.
        aggregation: Mean or sum.
        dtype: Of the coefficients.
    """
    neighbors = (adj_t.row != adj_t.col).to(dtype)
    if aggregation is Aggregation.MEAN:
        degrees = (adj_t.rowptr.diff() - 1).clamp(min=1)
        neighbors /= degrees.index_select(0, adj_t.row)
    return adj_t.fixed_matrix(neighbors)
