"""A prepared graph with its nodes in the user's own order."""

from dataclasses import replace

import torch
from torch import Tensor

from sgq_auto.graphs.adjacency import reorder_nodes
from sgq_auto.graphs.csr_products import CsrPattern, entries_of_rows
from sgq_auto.graphs.edge_weights import weights_of_entries
from sgq_auto.graphs.feature_matrix import DenseFeatures, Features, SparseFeatures
from sgq_auto.graphs.labels.labelled_nodes import LabelledNodes
from sgq_auto.graphs.prepared_graph import Graph


def in_original_order(graph: Graph) -> Graph:
    """The graph with its nodes in the order in which the user has them.

    A model that has a row for each node in a parameter or a buffer (``nn.Embedding(num_nodes, d)``,
    positional encodings) must be given the nodes so. Degree buckets are no slices then, and their
    quantizers gather the rows of each, which costs some time.

    Args:
        graph: A prepared graph on the CPU, its nodes sorted by degree bucket.
    """
    if graph.bucket_rows is not None:
        return graph
    original = graph.node_order
    row_of_node = torch.empty_like(original)
    row_of_node[original] = torch.arange(original.numel())
    pattern = graph.adj_t
    rowptr, col = reorder_nodes(pattern.rowptr.numpy(), pattern.col.numpy(), row_of_node.numpy())
    weights = None
    if pattern.weights is not None:
        edges = torch.stack([pattern.col.long(), pattern.row.long()]).numpy()
        weights = weights_of_entries(
            edges, pattern.weights.numpy(), rowptr, col, row_of_node.numpy()
        )
        weights = weights.reshape(-1, *pattern.weights.shape[1:])
    return replace(
        graph,
        features=_features(graph.features, row_of_node),
        adj_t=CsrPattern.from_arrays(rowptr, col, pattern.shape, weights),
        train=labels_in_original_order(graph.train, graph),
        val=labels_in_original_order(graph.val, graph),
        node_order=torch.arange(original.numel()),
        bucket_rows=original,
    )


def labels_in_original_order(labelled: LabelledNodes, graph: Graph) -> LabelledNodes:
    """Labelled rows of ``graph`` as labelled nodes of the user's own order, sorted."""
    nodes, order = graph.node_order[labelled.nodes].sort()
    return LabelledNodes(nodes, labelled.labels[order])


def _features(features: Features, rows: Tensor) -> Features:
    if isinstance(features, DenseFeatures):
        return replace(features, values=features.values[rows])
    assert isinstance(features, SparseFeatures)
    pattern = features.pattern
    entries = entries_of_rows(pattern.rowptr, rows)
    ends = pattern.rowptr.diff()[rows].cumsum(0)
    rowptr = torch.cat([ends.new_zeros(1), ends])
    moved = CsrPattern.from_arrays(rowptr.numpy(), pattern.col[entries].numpy(), pattern.shape)
    return replace(features, pattern=moved, values=features.values[entries])
