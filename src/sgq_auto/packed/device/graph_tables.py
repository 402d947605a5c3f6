"""The tables of a graph and of its features, or what a model for other graphs has instead."""

from collections.abc import Sequence

import numpy as np

from sgq_auto.packed.codes.bit_packing import index_bits
from sgq_auto.packed.codes.coded_rows import BitmapRows, Blocks, EliasFanoRows
from sgq_auto.packed.device.table_parts import Place, Tables
from sgq_auto.packed.runtime.packed_model import PackedModel
from sgq_auto.packed.sizes.device_footprint import DeviceBuffer, index_bytes
from sgq_auto.packed.sizes.shape_specs import GraphSpec


def add_buckets(tables: Tables, graph: GraphSpec) -> None:
    """Add the first row, and the first block of rows, of each degree bucket."""
    blocks = Blocks(graph.bucket_nodes)
    ends = np.concatenate(([0], np.cumsum(graph.bucket_nodes)))
    tables.constants["BUCKET_ROWS"] = tables.add_words(ends)
    first_blocks = np.searchsorted(blocks.rows, ends[:-1])
    tables.constants["BUCKET_BLOCKS"] = tables.add_words(first_blocks)


def add_given_graph(
    tables: Tables,
    model: PackedModel,
    planned: Sequence[DeviceBuffer],
    matrices: Sequence[int],
    most_terms: int,
) -> None:
    """Add what plans the arena for a graph that is given.

    Args:
        tables: The tables.
        model: The model.
        planned: Its buffers.
        matrices: The place of the matrix of each buffer.
        most_terms: How many neighbours a node may have, itself among them.
    """
    constants = tables.constants
    constants["SPLIT_POINTS"] = tables.add_words(model.graph.split_points)
    spans = [(place, b.first, b.last) for place, b in zip(matrices, planned, strict=True)]
    constants["BUFFERS"] = tables.add_words([number for span in spans for number in span])
    constants["NUM_BUFFERS"] = len(planned)
    constants["MOST_NEIGHBORS"] = most_terms - 1
    constants["NUM_EDGES"] = model.graph.spec.num_edges
    constants["INDEX_BYTES"] = index_bytes(model.graph.spec)
    constants |= {"HAS_EDGES": 0, "BUCKET_MAP_BITS": 0}


def add_features(tables: Tables, model: PackedModel) -> int:
    """Add the node features, or where they are given, their ranges; the place of their matrix."""
    features, constants = model.features, tables.constants
    values, pattern = features.values, features.pattern
    constants["FEATURES_NORMALIZED"] = int(features.normalize_rows)
    constants["GIVEN_FEATURES"] = int(not model.holds_features)
    constants["FEATURES_SPARSE"] = int(pattern is not None)
    if not model.holds_features:
        constants["SKIPS_ZEROS"] = int(not features.spec.dense)
        rows = [(bits, 0) for bits in values.ranges.bits]
        width = features.spec.num_features
        constants["FEATURE_VALUES"] = tables.add_matrix(width, values.ranges, Place.TABLES, rows)
        return constants["FEATURE_VALUES"]
    place = tables.add_bytes("features", values.stream)
    rows = list(zip(values.bits, (place + values.byte_starts).tolist(), strict=False))
    matrix = tables.add_matrix(values.width, values.ranges, Place.TABLES, rows)
    constants["FEATURE_VALUES"] = matrix
    if pattern is None:
        return matrix
    constants["FEATURE_STARTS"] = tables.add_words(values.row_starts[:-1])
    constants["FEATURE_BLOCKS"] = tables.add_words(pattern.block_starts)
    constants["NUM_STORED_FEATURES"] = int(pattern.block_starts[-1])
    constants["FEATURES_BITMAP"] = int(isinstance(pattern, BitmapRows))
    constants["FEATURES_LOW"], constants["FEATURES_LOW_BITS"] = 0, 0
    if isinstance(pattern, BitmapRows):
        constants["FEATURES_HIGH"] = tables.add_bytes("features", pattern.bitmap)
        return matrix
    assert isinstance(pattern, EliasFanoRows)
    constants["FEATURES_HIGH"] = tables.add_bytes("features", pattern.high)
    constants["FEATURES_LOW"] = tables.add_bytes("features", pattern.low)
    constants["FEATURES_LOW_BITS"] = pattern.layout.low_bits
    return matrix


def add_graph(tables: Tables, model: PackedModel, *, uses_edges: bool, uses_degrees: bool) -> None:
    """Add the edges of a model's own graph, degrees, and the bucket of each node."""
    graph, constants = model.graph, tables.constants
    edges = graph.edges
    assert isinstance(edges, EliasFanoRows)
    constants["HAS_EDGES"] = int(uses_edges)
    constants["NUM_EDGES"] = edges.layout.count
    if uses_edges:
        constants["EDGE_BLOCKS"] = tables.add_words(edges.block_starts)
        constants["EDGES_HIGH"] = tables.add_bytes("edges", edges.high)
        constants["EDGES_LOW"] = tables.add_bytes("edges", edges.low)
        constants["EDGES_LOW_BITS"] = edges.layout.low_bits
    if uses_degrees:
        constants["DEGREES"] = tables.add_bytes("degrees", graph.degrees.stream)
        constants["DEGREE_BITS"] = graph.degrees.bits
    constants["BUCKET_MAP"] = tables.add_bytes("bucket map", graph.bucket_map)
    is_mapped = graph.bucket_map.size > 0
    constants["BUCKET_MAP_BITS"] = index_bits(graph.spec.num_buckets - 1) if is_mapped else 0
