"""Many graphs divided into those of a search and those that are only tested."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgq_auto.graphs.many_graphs.parts import (
    graphs_of,
    labelled_in,
    output_rows,
    part,
    rows_of_graphs,
)
from sgq_auto.graphs.prepare_graph import PreparedData


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
        held_out=labelled_in(held_out, output_rows(graph, tested)),
        notes=(*data.notes, line),
        **_edges(data, searched),
    )


def _edges(data: PreparedData, numbers: Tensor) -> dict[str, Any]:
    """The listed edges of some graphs, their nodes numbered as :func:`part` numbers them."""
    if data.edge_index is None:
        return {}
    inside = np.zeros(data.graph.num_nodes, np.bool_)
    inside[data.graph.node_order[rows_of_graphs(data.graph, numbers)].numpy()] = True
    place = np.cumsum(inside) - 1
    kept = inside[data.edge_index[0]]
    weight = None if data.edge_weight is None else data.edge_weight[kept]
    return {"edge_index": place[data.edge_index[:, kept]], "edge_weight": weight}
