"""From a trained quantization-aware model to packed codes: the last step of prepare and convert."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sgq_auto.allocation import FULL_PRECISION
from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph, SparseFeatures
from sgq_auto.packed import PackedModel
from sgq_auto.packed.code_matrix import PackedWeight, pack_matrix
from sgq_auto.packed.features import PackedFeatures, code_pattern, pack_values
from sgq_auto.packed.graph import PackedGraph, graph_of
from sgq_auto.packed.layers import (
    Activation,
    AgnnLayer,
    GatLayer,
    GcnLayer,
    GinLayer,
    LinearLayer,
    PackedLayer,
    SageLayer,
)
from sgq_auto.packed.ranges import Ranges
from sgq_auto.quantize.agnn import QuantizedAGNNConv
from sgq_auto.quantize.dropped import Dropped
from sgq_auto.quantize.fake_quantizers import FakeQuantizer
from sgq_auto.quantize.gat import QuantizedGATConv
from sgq_auto.quantize.gcn import QuantizedGCNConv
from sgq_auto.quantize.gin import QuantizedLinearSum
from sgq_auto.quantize.layer import QuantizedLayer
from sgq_auto.quantize.linear import QuantizedLinear
from sgq_auto.quantize.sage import QuantizedSAGEConv

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
        InputError: If the model does more between two quantized layers than one known activation.
    """
    prepared.eval()
    calls, logits = _trace(prepared, graph)
    inputs = [call[1] for call in calls[1:]] + [logits]
    layers = []
    for (layer, _, output), following in zip(calls, inputs, strict=True):
        layers.append(_layer(layer, _activation(layer.name, output, following), graph))
    if layers[-1].activation is not Activation.NONE:
        raise InputError(f"{calls[-1][0].name}: the last layer's output must be the logits")
    features = _features(graph, layers[0].inputs)
    return PackedModel(_graph(graph), features, tuple(layers), graph.classes, dict(source or {}))


def _trace(
    prepared: nn.Module, graph: Graph
) -> tuple[list[tuple[QuantizedLayer, Any, Tensor]], Tensor]:
    """Every quantized layer with its input and output in one forward pass, and the logits."""
    calls: list[tuple[QuantizedLayer, Any, Tensor]] = []

    def note(layer: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x = inputs[0]
        calls.append((layer, x.source if isinstance(x, Dropped) else x, output))

    handles = [
        module.register_forward_hook(note)
        for module in prepared.modules()
        if isinstance(module, QuantizedLayer)
    ]
    with torch.no_grad():
        logits: Tensor = prepared(graph.features, graph.adj_t)
    for handle in handles:
        handle.remove()
    if len({id(layer) for layer, _, _ in calls}) != len(calls):
        raise InputError("a layer runs more than once; a packed model is a chain of layers")
    return calls, logits


def _activation(name: str, output: Tensor, following: Tensor) -> Activation:
    for activation, function in _ACTIVATIONS.items():
        if output.shape == following.shape and torch.equal(function(output), following):
            return activation
    known = ", ".join(_ACTIVATIONS)
    raise InputError(
        f"after {name} the model does something that cannot be packed; a packed model is a chain "
        f"of layers with one of these between them: {known}"
    )


def _layer(layer: QuantizedLayer, activation: Activation, graph: Graph) -> PackedLayer:
    common: dict[str, Any] = {
        "spec": layer.spec(),
        "activation": activation,
        "inputs": _ranges(layer.input_quantizer, len(graph.bucket_nodes)),
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
    if not isinstance(layer, QuantizedGCNConv | QuantizedGATConv):
        raise InputError(f"{layer.name}: {type(layer).__name__} cannot be packed")
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
