"""What a file will make the runtime take, told from its header before anything is made of it."""

import math

from sgq_auto.packed.allocation import (
    EDGE_WEIGHTS,
    FEATURES,
    BitAllocation,
    Component,
    Site,
)
from sgq_auto.packed.artifact.header import Header
from sgq_auto.packed.codes.coded_rows import ROW_BLOCK
from sgq_auto.packed.runtime.graphs.packed_graph import sorted_at_once
from sgq_auto.packed.runtime.operations.pooling import Pool
from sgq_auto.packed.sizes.data_flow import DataFlow, PooledSpec, SkipSpec
from sgq_auto.packed.sizes.footprint import FootprintModel
from sgq_auto.packed.sizes.shape_specs import ModelSpec, embedding_sites

# Degrees, their running total, buckets and the order of nodes, at the moment that holds the most.
_NODE_BYTES = 40
# Both directions of the edges that are sorted at once, and the stored ones that they come from.
_SORTED_EDGE_BYTES = 48
# The edges, or stored feature values, of one block of rows, decoded.
_ENTRY_BYTES = 64
# A row of an embedding, or of features, in fp64, and its codes.
_COLUMN_BYTES = 64
# Sums of a column over all nodes and of its squares, those of a chunk, and what follows from both.
_NORM_COLUMN_BYTES = 64
# A number of a matrix inside a norm, in fp64.
_PROJECTED_BYTES = 8
# The range of a channel, and what it is scaled by.
_CHANNEL_BYTES = 64
# Weights of edges in both directions, where they are, and how they are sorted.
_WEIGHTED_EDGE_BYTES = 96
# Every further number of an edge, as it is checked.
_EDGE_COLUMN_BYTES = 2
# A number of the matrix of edges, in fp64, as it is unpacked.
_MATRIX_BYTES = 24


def needed_bytes(header: Header) -> int:
    """Bytes that loading a model and predicting all its nodes take at most.

    That is what it holds, its logits, and what is made in between and grows with nodes, edges or
    widths; the bounded scratch of each thread, about 3 MiB, comes on top.
    """
    graph, layers = header.graph, header.layers
    model = FootprintModel(ModelSpec(tuple(layer.spec for layer in layers), _flow(header)), graph)
    held = sum(model.packed_parts(_allocation(header)).values())
    logits = 4 * graph.num_nodes * len(header.classes)
    channels = sum(rows for la in layers for rows, _ in la.spec.weight_shapes)
    widths = [graph.features.num_features, *(la.spec.transformed_features for la in layers)]
    widths += [layer.out_features for layer in layers]
    # What a stage has of a row at once.
    widths += [sum(stage.widths) for stage in header.stages]
    widths += [columns for la in layers for _, columns in la.spec.weight_shapes]
    return (
        held
        + logits
        + _NODE_BYTES * graph.num_nodes
        + _SORTED_EDGE_BYTES * min(graph.num_edges, sorted_at_once(graph.num_edges))
        + _ENTRY_BYTES * _largest_block(header)
        + _COLUMN_BYTES * max(widths)
        + _norm_bytes(header)
        + _CHANNEL_BYTES * channels
        + _edge_bytes(header)
    )


def _edge_bytes(header: Header) -> int:
    """What the weights or features of edges take while they are read, and their matrices."""
    graph = header.graph
    if graph.weights is None:
        return 0
    each = _WEIGHTED_EDGE_BYTES + _EDGE_COLUMN_BYTES * (graph.edge_columns - 1)
    rows = [
        sum(n for n, _ in la.spec.weight_shapes) for la in header.layers if la.spec.edge_features
    ]
    return each * graph.num_edges + _MATRIX_BYTES * graph.edge_columns * max(rows, default=0)


def _norm_bytes(header: Header) -> int:
    """What norms over all nodes, and matrices inside norms, take of the stage that has the most."""
    stages = [
        _NORM_COLUMN_BYTES * sum(stage.widths)
        + _PROJECTED_BYTES
        * sum(math.prod(s) for op in stage.operations for s in op.shapes.values())
        for stage in header.stages
    ]
    return max(stages)


def _largest_block(header: Header) -> int:
    """Entries that a block of rows may have, of edges or of features."""
    graph, features = header.graph, header.graph.features
    edges = min(graph.num_edges, ROW_BLOCK * graph.max_in_degree)
    if features.dense:
        return edges
    return max(edges, min(sum(features.bucket_values), ROW_BLOCK * features.num_features))


def _flow(header: Header) -> DataFlow:
    """How tensors pass between the layers; each is held to the end, which is no less."""
    stages, last = header.stages, len(header.layers)
    inputs = tuple(None if la.reads_features else max(1, k) for k, la in enumerate(header.layers))
    skips = tuple(SkipSpec(n, s.features, 0, last, s.per_graph) for n, s in header.skips.items())
    shapes = (shape for stage in stages for op in stage.operations for shape in op.shapes.values())
    elements = sum(math.prod(shape) for shape in shapes)
    return DataFlow(
        inputs,
        skips=skips,
        input_reads=(last,) * last,
        packed_vector_elements=elements,
        feature_reads=last,
        pooled=tuple(
            PooledSpec(op.settings["columns"] + 1, last)
            for stage in stages
            for op in stage.operations
            if op.kind is Pool
        ),
    )


def _allocation(header: Header) -> BitAllocation:
    sites: dict[Site, int] = {}
    embeddings = [(FEATURES, header.feature_bits, False)]
    embeddings += [(name, skip.bits, skip.per_graph) for name, skip in header.skips.items()]
    layers = header.layers
    embeddings += [(la.spec.name, la.embedding_bits, la.spec.per_graph) for la in layers]
    for name, bits, per_graph in embeddings:
        own = embedding_sites(name, len(bits), per_graph=per_graph) if bits else ()
        sites |= dict(zip(own, bits, strict=True))
    weight_bits = enumerate(header.edge_weight_bits)
    sites |= {Site(EDGE_WEIGHTS, Component.ATTENTION, b): width for b, width in weight_bits}
    for layer in header.layers:
        name, bits = layer.spec.name, layer.attention_bits
        sites |= {Site(name, Component.ATTENTION, b): width for b, width in enumerate(bits)}
        if layer.spec.weight_shape:
            sites[Site(name, Component.WEIGHT)] = layer.weight_bits
    return BitAllocation(sites)
