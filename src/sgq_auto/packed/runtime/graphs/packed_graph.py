"""A graph as the packed runtime holds it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sgq_auto.packed.codes.bit_packing import (
    Array,
    Bytes,
    PackedIntegers,
    index_bits,
    pack_codes,
    unpack_codes,
)
from sgq_auto.packed.codes.coded_rows import Blocks, EliasFanoRows, ListedRows
from sgq_auto.packed.runtime.graphs.edge_weights import EdgeWeights, Float32, roots_of
from sgq_auto.packed.sizes.shape_specs import FeatureSpec, GraphSpec

# Nodes that are looked for one by one in the bucket map.
_FEW_NODES = 16
# Edges that are sorted at once while a graph is loaded: so many, or a sixteenth of all, so that
# the stored ones are not read more often than that.
_SORTED_AT_ONCE, _SORTED_SHARE = 1 << 20, 16


@dataclass(frozen=True, eq=False)
class PackedGraph:
    """Edges, degrees and buckets; rows are nodes sorted by degree bucket.

    Attributes:
        spec: Its counts.
        edges: Sources of every target, without self-loops; listed if it is predicted only once.
        degrees: In-degrees, rows in order.
        bucket_map: Packed bucket of each node, nodes in order; empty for one bucket.
        split_points: Degrees that separate the buckets.
        weights: Weights of the edges; ``None`` without any.
        graph_map: Where it is the blocks of several graphs, the number of each row's.
    """

    spec: GraphSpec
    edges: EliasFanoRows | ListedRows
    degrees: PackedIntegers
    bucket_map: Bytes
    split_points: tuple[int, ...]
    weights: EdgeWeights | None = None
    graph_map: PackedIntegers | None = None

    @cached_property
    def blocks(self) -> Blocks:
        """How rows are cut into blocks."""
        return Blocks(self.spec.bucket_nodes)

    @cached_property
    def weight_roots(self) -> Float32:
        """fp32 ``[N]``, ``1 / sqrt(d)`` of each row's weighted degree; held once it is made."""
        assert self.weights is not None
        return roots_of(self.weights, self.degrees[np.arange(self.spec.num_nodes)])

    def rows_of(self, nodes: Array) -> Array:
        """``int64``, the row of each of some nodes."""
        if not self.bucket_map.size:
            return nodes
        if nodes.size > _FEW_NODES:
            rows = np.empty(self.spec.num_nodes, dtype=np.int64)
            rows[self.node_order()] = np.arange(self.spec.num_nodes)
            return rows[nodes]
        bits = index_bits(self.spec.num_buckets - 1)
        buckets = unpack_codes(self.bucket_map, bits, int(nodes.max()) + 1)
        first = np.concatenate(([0], np.cumsum(self.spec.bucket_nodes)))[buckets[nodes]]
        before = [np.count_nonzero(buckets[:node] == buckets[node]) for node in nodes]
        return first + np.array(before, dtype=np.int64)

    def node_order(self) -> Array:
        """``int32 [N]``, the node of each row."""
        return rows_in_order(self.spec, self.bucket_map).astype(np.int32)


def rows_in_order(spec: GraphSpec, bucket_map: Bytes) -> Array:
    """The node of each row, ``[N]``."""
    if not bucket_map.size:
        return np.arange(spec.num_nodes)
    buckets = unpack_codes(bucket_map, index_bits(spec.num_buckets - 1), spec.num_nodes)
    order: Array = np.argsort(buckets, kind="stable")
    return order


def pack_bucket_map(buckets: Array, num_buckets: int) -> Bytes:
    """The packed bucket of each node, nodes in order."""
    if np.unique(buckets).size < 2:
        return np.empty(0, dtype=np.uint8)
    return pack_codes(buckets, index_bits(num_buckets - 1))


def stored_positions(spec: GraphSpec, positions: Array) -> Array:
    """What of all edge positions ``target * N + source`` an artifact holds."""
    if not spec.symmetric:
        return positions
    target, source = np.divmod(positions, spec.num_nodes)
    lower = source < target
    target, source = target[lower], source[lower]
    stored: Array = target * (target - 1) // 2 + source
    return stored


