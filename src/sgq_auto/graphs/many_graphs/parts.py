"""Some of the graphs of a block-diagonal one, or some nodes of one, as a graph of their own."""

from dataclasses import replace

import torch
from torch import Tensor

from sgq_auto.graphs.csr_products import CsrPattern, entries_of_rows
from sgq_auto.graphs.feature_matrix import DenseFeatures, Features, SparseFeatures
from sgq_auto.graphs.labels.labelled_nodes import LabelledNodes
from sgq_auto.graphs.prepared_graph import Graph

# Nodes of a bucket, or graphs, are enough to see whether a model does the same on another graph.
_MOST_SAMPLED = 64


def part(graph: Graph, numbers: Tensor) -> Graph:
    """The block-diagonal graph of some of the graphs.

    Its rows are sorted by degree bucket, as they would be if it had been prepared alone; its
    graphs are numbered from 0 on, and its original nodes too, in the order that they have in the
    whole. It takes time linear in its own edges. What is trained and validated is what of it lies
    in these graphs, which may be nothing.

    Args:
        graph: Several graphs, rows sorted by degree bucket.
        numbers: ``int64 [n]``, the graphs, rising.
    """
    assert graph.graph_of_node is not None
    assert graph.bucket_rows is None
    rows = rows_of_graphs(graph, numbers)
    kept = numbers if graph.task.predicts_graphs else rows
    made = _of_rows(graph, rows, _adjacency(graph.adj_t, rows), kept)
    return replace(made, graph_of_node=torch.searchsorted(numbers, graph.graph_of_node[rows]))


