"""The tables of a graph and of its features, or what a model for other graphs has instead."""

from collections.abc import Sequence

import numpy as np

from sgq_auto.packed.codes.bit_packing import Array, index_bits
from sgq_auto.packed.codes.coded_rows import Blocks, EliasFanoRows
from sgq_auto.packed.codes.gap_rows import GapRows, code_gaps
from sgq_auto.packed.device.tables.sparse_features import sparse_features
from sgq_auto.packed.device.tables.table_parts import Place, Tables
from sgq_auto.packed.runtime.graphs.edge_weights import PackedEdgeWeights
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
    _add_given_weights(tables, model)


def _add_given_weights(tables: Tables, model: PackedModel) -> None:
    """Add the ranges of weights of edges that are given, where layers read them."""
    reading, constants = [la.spec for la in model.layers if la.spec.edge_weights], tables.constants
    weights = model.graph.weights
    constants["HAS_EDGE_WEIGHTS"] = constants["GIVEN_WEIGHTS"] = int(bool(reading))
    constants["WEIGHTS_FROM_ZERO"] = int(any(spec.attention_from_degrees for spec in reading))
    constants["WEIGHTS_SYMMETRIC"] = 0
    if reading:
        assert isinstance(weights, PackedEdgeWeights)
        buckets = [(bits, 0) for bits in weights.ranges.bits]
        constants["EDGE_WEIGHTS"] = tables.add_matrix(1, weights.ranges, Place.TABLES, buckets)
        constants["WEIGHTS_SYMMETRIC"] = int(weights.symmetric)


def add_features(tables: Tables, model: PackedModel, *, reorders: bool) -> tuple[int, Array | None]:
    """Add the node features, or where they are given, their ranges.

    Args:
        tables: The tables.
        model: The model.
        reorders: Whether columns of sparse features may be put in another order.

    Returns:
        The place of their matrix, and the feature of each column if that is another order.
    """
    features, constants = model.features, tables.constants
    values = features.values
    is_sparse = model.holds_features and features.pattern is not None
    constants["FEATURES_NORMALIZED"] = int(features.normalize_rows)
    constants["GIVEN_FEATURES"] = int(not model.holds_features)
    constants["FEATURES_SPARSE"] = int(is_sparse)
    constants["SKIPS_ZEROS"] = int(not features.spec.dense)
    constants["FEATURES_SCALED"] = int(features.scaling is not None and not model.holds_features)
    if not model.holds_features:
        if features.scaling is not None:
            scaling = np.array([features.scaling.mean, features.scaling.factor])
            constants["FEATURE_SCALING"] = tables.add_numbers(scaling)
        rows = [(bits, 0) for bits in values.ranges.bits]
        width = features.spec.num_features
        matrix = tables.add_matrix(width, values.ranges, Place.TABLES, rows)
    else:
        found = None
        if is_sparse:
            found = sparse_features(features, model.graph.spec, reorders=reorders)
        place = tables.add_bytes("features", values.stream if found is None else found.values)
        rows = list(zip(values.bits, (place + values.byte_starts).tolist(), strict=False))
        matrix = tables.add_matrix(values.width, values.ranges, Place.TABLES, rows)
    constants["FEATURE_VALUES"] = matrix
    if not is_sparse or found is None:
        return matrix, None
    constants["FEATURE_STARTS"] = tables.add_words(values.row_starts[:-1])
    constants["FEATURE_ROWS"] = _add_rows(tables, "features", found.rows)
    constants["FEATURE_ENTRIES"] = tables.add_words(found.rows.block_entries[:-1])
    tables.pattern_bytes["features"] = found.rows.num_bytes
    return matrix, found.order


def add_graph(tables: Tables, model: PackedModel, *, uses_edges: bool) -> None:
    """Add the edges of a model's own graph, and the bucket of each node."""
    graph, constants = model.graph, tables.constants
    edges = graph.edges
    assert isinstance(edges, EliasFanoRows)
    constants["HAS_EDGES"] = int(uses_edges)
    constants["HAS_EDGE_WEIGHTS"] = constants["GIVEN_WEIGHTS"] = 0
    constants["NUM_EDGES"] = edges.layout.count
    if uses_edges:
        coded = _coded_edges(edges, graph.spec)
        constants["EDGE_ROWS"] = _add_rows(tables, "edges", coded)
        tables.pattern_bytes["edges"] = coded.num_bytes
        _add_edge_weights(tables, model, coded)
    constants["BUCKET_MAP"] = tables.add_bytes("bucket map", graph.bucket_map)
    is_mapped = graph.bucket_map.size > 0
    constants["BUCKET_MAP_BITS"] = index_bits(graph.spec.num_buckets - 1) if is_mapped else 0


def _add_edge_weights(tables: Tables, model: PackedModel, edges: GapRows) -> None:
    """Add the weights of edges, and what coefficients divide them by, where layers read them."""
    reading = [layer.spec for layer in model.layers if layer.spec.edge_weights]
    if not reading:
        return
    weights, constants = model.graph.weights, tables.constants
    assert isinstance(weights, PackedEdgeWeights)
    codes = weights.codes
    place = tables.add_bytes("edge weights", codes.stream)
    rows = list(zip(codes.bits, (place + codes.byte_starts).tolist(), strict=False))
    constants["HAS_EDGE_WEIGHTS"] = 1
    constants["EDGE_WEIGHTS"] = tables.add_matrix(1, weights.ranges, Place.TABLES, rows)
    constants["EDGE_WEIGHT_STARTS"] = tables.add_words(codes.row_starts[:-1])
    constants["EDGE_ENTRIES"] = tables.add_words(edges.block_entries[:-1])
    needs_roots = any(spec.attention_from_degrees for spec in reading)
    roots = model.graph.weight_roots if needs_roots else np.empty(0)
    constants["WEIGHT_ROOTS"] = tables.add_numbers(roots)


def _coded_edges(edges: EliasFanoRows, graph: GraphSpec) -> GapRows:
    """Edges row by row; zones are degree buckets, from which about equally many edges come."""
    row, column = edges.coordinates()
    counts = np.bincount(row, minlength=graph.num_nodes)
    return code_gaps(counts, column, graph.bucket_nodes, np.cumsum(graph.bucket_nodes).tolist())


def _add_rows(tables: Tables, part: str, rows: GapRows) -> int:
    """Add coded rows; the place of the words that say where what of them is."""
    counts = tables.add_bytes(part, rows.counts)
    stream = tables.add_bytes(part, rows.stream)
    parameters = tables.add_bytes(part, rows.parameters)
    blocks = tables.add_words(rows.block_bits[:-1])
    layouts = [
        number
        for place, bits, least in rows.count_layouts
        for number in (counts + place, bits, least)
    ]
    listed = [stream, parameters, len(rows.zone_ends), blocks, *layouts, *rows.zone_ends]
    return tables.add_words(listed)