def stored_edge_code(graph: PackedGraph) -> tuple[Bytes, Bytes]:
    """The bitmap and low parts that an artifact holds of a graph's edges."""
    assert isinstance(graph.edges, EliasFanoRows)
    if not graph.spec.symmetric:
        return graph.edges.high, graph.edges.low
    parts = graph.edges.layout.decode_all(graph.edges.high, graph.edges.low)
    stored = (stored_positions(graph.spec, positions) for positions in parts)
    return graph.spec.stored_pattern.encode_parts(stored)


def code_edges(spec: GraphSpec, high: Bytes, low: Bytes) -> tuple[EliasFanoRows, Array]:
    """The edges of a graph for the runtime, from what its artifact holds, and the in-degrees.

    Args:
        spec: The graph's counts.
        high: Stored bitmap.
        low: Stored low parts.

    Raises:
        ValueError: If the code holds other edges than ``spec`` says.
    """
    nodes = spec.num_nodes
    at_once = sorted_at_once(spec.num_edges)
    stored = list(_stored_edges(spec, high, low)) if spec.num_edges <= at_once else None
    degrees = np.zeros(nodes, dtype=np.int64)
    for target, source in stored or _stored_edges(spec, high, low):
        degrees += np.bincount(target, minlength=nodes)
        if spec.symmetric:
            degrees += np.bincount(source, minlength=nodes)
    layout = spec.pattern
    starts = Blocks(spec.bucket_nodes).starts(degrees)
    if not spec.symmetric:
        return EliasFanoRows(layout, nodes, high, low, starts), degrees
    parts = (
        _positions(spec, stored or _stored_edges(spec, high, low), first, last)
        for first, last in _row_ranges(degrees, at_once)
    )
    full_high, full_low = layout.encode_parts(parts)
    return EliasFanoRows(layout, nodes, full_high, full_low, starts), degrees


def _stored_edges(spec: GraphSpec, high: Bytes, low: Bytes) -> Iterator[tuple[Array, Array]]:
    """Targets and sources of the stored edges, in parts."""
    for positions in spec.stored_pattern.decode_all(high, low):
        if not spec.symmetric:
            target, source = np.divmod(positions, spec.num_nodes)
        else:
            # Row t of the lower triangle starts at t (t - 1) / 2.
            target = ((1 + np.sqrt(1 + 8 * positions.astype(np.float64))) / 2).astype(np.int64)
            target -= target * (target - 1) // 2 > positions
            target += (target + 1) * target // 2 <= positions
            source = positions - target * (target - 1) // 2
        yield target, source


