"""From a raw graph to the prepared one: buckets, node order, CSR, sparse features, split."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse
import torch

from sgq_auto.errors import InputError
from sgq_auto.graphs.adjacency import csr_with_loops, reorder_nodes
from sgq_auto.graphs.csr_products import CsrPattern
from sgq_auto.graphs.degree_buckets import (
    degree_buckets,
    split_points_of,
)
from sgq_auto.graphs.edge_weights import weights_of_edges, weights_of_entries
from sgq_auto.graphs.feature_matrix import DenseFeatures, Features, SparseFeatures
from sgq_auto.graphs.first_lines import first_lines
from sgq_auto.graphs.labels.labelled_nodes import LabelledNodes
from sgq_auto.graphs.labels.target_scale import TargetScale
from sgq_auto.graphs.original_order import in_original_order, labels_in_original_order
from sgq_auto.graphs.prepared_graph import Graph
from sgq_auto.graphs.raw_graph import IntArray, RawGraph, Split
from sgq_auto.graphs.splits.split_checks import check_split
from sgq_auto.graphs.standardized_features import standardized
from sgq_auto.node_files.node_ids import NodeIds
from sgq_auto.packed.runtime.graphs.feature_scaling import FeatureScaling
from sgq_auto.settings.bucket_settings import BucketSettings
from sgq_auto.settings.standardize import Standardize

# Above this share of nonzero entries, dense products are no slower and dense codes no larger.
_SPARSE_BELOW = 0.5
# The user's own list of edges is kept up to this many, 64 MiB.
_MOST_KEPT_EDGES = 1 << 22


@dataclass(frozen=True, eq=False)
class PreparedData:
    """A graph to search on, and the test labels that only the confirm stage may read.

    Attributes:
        graph: The graph, or the graphs for training and validation.
        held_out: Test nodes (or graphs) and their labels; rows of the output for ``unseen``, where
            there are graphs that are only tested.
        notes: What a person should know of how the graph was read, a line each.
        edge_index: ``int64 [2, E]``, the edges as the user has them, by original nodes and in
            their own order, without repeats and self-loops; ``None`` where they were not kept.
        node_ids: What the nodes are called, in the order of the source.
        edge_weight: ``float32 [E]`` or ``[E, columns]``, weights (or several features) of the
            edges of ``edge_index``, if any.
        fits_model: Whether the order of the nodes was chosen for the model of the search.
        unseen: The graphs that are only tested, where there are several graphs and some are:
            ``graph`` has nothing of them then, and ``held_out`` has rows of an output for them.
    """

    graph: Graph
    held_out: LabelledNodes
    notes: tuple[str, ...] = ()
    edge_index: IntArray | None = None
    node_ids: NodeIds | None = None
    fits_model: bool = False
    edge_weight: np.ndarray[Any, Any] | None = None
    unseen: Graph | None = None

    def in_original_order(self) -> "PreparedData":
        """The same with the nodes in the user's own order, for a model that depends on it.

        Raises:
            InputError: If the model is for other graphs, which have other nodes.
        """
        if self.graph.is_inductive:
            raise InputError(
                "the model has a row for each node in a parameter or a buffer; one that is tested "
                "on other graphs cannot have that"
            )
        held_out = labels_in_original_order(self.held_out, self.graph)
        return replace(self, graph=in_original_order(self.graph), held_out=held_out)

    def without_edge_features(self) -> "PreparedData":
        """The same for a model that reads no features of edges; a single weight an edge stays."""
        if self.graph.adj_t.num_weights < 2:
            return self
        unseen = None if self.unseen is None else _unweighted(self.unseen)
        return replace(self, graph=_unweighted(self.graph), unseen=unseen, edge_weight=None)


def prepare_graph(
    raw: RawGraph,
    split: Split,
    buckets: BucketSettings,
    *,
    normalize_rows: bool,
    standardize: Standardize = Standardize.OFF,
) -> PreparedData:
    """Check a raw graph and lay it out for training.

    Args:
        raw: The graph.
        split: Its training, validation and test nodes.
        buckets: How to cut degree buckets.
        normalize_rows: Divide each node's features by their sum.
        standardize: Whether columns of features become mean 0 and deviation 1.

    Returns:
        The prepared graph, its nodes sorted by degree bucket, and the held-out labels.

    Raises:
        InputError: If the graph or the split is malformed.
    """
    raw = raw.for_task()
    raw.check()
    check_split(raw, split)
    raw, scaling = standardized(raw, split, standardize, normalize_rows=normalize_rows)
    graph = _laid_out(raw, split, buckets, scaling, normalize_rows=normalize_rows)
    held_out = _labelled(raw, graph.node_order.numpy(), split.test)
    edges = _simple_edges(raw, graph)
    listed = None if edges is None else _listed_weights(raw, graph, edges)
    notes = (*first_lines(raw, split, graph, held_out), *raw.notes)
    return PreparedData(graph, held_out, notes, edges, raw.node_ids, edge_weight=listed)


def _laid_out(
    raw: RawGraph,
    split: Split,
    buckets: BucketSettings,
    scaling: FeatureScaling | None,
    *,
    normalize_rows: bool,
) -> Graph:
    """A checked graph with its nodes sorted by degree bucket."""
    assert raw.task is not None
    assert raw.metric is not None
    rowptr, col = csr_with_loops(raw.edge_index, raw.num_nodes)
    # The self-loop that every node has is no neighbour.
    in_degrees = np.diff(rowptr) - 1
    split_points = split_points_of(buckets, in_degrees)
    bucket = degree_buckets(in_degrees, split_points)
    order = np.argsort(bucket, kind="stable")
    counts = np.bincount(bucket, minlength=len(split_points) + 1)
    bucket_nodes = tuple(int(n) for n in counts)
    rowptr, col = reorder_nodes(rowptr, col, order)
    weights = _weights(raw, rowptr, col, order)
    train = _labelled(raw, order, split.train)
    return Graph(
        name=raw.name,
        features=_features(raw, order, bucket_nodes, scaling, normalize_rows=normalize_rows),
        adj_t=CsrPattern.from_arrays(rowptr, col, (raw.num_nodes, raw.num_nodes), weights),
        bucket_nodes=bucket_nodes,
        split_points=split_points,
        train=train,
        val=_labelled(raw, order, split.val),
        num_classes=raw.num_classes,
        node_order=torch.from_numpy(order.astype(np.int64)),
        class_names=raw.class_names,
        task=raw.task,
        metric=raw.metric,
        graph_of_node=_graph_of_node(raw, order),
        target_scale=TargetScale.of(train.labels) if raw.task.is_regression else None,
    )


def _unweighted(graph: Graph) -> Graph:
    return replace(graph, adj_t=replace(graph.adj_t, weights=None))


def _weights(raw: RawGraph, rowptr: IntArray, col: IntArray, order: IntArray) -> Any:
    """Weights of the entries of a prepared graph; ``None`` where all are 1, as without any."""
    if raw.edge_weight is None:
        return None
    weights = weights_of_entries(raw.edge_index, raw.edge_weight, rowptr, col, order)
    is_one = weights.ndim == 1 and (weights == 1).all()
    return None if is_one else weights.reshape(-1, *raw.edge_weight.shape[1:])


def _listed_weights(raw: RawGraph, graph: Graph, edges: IntArray) -> Any:
    """The weights of listed edges, in their order and in the form that the source has them in."""
    if raw.edge_weight is None or graph.adj_t.weights is None:
        return None
    own = raw.edge_index, raw.edge_weight
    weights = weights_of_edges(*own, edges[0], edges[1], raw.num_nodes)
    return weights.reshape(-1, *raw.edge_weight.shape[1:])


def _simple_edges(raw: RawGraph, graph: Graph) -> IntArray | None:
    """The edges of ``raw`` in their order, each once and without self-loops; of few edges only."""
    edges = raw.edge_index.astype(np.int64, copy=False)
    if edges.shape[1] > _MOST_KEPT_EDGES:
        return None
    if edges.shape[1] == graph.adj_t.num_entries - graph.num_nodes:
        return edges
    edges = edges[:, edges[0] != edges[1]]
    _, first = np.unique(edges[0] * raw.num_nodes + edges[1], return_index=True)
    return edges[:, np.sort(first)]


def _features(
    raw: RawGraph,
    order: IntArray,
    bucket_nodes: Sequence[int],
    scaling: FeatureScaling | None,
    *,
    normalize_rows: bool,
) -> Features:
    x: Any = raw.x[order]
    sparse = scipy.sparse.issparse(x)
    nonzero = x.nnz if sparse else np.count_nonzero(x)
    if nonzero > _SPARSE_BELOW * x.shape[0] * x.shape[1]:
        dense = x.toarray() if sparse else x
        values = torch.from_numpy(np.ascontiguousarray(dense, dtype=np.float32))
        return DenseFeatures(values, tuple(bucket_nodes), normalize_rows, scaling)
    csr = scipy.sparse.csr_matrix(x, dtype=np.float32)
    csr.eliminate_zeros()
    csr.sort_indices()
    if csr.nnz == 0:
        raise InputError(f"{raw.name}: every feature is zero; a model has nothing to learn from")
    ends = np.concatenate(([0], np.cumsum(bucket_nodes)))
    return SparseFeatures(
        pattern=CsrPattern.from_arrays(csr.indptr, csr.indices, csr.shape),
        values=torch.from_numpy(csr.data),
        bucket_values=tuple(int(n) for n in np.diff(csr.indptr[ends])),
        normalize_rows=normalize_rows,
        scaling=scaling,
    )


def _graph_of_node(raw: RawGraph, order: IntArray) -> torch.Tensor | None:
    if raw.graph_of_node is None:
        return None
    return torch.from_numpy(raw.graph_of_node[order].astype(np.int64))


def _labelled(raw: RawGraph, order: IntArray, nodes: IntArray) -> LabelledNodes:
    if raw.predicts_graphs:
        rows = np.sort(nodes)
        return LabelledNodes(torch.from_numpy(rows), torch.from_numpy(raw.y[rows]))
    row_of_node = np.empty_like(order)
    row_of_node[order] = np.arange(order.size)
    rows = np.sort(row_of_node[nodes])
    labels = raw.y[order[rows]].astype(np.int64 if raw.has_classes else np.float32)
    return LabelledNodes(torch.from_numpy(rows), torch.from_numpy(labels))
