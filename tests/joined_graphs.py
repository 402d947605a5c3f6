"""Several graphs as one block-diagonal graph, and small random graphs to join."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse
import torch

from sgq_auto.graphs import BucketSettings, Graph, PreparedData, RawGraph, Split, prepare_graph
from sgq_auto.graphs.labels.labelled_nodes import LabelledNodes
from sgq_auto.graphs.many_graphs import part
from sgq_auto.task import Task

BUCKETS = BucketSettings((1, 3))


def random_graphs(
    count: int,
    *,
    seed: int = 0,
    sparse: bool = True,
    weighted: bool = False,
    nodes: tuple[int, int] = (4, 12),
    features: int = 6,
    classes: int = 3,
) -> list[RawGraph]:
    """Undirected graphs; some nodes have no edge. Nodes of a class have a feature in common."""
    draw = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        n = int(draw.integers(*nodes))
        upper = np.triu(draw.random((n, n)) < 0.3, 1)
        edges = np.stack(np.nonzero(upper | upper.T)).astype(np.int64)
        y = draw.integers(0, classes, n)
        y[:classes] = np.arange(classes)
        x = (draw.random((n, features)) < 0.25) * draw.uniform(0.5, 2, (n, features))
        x[np.arange(n), y] += 1
        if not sparse:
            x = draw.normal(size=(n, features)) + np.eye(classes, features)[y]
        drawn = draw.uniform(0.1, 3, (n, n)).astype(np.float32)
        weight = np.maximum(drawn, drawn.T)[edges[0], edges[1]] if weighted else None
        given = scipy.sparse.csr_matrix(x, dtype=np.float32) if sparse else x.astype(np.float32)
        made.append(RawGraph("small", given, edges, y.astype(np.int64), edge_weight=weight))
    return made


def joined(raws: Sequence[RawGraph], name: str = "joined") -> tuple[RawGraph, np.ndarray]:
    """One graph of all blocks, and the number of the block of each node."""
    sizes = [raw.num_nodes for raw in raws]
    starts = np.cumsum([0, *sizes[:-1]])
    sparse = scipy.sparse.issparse(raws[0].x)
    rows = [raw.x for raw in raws]
    x = scipy.sparse.vstack(rows, format="csr") if sparse else np.concatenate(rows)
    edges = [raw.edge_index + start for raw, start in zip(raws, starts, strict=True)]
    weights = [raw.edge_weight for raw in raws if raw.edge_weight is not None]
    whole = RawGraph(
        name,
        x,
        np.concatenate(edges, axis=1),
        np.concatenate([raw.y for raw in raws]),
        edge_weight=np.concatenate(weights) if weights else None,
    )
    return whole, np.repeat(np.arange(len(raws)), sizes)


def prepared_graphs(
    raws: Sequence[RawGraph],
    train: Sequence[int] | None = None,
    val: Sequence[int] | None = None,
    *,
    task: Task = Task.NODE_CLASSIFICATION,
    buckets: BucketSettings = BUCKETS,
) -> Graph:
    """The graphs laid out for training.

    Args:
        raws: The graphs.
        train: Those that train; by default all but the last two.
        val: Those that validate; by default the last two.
        task: Of whole graphs, a graph's label is the class of its last node.
        buckets: How degree buckets are cut.
    """
    whole, owner = joined(raws)
    numbers = range(len(raws))
    train, val = train or list(numbers)[:-2], val or list(numbers)[-2:]
    parts = [np.flatnonzero(np.isin(owner, part)) for part in (train, val)]
    # A node that is tested nowhere: the labels of tests are not in what is returned.
    split = Split(parts[0], parts[1][:-1], parts[1][-1:])
    graph = prepare_graph(whole, split, buckets, normalize_rows=False).graph
    many = replace(graph, graph_of_node=torch.from_numpy(owner)[graph.node_order], task=task)
    if not task.predicts_graphs:
        return many
    labels = torch.tensor([int(raw.y[-1]) for raw in raws])
    halves = (torch.tensor(sorted(part)) for part in (train, val))
    first, second = (LabelledNodes(numbers, labels[numbers]) for numbers in halves)
    return replace(many, train=first, val=second)


def with_unseen(
    raws: Sequence[RawGraph],
    train: Sequence[int],
    val: Sequence[int],
    test: Sequence[int],
    *,
    task: Task = Task.NODE_CLASSIFICATION,
    buckets: BucketSettings = BUCKETS,
) -> PreparedData:
    """Graphs to search on, and others that are only tested, every node (or graph) of them."""
    seen = [*train, *val]
    numbers = range(len(seen))
    halves = numbers[: len(train)], numbers[len(train) :]
    graph = prepared_graphs([raws[k] for k in seen], *halves, task=task, buckets=buckets)
    tested = [raws[k] for k in test]
    whole = prepared_graphs([*tested, *tested, *tested], task=task, buckets=buckets)
    # Three times as many, so that there are enough for the helper.
    first = torch.arange(len(tested))
    none = LabelledNodes(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64))
    unseen = replace(part(whole, first), train=none, val=none)
    if task.predicts_graphs:
        labels = torch.tensor([int(raw.y[-1]) for raw in tested])
        return PreparedData(graph, LabelledNodes(first, labels), unseen=unseen)
    y = torch.from_numpy(joined(tested)[0].y)[unseen.node_order]
    return PreparedData(graph, LabelledNodes(torch.arange(len(y)), y), unseen=unseen)
