"""The part of a graph that the logits of some nodes depend on."""

from dataclasses import replace

import numpy as np

from sgq_auto.packed.code_matrix import pack_matrix
from sgq_auto.packed.coded_rows import Chunk
from sgq_auto.packed.codes import Array
from sgq_auto.packed.engines import Engine
from sgq_auto.packed.features import PackedFeatures, code_pattern
from sgq_auto.packed.graph import PackedGraph, bucket_sums, graph_of


def neighborhood(
    graph: PackedGraph, features: PackedFeatures, nodes: Array, hops: int, engine: Engine
) -> tuple[PackedGraph, PackedFeatures, Array]:
    """The nodes within ``hops`` of some nodes, as a small graph of their own.

    Degrees stay those of the whole graph. The outermost nodes have no edges: their output is
    never asked for.

    Args:
        graph: The whole graph.
        features: Its features.
        nodes: ``int64 [n]`` nodes.
        hops: Layers that pass messages.
        engine: Decodes rows.

    Returns:
        The small graph, its features, and where each of ``nodes`` is in it.
    """
    row_of = np.empty(graph.spec.num_nodes, dtype=np.int32)
    row_of[graph.node_order()] = np.arange(graph.spec.num_nodes, dtype=np.int32)
    rows = np.unique(row_of[nodes]).astype(np.int64)
    targets, sources = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    reached, fresh = rows, rows
    for _ in range(hops):
        target, source = _entries(graph, fresh, engine)
        targets.append(target)
        sources.append(source)
        fresh = np.setdiff1d(source, reached)
        reached = np.union1d(reached, fresh)
    ends = np.cumsum(graph.spec.bucket_nodes)
    buckets = np.searchsorted(ends, reached, side="right")
    target, source = (np.searchsorted(reached, np.concatenate(e)) for e in (targets, sources))
    positions = np.sort(target * reached.size + source)
    degrees = graph.degrees[reached]
    small = graph_of(positions, buckets, degrees, graph.split_points, reached.size)
    picked = _pick(features, graph, small, reached, engine)
    small = replace(small, spec=replace(small.spec, features=picked.spec))
    return small, picked, np.searchsorted(reached, row_of[nodes])


def _chunks(graph: PackedGraph, rows: Array) -> list[tuple[Chunk, Array]]:
    """The blocks that hold some sorted rows, each with the rows it holds."""
    starts = graph.blocks.rows
    blocks = np.searchsorted(starts, rows, side="right") - 1
    ends = np.cumsum(graph.spec.bucket_nodes)
    chunks = []
    for block in np.unique(blocks):
        first, stop = int(starts[block]), int(starts[block + 1])
        bucket = int(np.searchsorted(ends, first, side="right"))
        chunk = Chunk(bucket, first, stop, int(block), int(block) + 1)
        chunks.append((chunk, rows[blocks == block]))
    return chunks


def _entries(graph: PackedGraph, rows: Array, engine: Engine) -> tuple[Array, Array]:
    """Targets and sources of the edges into some sorted rows."""
    targets, sources = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for chunk, wanted in _chunks(graph, rows):
        rowptr, columns = engine.decode(graph.edges, chunk, loops=False)
        row = np.repeat(np.arange(chunk.row, chunk.stop), np.diff(rowptr))
        kept = np.isin(row, wanted)
        targets.append(row[kept])
        sources.append(columns[kept].astype(np.int64))
    return np.concatenate(targets), np.concatenate(sources)


def _pick(
    features: PackedFeatures,
    graph: PackedGraph,
    small: PackedGraph,
    rows: Array,
    engine: Engine,
) -> PackedFeatures:
    """The features of some sorted rows; their codes stay what they are."""
    matrix, nodes = features.values, small.spec.bucket_nodes
    if features.pattern is None:
        codes = np.concatenate(
            [_codes(features, engine, row, row + 1, b) for b, row in _with_buckets(graph, rows)]
        )
        values = pack_matrix(codes, nodes, matrix.bits, matrix.ranges)
        counts = tuple(n * matrix.width for n in nodes)
        spec = replace(features.spec, bucket_values=counts)
        return replace(features, spec=spec, values=values)
    found, counts_by_row, codes_by_row = [], [], [np.empty((0, 1))]
    for chunk, wanted in _chunks(graph, rows):
        rowptr, columns = engine.decode(features.pattern, chunk, loops=False)
        first = int(features.pattern.block_starts[chunk.block])
        for local in wanted - chunk.row:
            start, stop = int(rowptr[local]), int(rowptr[local + 1])
            found.append(columns[start:stop])
            counts_by_row.append(stop - start)
            codes_by_row.append(_codes(features, engine, first + start, first + stop, chunk.bucket))
    counts_array = np.array(counts_by_row)
    row = np.repeat(np.arange(rows.size), counts_array)
    positions = row * features.spec.num_features + np.concatenate(found)
    counts = bucket_sums(counts_array, nodes)
    pattern = code_pattern(positions, counts_array, features.spec, nodes)
    values = pack_matrix(np.concatenate(codes_by_row), counts, matrix.bits, matrix.ranges)
    spec = replace(features.spec, bucket_values=counts)
    return replace(features, spec=spec, pattern=pattern, values=values)


def _with_buckets(graph: PackedGraph, rows: Array) -> list[tuple[int, int]]:
    buckets = np.searchsorted(np.cumsum(graph.spec.bucket_nodes), rows, side="right")
    return [(int(b), int(row)) for b, row in zip(buckets, rows, strict=True)]


def _codes(features: PackedFeatures, engine: Engine, row: int, stop: int, bucket: int) -> Array:
    """The codes of consecutive rows of stored values (fp32 values themselves)."""
    if stop == row or features.values.bits[bucket] == 0:
        return np.zeros((stop - row, features.values.width))
    values = engine.read(features.values, row, stop)
    if not features.values.ranges.is_quantized(bucket):
        return values
    return features.values.ranges.codes(values, bucket)
