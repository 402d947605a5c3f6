"""From a trained quantization-aware model to packed codes: the last step of prepare and convert."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph, SparseFeatures
from sgq_auto.packed import PackedModel
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.runtime.edge_weights import pack_edge_weights
from sgq_auto.packed.runtime.features import PackedFeatures, code_pattern, pack_values
from sgq_auto.packed.runtime.graph import PackedGraph, graph_of
from sgq_auto.packed.runtime.layers.layer import Activation, PackedLayer
from sgq_auto.quantize.layer import QuantizedLayer
from sgq_auto.quantize.model_input import ModelInput
from sgq_auto.quantize.packing import Packing, array, packed_ranges
from sgq_auto.quantize.trace import LayerCall, Trace, trace_model

_NO_CHAIN = "a packed model is a chain of layers that run once, the first on the features"
_ACTIVATIONS = {
    Activation.NONE: lambda x: x,
    Activation.RELU: torch.relu,
    Activation.ELU: nn.functional.elu,
}


def convert(
    prepared: nn.Module,
    graph: Graph,
    source: Mapping[str, Any] | None = None,
) -> PackedModel:
    """Pack a prepared model with its graph.

    Args:
        prepared: A trained model from :func:`sgq_auto.quantize.prepare`, its ranges frozen.
        graph: The graph it was prepared for.
        source: Where it comes from; written into the artifact's header.

    Raises:
        InputError: If it is not a chain of layers that the packed runtime has.
    """
    if graph.bucket_rows is not None:
        raise InputError(
            "the model has a row for each node in a parameter or a buffer, which a packed model "
            "cannot have"
        )
    feature_quantizer = ModelInput.of(prepared).quantizer
    layers = tuple(
        _layer(layer, activation, layer.input_quantizer or feature_quantizer, graph)
        for layer, activation in _chain(trace_model(prepared, graph))
    )
    features = _features(graph, layers[0].inputs)
    packed = _weighted(_graph(graph), layers, prepared, graph)
    return PackedModel(packed, features, layers, graph.classes, dict(source or {}))


def unpackable_reason(trace: Trace) -> str | None:
    """Why a prepared model that was traced cannot be packed; ``None`` where it can."""
    try:
        _chain(trace)
    except InputError as error:
        return str(error)
    return None


def _chain(trace: Trace) -> list[tuple[QuantizedLayer, Activation]]:
    """The layers of a traced model and what follows each.

    Raises:
        InputError: If the packed runtime does not have a layer, or the model is no chain of them
            with one known activation between two.
    """
    calls = trace.calls
    for position, call in enumerate(calls):
        if call.layer.packs_as is None:
            raise InputError(call.layer.unpackable())
        again = call.layer in [before.layer for before in calls[:position]]
        if again or (call.input is None) != (position == 0):
            raise InputError(f"{call.layer.name}: {_NO_CHAIN}")
    first = calls[0].layer
    if first.packs_as is not None and first.packs_as.feature_fault:
        raise InputError(f"{first.name}: in a packed model, {first.packs_as.feature_fault}")
    following = [call.input for call in calls[1:]]
    chained = [(c.layer, _activation(c, x)) for c, x in zip(calls[:-1], following, strict=True)]
    last = calls[-1].output
    # Logits tell the classes as well as their logarithmic softmax does.
    if not _is_same(last, trace.output) and not _is_same(last.log_softmax(1), trace.output):
        raise InputError(f"{calls[-1].layer.name}: the last layer's output must be the logits")
    return [*chained, (calls[-1].layer, Activation.NONE)]


def _activation(call: LayerCall, following: Any) -> Activation:
    for activation, function in _ACTIVATIONS.items():
        if _is_same(function(call.output), following):
            return activation
    known = ", ".join(_ACTIVATIONS)
    raise InputError(
        f"after {call.layer.name} the model does something that cannot be packed, like a "
        f"norm or a residual; {_NO_CHAIN} with one of these between them: {known}"
    )


def _is_same(made: Tensor, given: Any) -> bool:
    return made.shape == given.shape and torch.equal(made, given)


def _layer(
    layer: QuantizedLayer, activation: Activation, inputs: nn.Module, graph: Graph
) -> PackedLayer:
    buckets = len(graph.bucket_nodes)
    return layer.packed(Packing(activation, packed_ranges(inputs, buckets), buckets))


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
    if not any(layer.spec.edge_weights for layer in layers):
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
