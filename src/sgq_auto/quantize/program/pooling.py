"""Pooling over the nodes of each graph in packed operations."""

from typing import Any

import torch
from torch import Tensor

from sgq_auto.graphs import Graph
from sgq_auto.packed.runtime.operations.pooling import Pool, Pooling
from sgq_auto.quantize.forward.graph_pooling import GraphPooling
from sgq_auto.quantize.program.program_builder import Builder, Row, UnpackableError


def graph_sizes(graph: Graph) -> Tensor:
    """``float32 [graphs]``, the number of nodes of each graph, at least 1: what means divide by."""
    if graph.graph_of_node is None:
        return torch.tensor([float(graph.num_nodes)])
    counts = torch.bincount(graph.graph_of_node.cpu(), minlength=graph.num_graphs)
    return counts.clamp(min=1).float()


def lower_pooling(builder: Builder, module: GraphPooling, x: Any) -> Row:
    """The operation that pools an embedding.

    Raises:
        UnpackableError: If it is no embedding of nodes.
    """
    row = builder.row(x)
    made = Pool(inputs=(row.value,), pooling=module.pooling, columns=row.width)
    return builder.add(made, row.width)


def mean_of_sum(builder: Builder, row: Row, divisor: Any) -> Row | None:
    """The mean, where a sum over graphs is divided by their numbers of nodes.

    These are told by their values, however a model found them.

    Args:
        builder: The program so far.
        row: What is divided.
        divisor: What it is divided by.

    Returns:
        ``None`` where that is something else.

    Raises:
        UnpackableError: If something else than the sum itself is divided so.
    """
    sizes = builder.graph_sizes
    if not row.per_graph or not isinstance(divisor, Tensor) or divisor.dim() == 0:
        return None
    given = divisor.detach().cpu()
    if given.dim() != 2 or given.size(0) != sizes.numel() or not bool((given.t() == sizes).all()):
        return None
    made = builder.operation(row)
    if not isinstance(made, Pool) or made.pooling is not Pooling.SUM:
        raise UnpackableError("it divides by the numbers of nodes what is no sum of their rows")
    mean = Pool(inputs=made.inputs, pooling=Pooling.MEAN, columns=made.columns)
    return builder.add(mean, row.width)
