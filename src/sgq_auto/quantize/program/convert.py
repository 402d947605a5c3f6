"""From a trained quantization-aware model to packed codes: the last step of prepare and convert."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph, SparseFeatures
from sgq_auto.graphs.many_graphs import largest_graph, part
from sgq_auto.packed import GraphSpec, PackedModel
from sgq_auto.packed.backends import Engine, fastest_engine
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.runtime.graphs.edge_weights import no_edge_weights, pack_edge_weights
from sgq_auto.packed.runtime.graphs.other_graphs import no_features, no_graph
from sgq_auto.packed.runtime.graphs.packed_features import PackedFeatures, code_pattern, pack_values
from sgq_auto.packed.runtime.graphs.packed_graph import PackedGraph, graph_of
from sgq_auto.packed.runtime.layers.layer import PackedLayer
from sgq_auto.packed.runtime.target_units import TargetUnits
from sgq_auto.quantize.bind import bind
from sgq_auto.quantize.forward.model_input import ModelInput
from sgq_auto.quantize.packed_parts import Packing, array, packed_ranges
from sgq_auto.quantize.program.model_trace import Trace, trace_model


def convert(
    prepared: nn.Module,
    graph: Graph,
    source: Mapping[str, Any] | None = None,
    engine: Engine | None = None,
    sized: GraphSpec | None = None,
) -> PackedModel:
    """Pack a prepared model with its graph; one for many graphs is packed without any.

    Args:
        prepared: A trained model from :func:`sgq_auto.quantize.prepare`, its ranges frozen.
        graph: The graph, or the graphs, it was prepared for.
        source: Where it comes from; written into the artifact's header.
        engine: Does its arithmetic; ``None`` takes the fastest, which may have to be compiled.
        sized: Of a model for many graphs, the graph that its sizes are at; ``None`` takes the
            largest.

    Raises:
        InputError: If it does something that the packed runtime cannot.
    """
    if graph.bucket_rows is not None:
        raise InputError(
            "the model has a row for each node in a parameter or a buffer, which a packed model "
            "cannot have"
        )
    trace = trace_model(prepared, graph)
    if trace.program is None:
        raise InputError(f"cannot pack {trace.unpackable}")
    model_input, buckets = ModelInput.of(prepared), len(graph.bucket_nodes)
    feature_ranges = packed_ranges(model_input.quantizer, buckets)
    layers = []
    for call in trace.calls:
        own = call.layer.input_quantizer
        groups = 1 if call.layer.per_graph else buckets
        inputs = feature_ranges if call.input is None or own is None else packed_ranges(own, groups)
        layers.append(call.layer.packed(Packing(inputs, buckets)))
    skipped = [model_input.skips.named(name) for name in trace.program.skips]
    skips = {s.name: packed_ranges(s.quantizer, 1 if s.per_graph else buckets) for s in skipped}
    if sized is None or not graph.is_inductive:
        sized = largest_graph(trace.spec, graph).footprints.graph
    held, features = _held(graph, prepared, tuple(layers), sized, feature_ranges)
    scale = graph.target_scale
    return PackedModel(
        held,
        replace(features, scaling=graph.features.scaling),
        tuple(layers),
        trace.program,
        graph.classes,
        skips,
        dict(source or {}),
        fastest_engine() if engine is None else engine,
        task=graph.task,
        target_units=None if scale is None else TargetUnits(scale.mean, scale.std),
    )


def _held(
    graph: Graph,
    prepared: nn.Module,
    layers: tuple[PackedLayer, ...],
    sized: GraphSpec,
    ranges: Ranges,
) -> tuple[PackedGraph, PackedFeatures]:
    """The graph and its features; of many graphs none, and what is known of them."""
    if not graph.is_inductive:
        return _weighted(_graph(graph), layers, prepared, graph), _features(graph, ranges)
    reads = any(layer.spec.reads_edges for layer in layers)
    spec = sized if reads else replace(sized, weights=None)
    if spec.fixed:
        own = part(graph, graph.node_order.new_zeros(1).to(graph.device))
        bind(prepared, own)
        packed = replace(_weighted(_graph(own), layers, prepared, own), spec=spec)
    else:
        packed = no_graph(spec, graph.split_points)
    if not spec.fixed and spec.weights is not None:
        quantizer = ModelInput.of(prepared).edge_quantizer
        of_weights = packed_ranges(quantizer, len(graph.bucket_nodes))
        symmetric, columns = spec.weights.symmetric, spec.weights.columns
        weights = no_edge_weights(of_weights, symmetric=symmetric, columns=columns)
        packed = replace(packed, weights=weights)
    normalize = graph.features.normalize_rows
    return packed, no_features(spec.features, ranges, normalize=normalize)


def unpackable_reason(trace: Trace) -> str | None:
    """Why a prepared model that was traced cannot be packed; ``None`` where it can."""
    return trace.unpackable or None


def _graph(graph: Graph) -> PackedGraph:
    rowptr, col = (t.cpu().numpy().astype(np.int64) for t in (graph.adj_t.rowptr, graph.adj_t.col))
    row = np.repeat(np.arange(graph.num_nodes), np.diff(rowptr))
    edges = row != col
    positions = row[edges] * graph.num_nodes + col[edges]
    buckets = np.empty(graph.num_nodes, dtype=np.int64)
    buckets[graph.node_order.numpy()] = np.repeat(
        np.arange(len(graph.bucket_nodes)), graph.bucket_nodes
    )
    degrees = np.diff(rowptr) - 1
    packed = graph_of(positions, buckets, degrees, graph.split_points, graph.num_nodes)
    return replace(packed, spec=graph.spec)


def _weighted(
    packed: PackedGraph, layers: tuple[PackedLayer, ...], prepared: nn.Module, graph: Graph
) -> PackedGraph:
    """The packed graph with the weights of its edges, if a layer reads them."""
    weights = ModelInput.of(prepared).edge_weights(graph.adj_t)
    if weights is None or packed.spec.weights is None:
        return packed
    if not any(layer.spec.reads_edges for layer in layers):
        return replace(packed, spec=replace(packed.spec, weights=None))
    pattern, buckets = graph.adj_t, len(graph.bucket_nodes)
    values = array(weights.values[pattern.row != pattern.col])
    ranges = packed_ranges(ModelInput.of(prepared).edge_quantizer, buckets)
    edges, symmetric = packed.spec.bucket_edges, packed.spec.weights.symmetric
    held = pack_edge_weights(values, edges, ranges, symmetric=symmetric)
    return replace(packed, weights=held)


def _features(graph: Graph, ranges: Ranges) -> PackedFeatures:
    features, spec = graph.features, graph.spec.features
    values = array(features.values)
    normalize = features.normalize_rows
    if not isinstance(features, SparseFeatures):
        rows = graph.bucket_nodes
        return pack_values(values, spec, None, rows, ranges, normalize=normalize)
    rowptr, col = (
        array(t).astype(np.int64) for t in (features.pattern.rowptr, features.pattern.col)
    )
    counts = np.diff(rowptr)
    positions = np.repeat(np.arange(counts.size), counts) * spec.num_features + col
    coded = code_pattern(positions, counts, spec, graph.bucket_nodes)
    rows = features.bucket_values
    return pack_values(values[:, None], spec, coded, rows, ranges, normalize=normalize)
