"""The tensors of an artifact: their names, types and shapes."""

from collections.abc import Mapping

import numpy as np

from sgq_auto.allocation import FULL_PRECISION
from sgq_auto.packed.code_matrix import stream_bytes
from sgq_auto.packed.coded_rows import BitmapRows
from sgq_auto.packed.codes import Array
from sgq_auto.packed.graph import (
    stored_edge_code,
)
from sgq_auto.packed.header import Header, LayerHeader
from sgq_auto.packed.layers import (
    AgnnLayer,
    ConvLayer,
    GatLayer,
    LayerKind,
    PackedLayer,
    WeightedLayer,
)
from sgq_auto.packed.model import PackedModel
from sgq_auto.packed.ranges import Ranges
from sgq_auto.packed.specs import GraphSpec

Tensors = Mapping[str, Array]


def tensors_of(model: PackedModel) -> dict[str, Array]:
    """The tensors of an artifact; those without an element are left out."""
    high, low = stored_edge_code(model.graph)
    tensors: dict[str, Array] = {
        "edges.high": high,
        "edges.low": low,
        "bucket_map": model.graph.bucket_map,
        "features.values": model.features.values.stream,
    }
    pattern = model.features.pattern
    if isinstance(pattern, BitmapRows):
        tensors["features.bitmap"] = pattern.bitmap
    elif pattern is not None:
        tensors |= {"features.high": pattern.high, "features.low": pattern.low}
    for layer in model.layers:
        tensors |= _layer_tensors(layer, model.graph.spec)
    return {name: tensor for name, tensor in tensors.items() if tensor.size}


def resident_arrays(model: PackedModel) -> list[Array]:
    """Every array that a loaded model holds; scales as they are stored."""
    edges, pattern = model.graph.edges, model.features.pattern
    arrays = [edges.high, edges.low, edges.block_starts, model.graph.bucket_map]
    if any(layer.spec.attention_from_degrees for layer in model.layers):
        arrays.append(model.graph.degrees.stream)
    if isinstance(pattern, BitmapRows):
        arrays += [pattern.bitmap, pattern.block_starts]
    elif pattern is not None:
        arrays += [pattern.high, pattern.low, pattern.block_starts]
    layers = [_layer_tensors(layer, model.graph.spec) for layer in model.layers]
    return [*arrays, model.features.values.stream, *(t for held in layers for t in held.values())]


