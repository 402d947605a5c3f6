"""Whether many graphs are one, with features that change: readings of one net of sensors."""

import numpy as np

from sgq_auto.graphs.prepared_graph import Graph


def have_same_edges(graph: Graph) -> bool:
    """Whether several graphs have the same nodes, edges and what edges have.

    Nodes are the same by their place in each graph.

    Args:
        graph: Several graphs, or one, which alone tells nothing.
    """
    if graph.graph_of_node is None or graph.num_graphs < 2:
        return False
    owner = graph.graph_of_node.cpu().numpy()
    counts = np.bincount(owner)
    pattern = graph.adj_t
    row, col = (t.cpu().numpy().astype(np.int64) for t in (pattern.row, pattern.col))
    edges = np.bincount(owner[row], minlength=counts.size)
    if (counts != counts[0]).any() or (edges != edges[0]).any():
        return False
    place = np.empty(owner.size, np.int64)
    place[np.lexsort((graph.node_order.numpy(), owner))] = np.arange(owner.size) % counts[0]
    order = np.lexsort((place[col], place[row], owner[row]))
    held = [place[row], place[col]]
    if pattern.weights is not None:
        held += list(pattern.weights.reshape(pattern.num_entries, -1).cpu().numpy().T)
    listed = (values[order].reshape(counts.size, -1) for values in held)
    return all(bool((values == values[:1]).all()) for values in listed)
