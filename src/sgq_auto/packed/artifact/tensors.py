"""The tensors of an artifact: their names, types and shapes."""

from collections.abc import Mapping

import numpy as np

from sgq_auto.packed.allocation import FULL_PRECISION, Component
from sgq_auto.packed.artifact.header import Header, LayerHeader
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import stream_bytes
from sgq_auto.packed.codes.coded_rows import BitmapRows, EliasFanoRows
from sgq_auto.packed.runtime.graph import stored_edge_code
from sgq_auto.packed.runtime.layers.layer import PackedLayer
from sgq_auto.packed.runtime.model import PackedModel
from sgq_auto.packed.sizes.specs import GraphSpec

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
        name = layer.spec.name
        for key, (rows, columns) in layer.kind.weight_shapes(layer.spec).items():
            sizes[f"{name}.{key}"] = stream_bytes((rows * columns,), 1, (layer.weight_bits,))
        floats |= {f"{name}.{key}": shape for key, shape in vectors(layer).items()}
        floats[f"{name}.scales"] = (_num_scales(layer, graph), 2)
    return {n: ("U8", (size,)) for n, size in sizes.items() if size} | {
        n: ("F32", shape) for n, shape in floats.items() if shape[0]
    }


def _layer_tensors(layer: PackedLayer, graph: GraphSpec) -> dict[str, Array]:
    name, nodes = layer.spec.name, graph.bucket_nodes
    edges = graph.gathered_edges(layer.spec)
    tensors: dict[str, Array] = {f"{name}.{key}": v for key, v in layer.vectors().items()}
    # Each run of scale groups, and how much each of its groups holds.
    runs = [(layer.inputs, nodes)]
    runs += [(r, edges if c is Component.ATTENTION else nodes) for c, r in layer.made().items()]
    for key, weight in layer.weights().items():
        tensors[f"{name}.{key}"] = weight.codes.stream
        runs.append((weight.channels, (1,) * len(weight.channels.bits)))
    scales = []
    for ranges, counts in runs:
        groups = list(_groups(ranges.bits, counts))
        scales.append(np.stack([ranges.step[groups], ranges.offset[groups]], axis=1))
    return tensors | {f"{name}.scales": np.concatenate(scales).astype(np.float32)}


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
    shapes = layer.kind.weight_shapes(spec).values()
    return runs + [(layer.weight_bits,) * channels for channels, _ in shapes]


def scale_groups(layer: LayerHeader, graph: GraphSpec) -> list[tuple[int, ...]]:
    """The groups of each of those runs that have a scale."""
    spec, counts = layer.spec, [graph.bucket_nodes]
    if spec.transformed_features:
        counts.append(graph.bucket_nodes)
    if spec.heads:
        counts.append(graph.gathered_edges(spec))
    counts += [(1,) * channels for channels, _ in layer.kind.weight_shapes(spec).values()]
    return [_groups(bits, n) for bits, n in zip(group_bits(layer), counts, strict=True)]


def _num_scales(layer: LayerHeader, graph: GraphSpec) -> int:
    """How many groups have a scale; nothing is listed, so that a header may claim any width."""
    spec, nodes = layer.spec, graph.bucket_nodes
    groups = len(_groups(layer.input_bits, nodes))
    if spec.transformed_features:
        groups += len(_groups(layer.embedding_bits, nodes))
    if spec.heads:
        groups += len(_groups(layer.attention_bits, graph.gathered_edges(spec)))
    if layer.weight_bits == FULL_PRECISION:
        return groups
    return groups + sum(channels for channels, _ in layer.kind.weight_shapes(spec).values())


def vectors(layer: LayerHeader) -> dict[str, tuple[int, ...]]:
    """fp32 vectors of a layer and their shapes."""
    bias: dict[str, tuple[int, ...]] = {"bias": (layer.out_features,)} if layer.bias else {}
    return bias | layer.kind.vector_shapes(layer.spec)


def feature_layout(header: Header) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
    """Rows of each bucket, width and bits of the matrix of stored feature values."""
    spec, bits = header.graph.features, header.layers[0].input_bits
    if spec.dense:
        rows, width = header.graph.bucket_nodes, spec.num_features
    else:
        rows, width = spec.bucket_values, 1
    free = zip(bits, spec.bucket_constant, strict=True)
    return rows, width, tuple(0 if c and b != FULL_PRECISION else b for b, c in free)
