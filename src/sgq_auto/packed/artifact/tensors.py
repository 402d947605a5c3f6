"""The tensors of an artifact: their names, types and shapes."""

from collections.abc import Mapping

import numpy as np

from sgq_auto.packed.allocation import FULL_PRECISION
from sgq_auto.packed.artifact.header import Header, LayerHeader
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import PackedWeight, stream_bytes
from sgq_auto.packed.codes.coded_rows import BitmapRows, EliasFanoRows
from sgq_auto.packed.runtime.graph import stored_edge_code
from sgq_auto.packed.runtime.layers.convs import AgnnLayer, GatLayer, GinLayer, SageLayer
from sgq_auto.packed.runtime.layers.layer import (
    AttentionConvLayer,
    ConvLayer,
    LayerKind,
    PackedLayer,
    WeightedLayer,
)
from sgq_auto.packed.runtime.model import PackedModel
from sgq_auto.packed.sizes.specs import GraphSpec, LayerSpec

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
    elif isinstance(pattern, EliasFanoRows):
        tensors |= {"features.high": pattern.high, "features.low": pattern.low}
    for layer in model.layers:
        tensors |= _layer_tensors(layer, model.graph.spec)
    return {name: tensor for name, tensor in tensors.items() if tensor.size}


def resident_arrays(model: PackedModel) -> list[Array]:
    """Every array that a loaded model holds; scales as they are stored."""
    edges, pattern = model.graph.edges, model.features.pattern
    assert isinstance(edges, EliasFanoRows)
    arrays = [edges.high, edges.low, edges.block_starts, model.graph.bucket_map]
    if any(layer.spec.attention_from_degrees for layer in model.layers):
        arrays.append(model.graph.degrees.stream)
    if isinstance(pattern, BitmapRows):
        arrays += [pattern.bitmap, pattern.block_starts]
    elif isinstance(pattern, EliasFanoRows):
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
            stream = stream_bytes((elements,), 1, (layer.weight_bits,))
            sizes |= {f"{name}.{key}": stream for key in weight_names(spec)}
        floats |= {f"{name}.{key}": shape for key, shape in vectors(layer).items()}
        floats[f"{name}.scales"] = (_num_scales(layer, graph), 2)
    return {n: ("U8", (size,)) for n, size in sizes.items() if size} | {
        n: ("F32", shape) for n, shape in floats.items() if shape[0]
    }


def _layer_tensors(layer: PackedLayer, graph: GraphSpec) -> dict[str, Array]:
    name, nodes, edges = layer.spec.name, graph.bucket_nodes, graph.bucket_in_edges
    tensors: dict[str, Array] = {}
    # Each run of scale groups, and how much each of its groups holds.
    runs = [(layer.inputs, nodes)]
    if layer.bias is not None:
        tensors[f"{name}.bias"] = layer.bias
    if isinstance(layer, ConvLayer):
        runs.append((layer.transformed, nodes))
    if isinstance(layer, AttentionConvLayer | AgnnLayer):
        runs.append((layer.attention, edges))
    if isinstance(layer, GatLayer):
        tensors[f"{name}.source_vectors"] = layer.source_vectors
        tensors[f"{name}.target_vectors"] = layer.target_vectors
    if isinstance(layer, GinLayer):
        tensors[f"{name}.eps"] = np.array([layer.eps], dtype=np.float32)
    if isinstance(layer, AgnnLayer) and layer.spec.vector_elements:
        tensors[f"{name}.beta"] = np.array([layer.beta], dtype=np.float32)
    for key, weight in zip(weight_names(layer.spec), _weights(layer), strict=True):
        tensors[f"{name}.{key}"] = weight.codes.stream
        runs.append((weight.channels, (1,) * len(weight.channels.bits)))
    scales = []
    for ranges, counts in runs:
        groups = list(_groups(ranges.bits, counts))
        scales.append(np.stack([ranges.step[groups], ranges.offset[groups]], axis=1))
    return tensors | {f"{name}.scales": np.concatenate(scales).astype(np.float32)}


def _weights(layer: PackedLayer) -> list[PackedWeight]:
    weights = [layer.weight] if isinstance(layer, WeightedLayer) else []
    if isinstance(layer, SageLayer) and layer.root is not None:
        weights.append(layer.root)
    return weights


def weight_names(spec: LayerSpec) -> list[str]:
    """What the tensors of a layer's weight matrices are called, after its name."""
    return ["weight", "root_weight"][: spec.num_weights]


def _groups(bits: tuple[int, ...], counts: tuple[int, ...]) -> tuple[int, ...]:
    """The groups that have a scale: those that hold something and are quantized."""
    both = enumerate(zip(bits, counts, strict=True))
    return tuple(g for g, (width, n) in both if n and width != FULL_PRECISION)


def group_bits(layer: LayerHeader) -> list[tuple[int, ...]]:
    """Bits of each run of scale groups of a layer, in the order of its scales."""
    spec, runs = layer.spec, [layer.input_bits]
    if spec.transformed_features:
        runs.append(layer.embedding_bits)
    if spec.heads:
        runs.append(layer.attention_bits)
    channels = (layer.weight_bits,) * (spec.weight_shape or (0, 0))[0]
    return runs + [channels] * spec.num_weights


def scale_groups(layer: LayerHeader, graph: GraphSpec) -> list[tuple[int, ...]]:
    """The groups of each of those runs that have a scale."""
    spec, counts = layer.spec, [graph.bucket_nodes]
    if spec.transformed_features:
        counts.append(graph.bucket_nodes)
    if spec.heads:
        counts.append(graph.bucket_in_edges)
    counts += [(1,) * (spec.weight_shape or (0, 0))[0]] * spec.num_weights
    return [_groups(bits, n) for bits, n in zip(group_bits(layer), counts, strict=True)]


def _num_scales(layer: LayerHeader, graph: GraphSpec) -> int:
    """How many groups have a scale; nothing is listed, so that a header may claim any width."""
    spec, nodes = layer.spec, graph.bucket_nodes
    groups = len(_groups(layer.input_bits, nodes))
    if spec.transformed_features:
        groups += len(_groups(layer.embedding_bits, nodes))
    if spec.heads:
        groups += len(_groups(layer.attention_bits, graph.bucket_in_edges))
    is_coded = spec.weight_shape is not None and layer.weight_bits != FULL_PRECISION
    return groups + is_coded * spec.num_weights * (spec.weight_shape or (0, 0))[0]


def vectors(layer: LayerHeader) -> dict[str, tuple[int, ...]]:
    """fp32 vectors of a layer and their shapes."""
    vectors: dict[str, tuple[int, ...]] = {"bias": (layer.out_features,)} if layer.bias else {}
    if layer.kind is LayerKind.GAT:
        heads = layer.spec.heads
        shape = (heads, layer.spec.transformed_features // heads)
        vectors |= {"source_vectors": shape, "target_vectors": shape}
    if layer.kind is LayerKind.GIN:
        vectors["eps"] = (1,)
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
