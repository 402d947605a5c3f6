"""Sums and means over the neighbours of a node, itself left out."""

import torch
from torch_geometric.nn import MessagePassing

from sgq_auto.engines import FixedMatrix
from sgq_auto.errors import InputError
from sgq_auto.graphs import CsrPattern
from sgq_auto.packed.layers import Aggregation

_AGGREGATIONS = {"mean": Aggregation.MEAN, "sum": Aggregation.SUM, "add": Aggregation.SUM}


def aggregation_of(conv: MessagePassing, name: str) -> Aggregation:
    """How a PyG layer aggregates its neighbours.

    Raises:
        InputError: If it does otherwise than by a mean or a sum over a node's sources.
    """
    found = _AGGREGATIONS.get(conv.aggr) if isinstance(conv.aggr, str) else None
    if found is None or conv.flow != "source_to_target":
        raise InputError(
            f"{name}: {type(conv).__name__} is quantized with aggr='mean' or 'sum' and "
            f"flow='source_to_target', not with aggr={conv.aggr!r} and flow={conv.flow!r}"
        )
    return found


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
