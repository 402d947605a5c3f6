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
from sgq_auto.packed.allocation import FULL_PRECISION
from sgq_auto.packed.codes.code_matrix import PackedWeight, pack_matrix
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.runtime.features import PackedFeatures, code_pattern, pack_values
from sgq_auto.packed.runtime.graph import PackedGraph, graph_of
from sgq_auto.packed.runtime.layers.convs import AgnnLayer, GatLayer, GcnLayer, GinLayer, SageLayer
from sgq_auto.packed.runtime.layers.layer import Activation, LinearLayer, PackedLayer
from sgq_auto.quantize.layer import QuantizedLayer
from sgq_auto.quantize.layers.agnn import QuantizedAGNNConv
from sgq_auto.quantize.layers.gat import QuantizedGATConv
from sgq_auto.quantize.layers.gcn import QuantizedGCNConv
from sgq_auto.quantize.layers.gin import QuantizedLinearSum
from sgq_auto.quantize.layers.linear import QuantizedLinear
from sgq_auto.quantize.layers.sage import QuantizedSAGEConv
from sgq_auto.quantize.model_input import ModelInput
from sgq_auto.quantize.quantizers.fake_quantizers import FakeQuantizer
from sgq_auto.quantize.trace import LayerCall, Trace, trace_model

_PACKED_LAYERS = (
    QuantizedGCNConv,
    QuantizedGATConv,
    QuantizedSAGEConv,
    QuantizedLinearSum,
    QuantizedAGNNConv,
    QuantizedLinear,
)
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
    return PackedModel(_graph(graph), features, layers, graph.classes, dict(source or {}))


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
        if not isinstance(call.layer, _PACKED_LAYERS):
            raise InputError(f"{call.layer.name}: the packed runtime has no such layer")
        again = call.layer in [before.layer for before in calls[:position]]
        if again or (call.input is None) != (position == 0):
            raise InputError(f"{call.layer.name}: {_NO_CHAIN}")
    if isinstance(calls[0].layer, QuantizedAGNNConv):
        raise InputError(f"{calls[0].layer.name}: a packed AGNN layer cannot read node features")
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
    common: dict[str, Any] = {
        "spec": layer.spec(),
        "activation": activation,
        "inputs": _ranges(inputs, len(graph.bucket_nodes)),
    }
    if isinstance(layer, QuantizedAGNNConv):
        attention = _ranges(layer.attention_quantizer, len(graph.bucket_nodes))
        return AgnnLayer(**common, attention=attention, beta=float(layer.beta.detach()))
    if isinstance(layer, QuantizedLinear):
        return LinearLayer(**common, **_weight(layer, layer.weight))
    buckets = len(graph.bucket_nodes)
    if isinstance(layer, QuantizedSAGEConv | QuantizedLinearSum):
        common["transformed"] = _ranges(layer.transformed_quantizer, buckets)
        if isinstance(layer, QuantizedSAGEConv):
            return SageLayer(**common, **_sage_weights(layer), aggregation=layer.aggregation)
        eps = float(layer.eps.detach())
        return GinLayer(**common, **_weight(layer, layer.weight), eps=eps)
    assert isinstance(layer, QuantizedGCNConv | QuantizedGATConv)
    common |= {
        "transformed": _ranges(layer.transformed_quantizer, buckets),
        "attention": _ranges(layer.attention_quantizer, buckets),
        **_weight(layer, layer.lin.weight),
    }
    if isinstance(layer, QuantizedGCNConv):
        return GcnLayer(**common)
    return GatLayer(
        **common,
        source_vectors=_array(layer.att_src).reshape(layer.heads, layer.channels),
        target_vectors=_array(layer.att_dst).reshape(layer.heads, layer.channels),
        negative_slope=float(layer.negative_slope),
        concat=layer.concat,
    )


def _weight(layer: Any, parameter: Tensor) -> dict[str, Any]:
    channels = _ranges(layer.weight_quantizer, parameter.size(0))
    return {
        "weight": _pack_weight(parameter, channels),
        "bias": None if layer.bias is None else _array(layer.bias),
    }


def _sage_weights(layer: QuantizedSAGEConv) -> dict[str, Any]:
    both = layer.weight
    channels, rows = _ranges(layer.weight_quantizer, both.size(0)), layer.lin_l.weight.size(0)
    parts = []
    for own in (slice(None, rows), slice(rows, None)):
        ranges = Ranges(channels.bits[own], channels.step[own], channels.offset[own])
        parts.append(_pack_weight(both[own], ranges) if ranges.bits else None)
    bias = None if layer.bias is None else _array(layer.bias)
    return {"weight": parts[0], "root": parts[1], "bias": bias}


def _pack_weight(parameter: Tensor, channels: Ranges) -> PackedWeight:
    weight = _array(parameter).astype(np.float64)
    codes = np.empty(weight.T.shape)
    for channel, row in enumerate(weight):
        quantized = channels.is_quantized(channel)
        codes[:, channel] = channels.codes(row, channel) if quantized else row
    bits = channels.bits[:1]
    # The codes themselves: channels are scaled after their sums.
    plain = Ranges(bits, np.ones(1, np.float32), np.zeros(1, np.float32))
    return PackedWeight(pack_matrix(codes, (codes.shape[0],), bits, plain), channels)


def _ranges(quantizer: nn.Module, groups: int) -> Ranges:
    if not isinstance(quantizer, FakeQuantizer):
        return Ranges.full_precision(groups)
    step, offset = (_array(t) for t in quantizer.ranges())
    full = np.array([b == FULL_PRECISION for b in quantizer.bits])
    # fp32 values have no range; empty groups were never seen.
    step, offset = np.where(full, 1, step), np.where(full, 0, offset)
    return Ranges(quantizer.bits, step.astype(np.float32), offset.astype(np.float32))


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


def _features(graph: Graph, ranges: Ranges) -> PackedFeatures:
    features, spec = graph.features, graph.spec.features
    values = _array(features.values)
    normalize = features.normalize_rows
    if not isinstance(features, SparseFeatures):
        rows = graph.bucket_nodes
        return pack_values(values, spec, None, rows, ranges, normalize=normalize)
    rowptr, col = (
        _array(t).astype(np.int64) for t in (features.pattern.rowptr, features.pattern.col)
    )
    counts = np.diff(rowptr)
    positions = np.repeat(np.arange(counts.size), counts) * spec.num_features + col
    coded = code_pattern(positions, counts, spec, graph.bucket_nodes)
    rows = features.bucket_values
    return pack_values(values[:, None], spec, coded, rows, ranges, normalize=normalize)


def _array(tensor: Tensor) -> Any:
    return tensor.detach().cpu().numpy()
