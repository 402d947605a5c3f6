"""Many graphs divided into those of a search and those that are only tested."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgq_auto.graphs.many_graphs.parts import graphs_of, output_rows, part
from sgq_auto.graphs.prepare_graph import PreparedData
from sgq_auto.graphs.prepared_graph import Graph, LabelledNodes


def divided(data: PreparedData) -> PreparedData:
    """Keep the graphs that are only tested apart, so that a search sees nothing of them.

    Where a graph has test nodes beside training or validation ones, all graphs stay together: the
    test nodes' features and edges are seen then, as those of one graph are.

    Args:
        data: Prepared data; one graph, and what is divided already, stay as they are.
    """
    graph, held_out = data.graph, data.held_out
    if graph.graph_of_node is None or data.unseen is not None:
        return data
    tested = graphs_of(graph, held_out)
    searched = torch.cat([graphs_of(graph, graph.train), graphs_of(graph, graph.val)]).unique()
    if torch.isin(tested, searched).any():
        line = f"{graph.name}: some graphs have test nodes beside others, so no graph is unseen"
        return replace(data, notes=(*data.notes, line))
    line = (
        f"{graph.name}: {searched.numel():,} graphs are searched on; {tested.numel():,} others are "
        "tested, and nothing of them is seen before"
    )
    return replace(
        data,
        graph=part(graph, searched),
        unseen=part(graph, tested),
        held_out=_rows_of_part(held_out, output_rows(graph, tested)),
        notes=(*data.notes, line),
        **_edges(data, searched),
    )


def _rows_of_part(labelled: LabelledNodes, kept: Tensor) -> LabelledNodes:
    return LabelledNodes(torch.searchsorted(kept, labelled.nodes), labelled.labels)


def _edges(data: PreparedData, numbers: Tensor) -> dict[str, Any]:
    """The listed edges of some graphs, their nodes numbered as :func:`part` numbers them."""
    if data.edge_index is None:
        return {}
    inside = _nodes_of(data.graph, numbers)
    place = np.cumsum(inside) - 1
    kept = inside[data.edge_index[0]]
    weight = None if data.edge_weight is None else data.edge_weight[kept]
    return {"edge_index": place[data.edge_index[:, kept]], "edge_weight": weight}


def _nodes_of(graph: Graph, numbers: Tensor) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which original nodes belong to some of the graphs."""
    assert graph.graph_of_node is not None
    inside = np.zeros(graph.num_nodes, np.bool_)
    inside[graph.node_order.numpy()] = torch.isin(graph.graph_of_node, numbers).numpy()
    return inside
