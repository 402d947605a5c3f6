"""The first lines of a search: what was taken for the graph, the task, the labels and the split."""

from collections.abc import Iterator, Sequence

import numpy as np

from sgq_auto.graphs.labels.labelled_nodes import LabelledNodes
from sgq_auto.graphs.labels.missing_labels import called_missing, unlabelled_setting
from sgq_auto.graphs.prepared_graph import Graph
from sgq_auto.graphs.raw_graph import UNLABELLED, RawGraph, Split
from sgq_auto.graphs.standardized_features import sizes_differ
from sgq_auto.task import Metric, Task

_MOST_CLASSES = 10


def first_lines(
    raw: RawGraph, split: Split, graph: Graph, held_out: LabelledNodes
) -> tuple[str, ...]:
    """Lines that say what was taken for what.

    Args:
        raw: The graph as its source gives it.
        split: Its split.
        graph: The same, prepared.
        held_out: Its test nodes; only their number is said.
    """
    return (
        _counts(graph, held_out),
        *_left_out_edges(raw, graph),
        *_said_of_weights(raw, graph),
        *label_lines(raw, split),
    )


def _counts(graph: Graph, held_out: LabelledNodes) -> str:
    """What the graph is, in a line: directed edges that should not be are seen here."""
    edges = graph.adj_t.num_entries - graph.num_nodes
    kind = f"{edges // 2:,} undirected" if graph.spec.symmetric else f"{edges:,} directed"
    lonely = (graph.adj_t.rowptr.diff() == 1) & (graph.adj_t.column_counts == 1)
    outputs = outputs_counted(graph.task, graph.num_classes)
    graphs = "" if graph.graph_of_node is None else f"{graph.num_graphs:,} graphs with "
    line = (
        f"{graph.name}: {graphs}{graph.num_nodes:,} nodes, {kind} edges, "
        f"{graph.features.num_features:,} features, {outputs}; "
        f"{graph.train.nodes.numel():,} training, {graph.val.nodes.numel():,} validation and "
        f"{held_out.nodes.numel():,} test {graph.task.unit}s"
    )
    return f"{line}; nodes without an edge: {int(lonely.sum()):,}" if lonely.any() else line


def _left_out_edges(raw: RawGraph, graph: Graph) -> Iterator[str]:
    """A line on the edges that a prepared graph does not have."""
    spare = raw.edge_index.shape[1] - (graph.adj_t.num_entries - graph.num_nodes)
    loops = int((raw.edge_index[0] == raw.edge_index[1]).sum())
    if spare and not raw.spare_edges_noted:
        repeats = f"{spare - loops:,} repeated edges"
        what = "weights" if graph.adj_t.num_weights == 1 else "features"
        weighted = f" (the {what} of repeats are summed)" if graph.adj_t.num_weights else ""
        yield (
            f"{raw.name}: {repeats} and {loops:,} self-loops are left out{weighted}; "
            "GCN, GAT and AGNN layers add one self-loop to each node"
        )


def _said_of_weights(raw: RawGraph, graph: Graph) -> Iterator[str]:
    """A line on the weights of edges, where the source gives some."""
    if raw.edge_weight is None:
        return
    if graph.adj_t.weights is None:
        yield f"{raw.name}: every weight of an edge is 1, which is the same as no weights"
        return
    weights = graph.adj_t.without_loops.weights
    assert weights is not None
    if not weights.numel():
        return
    low, high = float(weights.min()), float(weights.max())
    if graph.adj_t.num_weights > 1:
        columns = graph.adj_t.num_weights
        line = f"{raw.name}: edges have {columns} features each, from {low:.4g} to {high:.4g}"
        uneven = "; their sizes differ much: scale the columns alike first, or small ones are lost"
        yield line + uneven * sizes_differ(weights.numpy())
        return
    line = f"{raw.name}: edges have weights from {low:.4g} to {high:.4g}"
    zeros = int((weights == 0).sum())
    yield f"{line}; {zeros:,} are 0: these edges count as neighbours" if zeros else line