def another(graph: Graph) -> Graph | None:
    """A smaller graph for the same models, with other features; ``None`` of the smallest graphs.

    It has some of the graphs, or up to 64 nodes of each degree bucket with the edges between them,
    and smaller features. A model whose forward pass depends on the graph by more than its
    features and edges does something else on it.
    """
    if graph.graph_of_node is not None:
        if graph.num_graphs == 1:
            return None
        numbers = torch.arange(max(1, min(_MOST_SAMPLED, graph.num_graphs // 2)))
        made = part(graph, numbers.to(graph.device))
    else:
        counts = [min(_MOST_SAMPLED, (n + 1) // 2) for n in graph.bucket_nodes]
        if sum(counts) == graph.num_nodes:
            return None
        starts = torch.tensor([0, *graph.bucket_nodes]).cumsum(0).tolist()
        sampled = [torch.arange(k) + first for k, first in zip(counts, starts, strict=False)]
        rows = torch.cat(sampled).to(graph.device)
        made = _of_rows(graph, rows, _between(graph.adj_t, rows), rows)
    values = made.features.values
    place = torch.arange(values.numel(), device=values.device).reshape(values.shape)
    changed = values * (0.25 + place % 7 / 16)
    return replace(made, features=replace(made.features, values=changed))  # type: ignore[type-var]


def _of_rows(graph: Graph, rows: Tensor, adj_t: CsrPattern, kept: Tensor) -> Graph:
    """The graph of some rows, rising, with the edges ``adj_t``; labels are those of ``kept``."""
    bucket_ends = torch.tensor(graph.bucket_nodes, device=rows.device).cumsum(0)
    ends = torch.searchsorted(rows, bucket_ends)
    order = graph.node_order.to(rows.device)[rows]
    return replace(
        graph,
        features=_features(graph.features, rows, ends),
        adj_t=adj_t,
        bucket_nodes=_counts(ends),
        train=labelled_in(graph.train, kept),
        val=labelled_in(graph.val, kept),
        node_order=order.argsort().argsort().to(graph.node_order.device),
        whole_label_scale=graph.label_scale if graph.task.is_regression else None,
    )


def rows_of_graphs(graph: Graph, numbers: Tensor) -> Tensor:
    """``int64``, the rows of some of the graphs, rising.

    Args:
        graph: Several graphs.
        numbers: ``int64 [n]``, which of them.
    """
    starts, listed = graph.rows_by_graph
    rows: Tensor = listed[entries_of_rows(starts, numbers)].sort().values
    return rows


def output_rows(graph: Graph, numbers: Tensor) -> Tensor:
    """``int64``, the rows of a model's output that belong to some of the graphs, rising.

    Args:
        graph: Several graphs.
        numbers: ``int64 [n]``, which of them, rising.
    """
    return numbers if graph.task.predicts_graphs else rows_of_graphs(graph, numbers)


def graphs_of(graph: Graph, labelled: LabelledNodes) -> Tensor:
    """``int64``, the numbers of the graphs that have a labelled row, rising."""
    assert graph.graph_of_node is not None
    if graph.task.predicts_graphs:
        return labelled.nodes
    numbers: Tensor = graph.graph_of_node[labelled.nodes].unique()
    return numbers


def labelled_in(labelled: LabelledNodes, kept: Tensor) -> LabelledNodes:
    """What of labelled rows is in a part, numbered as there.

    Args:
        labelled: Rows of the whole, and their labels.
        kept: ``int64``, the rows of the whole that the part has, rising.
    """
    place = torch.searchsorted(kept, labelled.nodes)
    inside = kept[place.clamp(max=kept.numel() - 1)] == labelled.nodes
    return LabelledNodes(place[inside], labelled.labels[inside])


def _adjacency(pattern: CsrPattern, rows: Tensor) -> CsrPattern:
    rowptr, entries = _rows_of(pattern, rows)
    # Only its rows are read: the others are columns of other blocks.
    place = torch.empty(pattern.shape[0], dtype=pattern.col.dtype, device=rows.device)
    place[rows] = torch.arange(rows.numel(), dtype=place.dtype, device=rows.device)
    weights = None if pattern.weights is None else pattern.weights[entries]
    col = place[pattern.col[entries].long()]
    return CsrPattern(rowptr, col, (rows.numel(), rows.numel()), pattern.engine, weights)


def _between(pattern: CsrPattern, rows: Tensor) -> CsrPattern:
    """The entries of some rows whose columns are among these rows too."""
    rowptr, entries = _rows_of(pattern, rows)
    place = pattern.col.new_full((pattern.shape[0],), -1)
    place[rows] = torch.arange(rows.numel(), dtype=place.dtype, device=rows.device)
    col = place[pattern.col[entries].long()]
    inside = col >= 0
    ends = torch.cat([rowptr.new_zeros(1), inside.cumsum(0).to(rowptr.dtype)])[rowptr.long()]
    weights = None if pattern.weights is None else pattern.weights[entries][inside]
    shape = rows.numel(), rows.numel()
    return CsrPattern(ends, col[inside], shape, pattern.engine, weights)


def _features(features: Features, rows: Tensor, ends: Tensor) -> Features:
    if isinstance(features, DenseFeatures):
        return replace(features, values=features.values[rows], bucket_values=_counts(ends))
    assert isinstance(features, SparseFeatures)
    rowptr, entries = _rows_of(features.pattern, rows)
    col, shape = features.pattern.col[entries], (rows.numel(), features.num_features)
    return replace(
        features,
        pattern=CsrPattern(rowptr, col, shape, features.pattern.engine),
        values=features.values[entries],
        bucket_values=_counts(rowptr[ends].long()),
    )


def _rows_of(pattern: CsrPattern, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Where the entries of some rows start, one after the other, and which entries they are."""
    counts = pattern.rowptr.diff()[rows]
    rowptr = torch.cat([counts.new_zeros(1), counts.cumsum(0)]).to(pattern.rowptr.dtype)
    return rowptr, entries_of_rows(pattern.rowptr, rows)


def _counts(ends: Tensor) -> tuple[int, ...]:
    """How many lie between ends."""
    counts: list[int] = torch.cat([ends[:1], ends.diff()]).tolist()
    return tuple(counts)