def expected_tensors(header: Header) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of every tensor that an artifact with this header holds."""
    graph, features = header.graph, header.graph.features
    edges = graph.stored_pattern
    sizes = {
        "edges.high": edges.high_bytes,
        "edges.low": edges.low_bytes,
        "bucket_map": graph.bucket_map_bytes,
        "features.values": stream_bytes(*feature_layout(header)),
    }
    if features.uses_bitmap(graph.num_nodes):
        sizes["features.bitmap"] = (graph.num_nodes * features.num_features + 7) // 8
    elif not features.dense:
        pattern = features.pattern(graph.num_nodes)
        sizes |= {"features.high": pattern.high_bytes, "features.low": pattern.low_bytes}
    floats: dict[str, tuple[int, ...]] = {}
    for layer in header.layers:
        name, spec = layer.spec.name, layer.spec
        if spec.weight_shape:
            elements = spec.weight_shape[0] * spec.weight_shape[1]
            sizes[f"{name}.weight"] = stream_bytes((elements,), 1, (layer.weight_bits,))
        floats |= {f"{name}.{key}": shape for key, shape in vectors(layer).items()}
        floats[f"{name}.scales"] = (sum(map(len, scale_groups(layer, graph))), 2)
    return {n: ("U8", (size,)) for n, size in sizes.items() if size} | {
        n: ("F32", shape) for n, shape in floats.items() if shape[0]
    }


def _layer_tensors(layer: PackedLayer, graph: GraphSpec) -> dict[str, Array]:
    name, ranges = layer.spec.name, [layer.inputs]
    tensors: dict[str, Array] = {}
    if layer.bias is not None:
        tensors[f"{name}.bias"] = layer.bias
    if isinstance(layer, ConvLayer):
        ranges += [layer.transformed, layer.attention]
    if isinstance(layer, GatLayer):
        tensors[f"{name}.source_vectors"] = layer.source_vectors
        tensors[f"{name}.target_vectors"] = layer.target_vectors
    if isinstance(layer, AgnnLayer):
        ranges.append(layer.attention)
        if layer.spec.vector_elements:
            tensors[f"{name}.beta"] = np.array([layer.beta], dtype=np.float32)
    if isinstance(layer, WeightedLayer):
        tensors[f"{name}.weight"] = layer.weight.codes.stream
        ranges.append(layer.weight.channels)
    groups = _occupied(layer, ranges, graph)
    scales = [
        np.stack([r.step[list(g)], r.offset[list(g)]], axis=1)
        for r, g in zip(ranges, groups, strict=True)
    ]
    return tensors | {f"{name}.scales": np.concatenate(scales).astype(np.float32)}


def _occupied(layer: PackedLayer, ranges: list[Ranges], graph: GraphSpec) -> list[tuple[int, ...]]:
    counts = [graph.bucket_nodes, graph.bucket_nodes, graph.bucket_in_edges][: len(ranges)]
    if isinstance(layer, AgnnLayer):
        counts = [graph.bucket_nodes, graph.bucket_in_edges]
    elif isinstance(layer, WeightedLayer):
        counts = [*counts[: len(ranges) - 1], (1,) * len(ranges[-1].bits)]
    return [_groups(r.bits, c) for r, c in zip(ranges, counts, strict=True)]


def _groups(bits: tuple[int, ...], counts: tuple[int, ...]) -> tuple[int, ...]:
    """The groups that have a scale: those that hold something and are quantized."""
    both = enumerate(zip(bits, counts, strict=True))
    return tuple(g for g, (width, n) in both if n and width != FULL_PRECISION)


def group_bits(layer: LayerHeader) -> list[tuple[int, ...]]:
    """Bits of each run of scale groups of a layer, in the order of its scales."""
    inputs, attention = layer.input_bits, layer.attention_bits
    if layer.kind is LayerKind.AGNN:
        return [inputs, attention]
    channels = (layer.weight_bits,) * (layer.spec.weight_shape or (0, 0))[0]
    if layer.kind is LayerKind.LINEAR:
        return [inputs, channels]
    return [inputs, layer.embedding_bits, attention, channels]


def scale_groups(layer: LayerHeader, graph: GraphSpec) -> list[tuple[int, ...]]:
    """The groups of each of those runs that have a scale."""
    nodes, edges = graph.bucket_nodes, graph.bucket_in_edges
    channels = (1,) * (layer.spec.weight_shape or (0, 0))[0]
    counts = {
        LayerKind.AGNN: [nodes, edges],
        LayerKind.LINEAR: [nodes, channels],
    }.get(layer.kind, [nodes, nodes, edges, channels])
    return [_groups(bits, n) for bits, n in zip(group_bits(layer), counts, strict=True)]


def vectors(layer: LayerHeader) -> dict[str, tuple[int, ...]]:
    """fp32 vectors of a layer and their shapes."""
    vectors: dict[str, tuple[int, ...]] = {"bias": (layer.out_features,)} if layer.bias else {}
    if layer.kind is LayerKind.GAT:
        heads = layer.spec.heads
        shape = (heads, layer.spec.transformed_features // heads)
        vectors |= {"source_vectors": shape, "target_vectors": shape}
    if layer.learns_beta:
        vectors["beta"] = (1,)
    return vectors


def feature_layout(header: Header) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
    """Rows of each bucket, width and bits of the matrix of stored feature values."""
    spec, bits = header.graph.features, header.layers[0].input_bits
    if spec.dense:
        rows, width = header.graph.bucket_nodes, spec.num_features
    else:
        rows, width = spec.bucket_values, 1
    free = zip(bits, spec.bucket_constant, strict=True)
    return rows, width, tuple(0 if c and b != FULL_PRECISION else b for b, c in free)
