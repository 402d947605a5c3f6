"""What must hold of a stored graph before anything is computed with it.

Kernels trust their indices: an index out of range in a file would read or write memory that is not
the graph's. Every check is linear in the entries and vectorised.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgq_auto.compute.kernel_compiler import Array
from sgq_auto.graphs.degree_buckets import degree_buckets
from sgq_auto.graphs.prepared_graph import Graph
from sgq_auto.graphs.store.stored_label_checks import (
    check_class_names,
    check_disjoint,
    check_labels,
    check_task,
)
from sgq_auto.graphs.store.unsound import demand
from sgq_auto.packed.artifact.output_header import is_fp32
from sgq_auto.packed.runtime.graphs.feature_scaling import FeatureScaling

_INT32_MAX = 2**31 - 1
# Entries that are looked at together: what the checks hold beside the graph stays small.
_CHUNK = 1 << 22
_NO_LOOP = "adj_t: every node must have one self-loop"
_NO_SCALING = "scaling must have a mean and a factor above 0 for each feature"
# Columns of a sparse matrix that has fewer entries; weights are made for every one.
_MOST_FEATURES = 1 << 24


def check_header(header: Any) -> None:
    """Check types and ranges of a graph's header.

    Raises:
        UnsoundError: If one is wrong.
    """
    demand(isinstance(header, dict), "its header is no JSON object")
    for name in ("bucket_nodes", "split_points", "bucket_values"):
        values = header.get(name)
        numbers = isinstance(values, list) and all(_is_count(v) for v in values)
        demand(numbers, f"{name} must be whole numbers from 0 on")
    for name in ("num_classes", "num_features"):
        good = _is_count(header.get(name)) and header[name] > 0
        demand(good, f"{name} must be a whole number from 1 on")
    for name in ("normalize_rows", "sparse"):
        demand(isinstance(header.get(name), bool), f"{name} must be true or false")
    name = header.get("name")
    demand(isinstance(name, str) and name.isprintable(), "its name must be printable text")
    points = header["split_points"]
    demand(all(a < b for a, b in itertools.pairwise(points)), "split_points must increase")
    demand(sum(header["bucket_nodes"]) > 0, "it has no node")
    check_class_names(header)
    check_task(header)


def checked_scaling(header: dict[str, Any]) -> FeatureScaling | None:
    """What a checked header says that features were scaled by.

    Raises:
        UnsoundError: If it is no scaling of these features.
    """
    # Files from before features were scaled do not have the entry.
    held = header.get("scaling")
    if held is None:
        return None
    demand(isinstance(held, dict) and set(held) == {"mean", "factor"}, _NO_SCALING)
    for values in held.values():
        good = isinstance(values, list) and len(values) == header["num_features"]
        demand(good and all(map(is_fp32, values)), _NO_SCALING)
    demand(min(held["factor"]) > 0, _NO_SCALING)
    return FeatureScaling(tuple(held["mean"]), tuple(held["factor"]))


def check_pattern(rowptr: Tensor, col: Tensor, shape: tuple[int, int], name: str) -> None:
    """Check the arrays of a sparse pattern.

    Args:
        rowptr: ``[rows + 1]``.
        col: ``[entries]``.
        shape: ``(rows, columns)``.
        name: What messages call it.

    Raises:
        UnsoundError: If types, shapes, row pointers, or the range or order of columns are wrong.
    """
    rows, columns = shape
    demand(rowptr.dim() == 1 and col.dim() == 1, f"{name}: rowptr and col must be vectors")
    most = max(_MOST_FEATURES, col.numel(), rows)
    demand(columns <= most, f"{name}: {columns} columns are too many for its entries")
    small = max(col.numel(), rows, columns) <= _INT32_MAX
    dtype = torch.int32 if small else torch.int64
    typed = rowptr.dtype == col.dtype == dtype
    demand(typed, f"{name}: rowptr and col must be {str(dtype).removeprefix('torch.')}")
    demand(rowptr.numel() == rows + 1, f"{name}: rowptr must have {rows + 1} entries")
    starts, entries = rowptr.numpy(), col.numpy()
    ends = starts[0] == 0 and starts[-1] == entries.size
    demand(bool(ends), f"{name}: rowptr must begin at 0 and end at {entries.size}, the entries")
    demand(bool((starts[1:] >= starts[:-1]).all()), f"{name}: rowptr must not fall")
    for first, part in _chunks(entries):
        inside = part.size == 0 or (part.min() >= 0 and part.max() < columns)
        demand(bool(inside), f"{name}: col must lie in 0 to {columns - 1}")
        # One entry of the next chunk too: the pair on the border counts.
        pairs = entries[first : first + part.size + 1]
        rises = pairs[1:] > pairs[:-1]
        begins = starts[slice(*np.searchsorted(starts, (first + 1, first + pairs.size)))]
        rises[begins - first - 1] = True
        demand(bool(rises.all()), f"{name}: the columns of a row must rise, none of them twice")


def check_loops(rowptr: Tensor, col: Tensor) -> None:
    """Check that every row of a checked square pattern has its own entry on the diagonal.

    Raises:
        UnsoundError: If one has none.
    """
    starts, entries = rowptr.numpy(), col.numpy()
    rows = np.arange(starts.size - 1)
    low, high = starts[:-1].astype(np.int64), starts[1:].astype(np.int64)
    demand(bool((low < high).all()), _NO_LOOP)
    # A binary search in all rows at once: columns of a row rise.
    for _ in range(int((high - low).max()).bit_length()):
        middle = (low + high) // 2
        left = entries[np.minimum(middle, entries.size - 1)] < rows
        low, high = np.where(left & (low < high), middle + 1, low), np.where(left, high, middle)
    inside = low < starts[1:]
    found = entries[np.minimum(low, entries.size - 1)] == rows
    demand(bool((inside & found).all()), _NO_LOOP)


def check_graph(graph: Graph, *, labelled: bool = True) -> None:
    """Check a graph whose header and patterns are sound.

    Args:
        graph: The graph.
        labelled: Whether it must have training and validation labels, or none of either.

    Raises:
        UnsoundError: If something else of it is wrong.
    """
    n = graph.num_nodes
    check_loops(graph.adj_t.rowptr, graph.adj_t.col)
    _check_buckets(graph)
    few = graph.num_classes <= n or not graph.task.is_classification
    demand(few, f"num_classes: {graph.num_classes} are more than the {n} nodes")
    parts = {"train": graph.train, "val": graph.val}
    check_blocks(graph)
    rows = graph.num_outputs
    for name, part in parts.items():
        if labelled:
            check_labels(part, name, rows, graph.num_classes, graph.task)
        else:
            demand(part.nodes.numel() == part.labels.numel() == 0, f"{name}: it has labels")
    check_disjoint(parts, rows)
    check_permutation(graph.node_order, "node_order", n)


def check_blocks(graph: Graph) -> None:
    """Check which graph each node is of, where there are several.

    Raises:
        UnsoundError: If numbers are missing, or an edge leads to another graph.
    """
    numbers = graph.graph_of_node
    if numbers is None:
        return
    good = numbers.dtype == torch.int64 and numbers.shape == (graph.num_nodes,)
    demand(good, f"graph_of_node must be int64 [{graph.num_nodes}]")
    inside = int(numbers.min()) == 0 and int(numbers.max()) < graph.num_nodes
    held = inside and bool((torch.bincount(numbers) > 0).all())
    demand(held, "graph_of_node must count the graphs from 0 on, none of them without a node")
    demand(graph.bucket_rows is None, "graph_of_node: rows must be sorted by degree bucket")
    pattern = graph.adj_t
    for first, part in _chunks(pattern.col.numpy()):
        rows = pattern.row[first : first + part.size]
        same = numbers[rows.long()] == numbers[torch.from_numpy(part).long()]
        demand(bool(same.all()), "adj_t: an edge leads from one graph to another")


def check_permutation(order: Tensor, name: str, num_nodes: int) -> None:
    """Check an order of the nodes.

    Raises:
        UnsoundError: If it does not name each node once.
    """
    good = order.dtype == torch.int64 and order.shape == (num_nodes,)
    demand(good, f"{name} must be int64 [{num_nodes}]")
    inside = int(order.min()) >= 0 and int(order.max()) < num_nodes
    unique = inside and bool((torch.bincount(order, minlength=num_nodes) == 1).all())
    demand(unique, f"{name} must name each of the {num_nodes} nodes once")


def check_weights(weights: Tensor, row: Tensor, col: Tensor) -> None:
    """Check stored weights of edges: fp32, one an entry, finite, and 1 at self-loops.

    Args:
        weights: The weights.
        row: ``[entries]``, row of each entry of a checked pattern.
        col: ``[entries]``, its column.

    Raises:
        UnsoundError: If they are not.
    """
    entries = col.numel()
    shaped = weights.dim() in (1, 2) and weights.size(0) == entries and 0 not in weights.shape[1:]
    demand(shaped and weights.dtype == torch.float32, f"adj_t.weights must be float32 [{entries}]")
    for first, part in _chunks(weights.numpy()):
        demand(bool(np.isfinite(part).all()), "adj_t.weights must be finite")
        places = slice(first, first + len(part))
        loops = part[row[places].numpy() == col[places].numpy()]
        demand(bool((loops == 1).all()), "adj_t.weights must be 1 at self-loops")


def check_values(values: Tensor, shape: tuple[int, ...]) -> None:
    """Check stored features: fp32, of a shape, finite.

    Raises:
        UnsoundError: If they are not.
    """
    good = values.dtype == torch.float32 and tuple(values.shape) == shape
    demand(good, f"features.values must be float32 {list(shape)}")
    for _, part in _chunks(values.numpy().reshape(-1)):
        demand(bool(np.isfinite(part).all()), "features.values must be finite")


def check_bucket_values(
    counts: tuple[int, ...],
    bucket_nodes: tuple[int, ...],
    rowptr: Tensor | None = None,
    bucket_rows: Tensor | None = None,
) -> None:
    """Check how many values of the features each bucket has: of nodes, or of sparse entries.

    Args:
        counts: The counts of the header.
        bucket_nodes: Nodes of each bucket.
        rowptr: Row pointers of sparse features.
        bucket_rows: The rows sorted by bucket, where they are not so already.

    Raises:
        UnsoundError: If the counts are others.
    """
    expected = bucket_nodes
    if rowptr is not None:
        entries = np.diff(rowptr.numpy())
        if bucket_rows is not None:
            entries = entries[bucket_rows.numpy()]
        sums = np.concatenate(([0], np.cumsum(entries, dtype=np.int64)))
        ends = np.concatenate(([0], np.cumsum(bucket_nodes)))
        expected = tuple(int(n) for n in np.diff(sums[ends]))
    demand(counts == expected, f"bucket_values must be {list(expected)[:8]}")


def _check_buckets(graph: Graph) -> None:
    """Nodes lie in the buckets of their degrees, one bucket after another."""
    counts = graph.bucket_nodes
    demand(len(counts) == len(graph.split_points) + 1, "bucket_nodes must be one per bucket")
    degrees = np.diff(graph.adj_t.rowptr.numpy()) - 1
    own = degree_buckets(degrees, graph.split_points)
    if graph.bucket_rows is not None:
        own = own[graph.bucket_rows.numpy()]
    there = np.repeat(np.arange(len(counts)), counts)
    demand(np.array_equal(own, there), "bucket_nodes do not fit the degrees of the nodes")


def _chunks(values: Array) -> Iterator[tuple[int, Array]]:
    """Runs of rows with the place of each one's first."""
    for first in range(0, len(values), _CHUNK):
        yield first, values[first : first + _CHUNK]


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 62