def sorted_at_once(num_edges: int) -> int:
    """How many of a graph's edges are sorted at once while it is loaded."""
    return max(_SORTED_AT_ONCE, num_edges // _SORTED_SHARE)


def _row_ranges(degrees: Array, at_once: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows with a bounded number of edges."""
    before = np.concatenate(([0], np.cumsum(degrees)))
    first = 0
    while first < degrees.size:
        limit = before[first] + at_once
        last = max(first + 1, int(np.searchsorted(before, limit, side="right")) - 1)
        yield first, last
        first = last


def _positions(
    spec: GraphSpec, stored: Iterable[tuple[Array, Array]], first: int, last: int
) -> Array:
    """Positions of both directions of the stored edges into rows ``first .. last - 1``, sorted."""
    found = [np.empty(0, dtype=np.int64)]
    for target, source in stored:
        for a, b in ((target, source), (source, target)):
            inside = (a >= first) & (a < last)
            found.append(a[inside] * spec.num_nodes + b[inside])
    positions = np.concatenate(found)
    positions.sort()
    return positions


def edges_of(
    edge_index: Array, num_nodes: int, split_points: tuple[int, ...]
) -> tuple[Array, Array, Array]:
    """A graph's edges in bucket order.

    Args:
        edge_index: ``[2, E]`` integers, source and target; repeats and self-loops are dropped.
        num_nodes: Number of nodes.
        split_points: Degrees that separate the buckets.

    Returns:
        Sorted positions ``target * N + source`` of rows, the bucket of each node, and the
        in-degrees of rows.
    """
    source, target = edge_index.astype(np.int64)
    kept = source != target
    positions = np.sort(target[kept] * num_nodes + source[kept])
    positions = positions[np.diff(positions, prepend=-1) > 0]
    target, source = np.divmod(positions, num_nodes)
    in_degrees = np.bincount(target, minlength=num_nodes)
    buckets = np.searchsorted(np.asarray(split_points, dtype=np.int64), in_degrees, side="left")
    order = np.argsort(buckets, kind="stable")
    row_of = np.empty(num_nodes, dtype=np.int64)
    row_of[order] = np.arange(num_nodes)
    return np.sort(row_of[target] * num_nodes + row_of[source]), buckets, in_degrees[order]


def graph_of(
    positions: Array, buckets: Array, degrees: Array, split_points: tuple[int, ...], nodes: int
) -> PackedGraph:
    """A packed graph from edges in bucket order; of its features it knows nothing yet.

    Args:
        positions: Sorted positions ``target * nodes + source``.
        buckets: Bucket of each node, nodes in order.
        degrees: In-degrees of rows that coefficients are computed from.
        split_points: Degrees that separate the buckets.
        nodes: Number of nodes.
    """
    num_buckets = len(split_points) + 1
    bucket_nodes = tuple(int(n) for n in np.bincount(buckets, minlength=num_buckets))
    target, source = np.divmod(positions, max(nodes, 1))
    counts = np.bincount(target, minlength=nodes)
    in_edges = bucket_sums(1 + counts, bucket_nodes)
    out_edges = bucket_sums(1 + np.bincount(source, minlength=nodes), bucket_nodes)
    spec = _spec(bucket_nodes, in_edges, out_edges, degrees)
    high, low = spec.pattern.encode_parts([positions])
    starts = Blocks(bucket_nodes).starts(counts)
    edges = EliasFanoRows(spec.pattern, nodes, high, low, starts)
    bucket_map = pack_bucket_map(buckets, num_buckets)
    packed = PackedIntegers.pack(degrees, spec.max_in_degree)
    return PackedGraph(spec, edges, packed, bucket_map, split_points)


def listed_graph(
    bucket_nodes: tuple[int, ...],
    counts: Array,
    sources: Array,
    degrees: Array,
    split_points: tuple[int, ...],
    buckets: Array | None = None,
) -> PackedGraph:
    """A graph that is predicted once, its edges not coded; of its features it knows nothing yet.

    Args:
        bucket_nodes: Rows of each bucket.
        counts: ``[N]`` edges into each row.
        sources: ``int32 [E]`` sources of these edges, increasing inside a row.
        degrees: In-degrees of rows that coefficients are computed from.
        split_points: Degrees that separate the buckets.
        buckets: Bucket of each node, nodes in order; ``None`` if rows are nodes.
    """
    rowptr = np.concatenate(([0], np.cumsum(counts)))
    ends = rowptr[np.cumsum(bucket_nodes)]
    in_edges = tuple((np.diff(ends, prepend=0) + bucket_nodes).tolist())
    spec = _spec(bucket_nodes, in_edges, in_edges, degrees)
    starts = rowptr[Blocks(bucket_nodes).rows]
    edges = ListedRows(counts.size, rowptr, sources, rowptr[:-1], starts)
    bucket_map = np.empty(0, dtype=np.uint8)
    if buckets is not None:
        bucket_map = pack_bucket_map(buckets, len(bucket_nodes))
    plain = PackedIntegers.plain(degrees)
    return PackedGraph(spec, edges, plain, bucket_map, split_points)


def _spec(
    bucket_nodes: tuple[int, ...],
    in_edges: tuple[int, ...],
    out_edges: tuple[int, ...],
    degrees: Array,
) -> GraphSpec:
    """The counts of a graph of which nothing is known but its edges."""
    return GraphSpec(
        bucket_nodes=bucket_nodes,
        bucket_in_edges=in_edges,
        bucket_out_edges=out_edges,
        max_in_degree=int(degrees.max(initial=0)),
        features=FeatureSpec(1, True, bucket_nodes, (False,) * len(bucket_nodes)),
    )


def bucket_sums(per_row: Array, bucket_rows: tuple[int, ...]) -> tuple[int, ...]:
    """Sums over the rows of each bucket."""
    ends = np.cumsum(bucket_rows)[:-1]
    return tuple(int(part.sum()) for part in np.split(per_row, ends))