def label_lines(raw: RawGraph, split: Split) -> tuple[str, ...]:
    """Lines that say what was taken for the labels, and where the split is from."""
    if not raw.has_classes:
        labels = _numbers(raw) if raw.task is not Task.NODE_MULTILABEL else _label_counts(raw)
        lines: tuple[str, ...] = (f"{raw.name}: {labels}{_missing(raw)}",)
    else:
        lines = (f"{raw.name}: {_class_counts(raw)}{_missing(raw)}", *_suspects(raw))
    return (
        *_task(raw),
        *lines,
        f"{raw.name}: the split is {split.origin}",
    )


def listed(names: Sequence[str], most: int, rest: str = "more") -> str:
    """Names in quotes, so that none can steer a terminal, and how many more there are."""
    shown = ", ".join(map(repr, names[:most]))
    more = len(names) - most
    return f"{shown} and {more:,} {rest}" if more > 0 else shown


def _class_counts(raw: RawGraph) -> str:
    counts = np.bincount(raw.y[raw.y != UNLABELLED], minlength=raw.num_classes)
    shown = ", ".join(
        f"{raw.class_name(k)} ({count:,}{f' {raw.unit}s' if k == 0 else ''})"
        for k, count in enumerate(counts[:_MOST_CLASSES])
    )
    more = counts.size - _MOST_CLASSES
    return f"classes {shown}" + (f" and {more:,} more" if more > 0 else "")


def _missing(raw: RawGraph) -> str:
    missing = int((~raw.labelled).sum())
    return f"; {missing:,} {raw.unit}s have no label" if missing else ""


def _task(raw: RawGraph) -> list[str]:
    """The task and the metric, where they are others than the accuracy of classes."""
    if (raw.task, raw.metric) == (Task.NODE_CLASSIFICATION, Metric.ACCURACY):
        return []
    if raw.task is None:
        return []
    others = ", ".join(each for each in raw.task.metrics if each is not raw.metric)
    return [f"{raw.name}: task={raw.task}, judged by metric={raw.metric} (others: {others})"]


def _label_counts(raw: RawGraph) -> str:
    """How many nodes have each label."""
    counts = np.nansum(raw.y, axis=0)
    shown = ", ".join(
        f"{raw.class_name(k)} ({int(count):,}{' nodes' if k == 0 else ''})"
        for k, count in enumerate(counts[:_MOST_CLASSES])
    )
    more = counts.size - _MOST_CLASSES
    each = np.nansum(raw.y) / max(1, int(raw.labelled.sum()))
    line = f"labels {shown}" + (f" and {more:,} more" if more > 0 else "")
    return f"{line}; a node has {each:.1f} on average"


def _numbers(raw: RawGraph) -> str:
    """Ranges of the numbers to predict."""
    low, high, mean = (f(raw.y, axis=0) for f in (np.nanmin, np.nanmax, np.nanmean))
    shown = ", ".join(
        f"{raw.class_name(k)} ({low[k]:.4g} to {high[k]:.4g}, mean {mean[k]:.4g})"
        for k in range(min(low.size, _MOST_CLASSES))
    )
    more = low.size - _MOST_CLASSES
    return f"numbers to predict {shown}" + (f" and {more:,} more" if more > 0 else "")


def outputs_counted(task: Task, count: int) -> str:
    """How wide a model's output is, in words: ``7 classes``, ``14 labels``, ``1 number``."""
    if task.is_classification:
        return f"{count} classes"
    kind = "number" if task.is_regression else "label"
    return f"{count} {kind}{'' if count == 1 else 's'}"


def _suspects(raw: RawGraph) -> list[str]:
    """A line of the classes that are called as missing values are."""
    names = called_missing(raw.class_names or ())
    if not names:
        return []
    called = "class" if len(names) == 1 else "classes"
    return [
        f"{raw.name}: {called} {listed(names, _MOST_CLASSES)} may mean that there is no label; if "
        f"so, {unlabelled_setting(names)}"
    ]
