"""The part of a graph that the logits of some nodes depend on."""

from dataclasses import dataclass, replace

import numpy as np

from sgq_auto.packed.backends import Engine
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.coded_rows import ListedRows, listed_rows
from sgq_auto.packed.runtime.graphs.edge_weights import ListedEdgeWeights
from sgq_auto.packed.runtime.graphs.packed_features import PackedFeatures
from sgq_auto.packed.runtime.graphs.packed_graph import PackedGraph, listed_graph

# A neighbourhood with a larger share of the edges takes no less time than the whole graph.
_LARGEST_SHARE = 0.3
# Values that layers make of a whole graph in less time than it takes to look for a neighbourhood.
_LITTLE_WORK = 150_000
# Where the edges of each row start, their sources, and which edge each row starts with.
Entries = tuple[Array, Array, Array]


@dataclass(frozen=True, eq=False)
class Neighborhood:
    """Rows within some hops of others, as a small graph of their own.

    Attributes:
        graph: The small graph. Degrees stay those of the whole one. The outermost rows have no
            edges: their output is never asked for.
        rows: ``int64``, the row of the whole graph that each of its rows is.
        places: Where in it each of the rows is that were asked for.
    """

    graph: PackedGraph
    rows: Array
    places: Array


def neighborhood(
    graph: PackedGraph, wanted: Array, hops: int, width: int, engine: Engine
) -> Neighborhood | None:
    """The rows within ``hops`` of some rows; ``None`` if all rows take less time.

    That is so where these are much of the graph, or the graph is small.

    Args:
        graph: The whole graph.
        wanted: ``int64 [n]`` rows, in any order.
        hops: Layers that pass messages.
        width: Values that the layers make of a row.
        engine: Decodes rows.
    """
    size = graph.spec.num_edges + graph.spec.num_nodes
    if size * width <= _LITTLE_WORK:
        return None
    is_reached = np.zeros(graph.spec.num_nodes, dtype=bool)
    is_reached[wanted] = True
    fresh = inner = np.flatnonzero(is_reached)
    limit = _LARGEST_SHARE * size
    gathered, entries = 0, _no_entries(inner)
    for hop in range(hops):
        if gathered + _most_entries(graph, fresh, limit) > limit:
            return None
        entries = _entries(graph, fresh, engine)
        gathered += entries[1].size + fresh.size
        inner = fresh if hop == 0 else np.flatnonzero(is_reached)
        is_new = np.zeros(is_reached.size, dtype=bool)
        is_new[entries[1]] = True
        is_new &= ~is_reached
        is_reached |= is_new
        fresh = np.flatnonzero(is_new)
    if gathered + fresh.size > limit:
        return None
    if hops > 1:
        entries = _entries(graph, inner, engine)
    return _small(graph, wanted, np.flatnonzero(is_reached), inner, entries, engine)


def pick_features(
    features: PackedFeatures, graph: PackedGraph, part: Neighborhood, engine: Engine
) -> PackedFeatures:
    """The features of a neighbourhood's rows; their codes stay where they are."""
    if features.pattern is None:
        return replace(features, rows=part.rows.astype(np.int32))
    assert not isinstance(features.pattern, ListedRows)
    rowptr, listed, starts = engine.pick(features.pattern, graph.blocks, part.rows)
    blocks = rowptr[part.graph.blocks.rows]
    pattern = ListedRows(features.spec.num_features, rowptr, listed, starts, blocks)
    return replace(features, pattern=pattern)


def _small(
    graph: PackedGraph, wanted: Array, rows: Array, inner: Array, entries: Entries, engine: Engine
) -> Neighborhood:
    rowptr, columns, starts = entries
    place = np.empty(graph.spec.num_nodes, dtype=np.int32)
    place[rows] = np.arange(rows.size, dtype=np.int32)
    counts = np.zeros(rows.size, dtype=np.int64)
    counts[place[inner]] = np.diff(rowptr)
    ends = np.cumsum(graph.spec.bucket_nodes)
    stops = np.searchsorted(rows, ends)
    bucket_nodes = tuple(np.diff(stops, prepend=0).tolist())
    small = listed_graph(
        bucket_nodes, counts, place[columns], graph.degrees[rows], graph.split_points
    )
    if graph.weights is not None:
        values = graph.weights.take(engine, listed_rows(rowptr, starts))
        roots = graph.weight_roots[rows] if values.ndim == 1 else None
        small = replace(small, weights=ListedEdgeWeights(values, roots))
    return Neighborhood(small, rows, place[wanted])


def _entries(graph: PackedGraph, rows: Array, engine: Engine) -> Entries:
    """The edges into some increasing rows as CSR, and which edge each row starts with."""
    edges = graph.edges
    if isinstance(edges, ListedRows):
        return *edges.picked(rows), edges.rowptr[rows]
    return engine.pick(edges, graph.blocks, rows)


def _most_entries(graph: PackedGraph, rows: Array, limit: float) -> int:
    """The edges into some rows and their self-loops; no less, where that is within the limit."""
    most = rows.size * (1 + graph.spec.max_in_degree)
    return most if most <= limit / 2 else int(graph.degrees[rows].sum()) + rows.size


def _no_entries(rows: Array) -> Entries:
    starts = np.zeros(rows.size + 1, dtype=np.int64)
    return starts, np.empty(0, dtype=np.int32), starts[:-1]
