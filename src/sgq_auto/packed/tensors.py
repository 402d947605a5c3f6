"""A packed model as named tensors, and back, with everything checked that a kernel relies on."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sgq_auto.allocation import FULL_PRECISION, BitAllocation, Component, Site
from sgq_auto.errors import ArtifactError
from sgq_auto.packed.code_matrix import CodeMatrix, stream_bytes
from sgq_auto.packed.coded_rows import BitmapRows, Blocks, EliasFanoRows
from sgq_auto.packed.codes import Array, index_bits, unpack_codes
from sgq_auto.packed.features import PackedFeatures
from sgq_auto.packed.footprint import FootprintModel
from sgq_auto.packed.graph import PackedGraph, bucket_sums, code_edges, pack_degrees, stored_edge_code
from sgq_auto.packed.header import Header, LayerHeader
from sgq_auto.packed.layers import (
    AgnnLayer,
    ConvLayer,
    GatLayer,
    GcnLayer,
    LayerKind,
    LinearLayer,
    PackedLayer,
    WeightedLayer,
)
from sgq_auto.packed.model import PackedModel
from sgq_auto.packed.ranges import Ranges
from sgq_auto.packed.specs import GraphSpec, ModelSpec

Tensors = Mapping[str, Array]
_CHUNK = 1 << 20


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
        arrays.append(model.graph.degrees)
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
        "features.values": stream_bytes(*_feature_layout(header)),
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
        floats |= {f"{name}.{key}": shape for key, shape in _vectors(layer).items()}
        floats[f"{name}.scales"] = (sum(map(len, _scale_groups(layer, graph))), 2)
    return {n: ("U8", (size,)) for n, size in sizes.items() if size} | {
        n: ("F32", shape) for n, shape in floats.items() if shape[0]
    }


def model_from_tensors(header: Header, tensors: Tensors, allowed: int) -> PackedModel:
    """The model of a checked header and tensors of the expected shapes.

    Raises:
        ArtifactError: If the tensors contradict the header, or the model needs more than
            ``allowed`` bytes.
    """
    _check_memory(header, allowed)
    for name, tensor in tensors.items():
        if tensor.dtype == np.float32 and not np.isfinite(tensor).all():
            raise ArtifactError(f"tensor {name} holds NaN or infinite values")
    graph = _graph(header, tensors)
    layers = tuple(_layer(layer, header.graph, tensors) for layer in header.layers)
    features = _features(header, tensors, layers[0].inputs)
    return PackedModel(graph, features, layers, header.classes, header.source)


def _check_memory(header: Header, allowed: int) -> None:
    sites: dict[Site, int] = {}
    for layer in header.layers:
        name = layer.spec.name
        for component, bits in (
            (Component.EMBEDDING, layer.embedding_bits),
            (Component.ATTENTION, layer.attention_bits),
        ):
            sites |= {Site(name, component, b): width for b, width in enumerate(bits)}
        if layer.spec.weight_shape:
            sites[Site(name, Component.WEIGHT)] = layer.weight_bits
    model = FootprintModel(ModelSpec(tuple(la.spec for la in header.layers)), header.graph)
    logits = 4 * header.graph.num_nodes * len(header.classes)
    needed = model.packed(BitAllocation(sites)).resident_bytes + logits
    if needed > allowed:
        raise ArtifactError(f"it would take {needed} bytes to predict; {allowed} are allowed")


def _graph(header: Header, tensors: Tensors) -> PackedGraph:
    spec = header.graph
    high, low = _bytes(tensors, "edges.high"), _bytes(tensors, "edges.low")
    _check_code(spec.stored_pattern, high, low, "edges")
    edges, degrees = code_edges(spec, high, low)
    in_edges = bucket_sums(1 + degrees, spec.bucket_nodes)
    if in_edges != spec.bucket_in_edges or int(degrees.max(initial=0)) != spec.max_in_degree:
        raise ArtifactError("the edges are not those that the header counts")
    bucket_map = _bytes(tensors, "bucket_map")
    if bucket_map.size:
        buckets = unpack_codes(bucket_map, index_bits(spec.num_buckets - 1), spec.num_nodes)
        counts = np.bincount(buckets, minlength=spec.num_buckets)
        if tuple(counts.tolist()) != spec.bucket_nodes:
            raise ArtifactError("bucket_map is not what the header counts")
    return PackedGraph(spec, edges, pack_degrees(spec, degrees), bucket_map, header.split_points)


def _features(header: Header, tensors: Tensors, ranges: Ranges) -> PackedFeatures:
    spec, nodes = header.graph.features, header.graph.num_nodes
    rows, width, bits = _feature_layout(header)
    stream = _bytes(tensors, "features.values")
    values = CodeMatrix(rows, width, bits, ranges, stream)
    _check_finite(values, "features.values")
    pattern: EliasFanoRows | BitmapRows | None = None
    blocks = Blocks(header.graph.bucket_nodes)
    if spec.uses_bitmap(nodes):
        bitmap = _bytes(tensors, "features.bitmap")
        counts = _bitmap_counts(bitmap, nodes, spec.num_features)
        pattern = BitmapRows(spec.num_features, bitmap, blocks.starts(counts))
    elif not spec.dense:
        code = _bytes(tensors, "features.high"), _bytes(tensors, "features.low")
        layout = spec.pattern(nodes)
        _check_code(layout, *code, "features")
        counts = np.zeros(nodes, dtype=np.int64)
        for positions in layout.decode_all(*code):
            counts += np.bincount(positions // spec.num_features, minlength=nodes)
        pattern = EliasFanoRows(layout, spec.num_features, *code, blocks.starts(counts))
    if pattern is not None:
        if bucket_sums(counts, header.graph.bucket_nodes) != spec.bucket_values:
            raise ArtifactError("the features are not those that the header counts")
    return PackedFeatures(spec, pattern, values, header.normalize_rows)


def _layer(layer: LayerHeader, graph: GraphSpec, tensors: Tensors) -> PackedLayer:
    name = layer.spec.name
    scales = tensors.get(f"{name}.scales", np.empty((0, 2), np.float32))
    if scales.size and not (scales[:, 0] > 0).all():
        raise ArtifactError(f"tensor {name}.scales holds a step that is not above 0")
    parts, start = [], 0
    bits = _bits(layer)
    for groups, widths in zip(_scale_groups(layer, graph), bits, strict=True):
        parts.append(_ranges(widths, groups, scales[start : start + len(groups)]))
        start += len(groups)
    vectors = {key: tensors[f"{name}.{key}"] for key in _vectors(layer)}
    common: dict[str, Any] = {
        "spec": layer.spec,
        "activation": layer.activation,
        "inputs": parts[0],
        "bias": vectors.get("bias"),
    }
    if layer.kind is LayerKind.AGNN:
        beta = float(vectors["beta"][0]) if layer.learns_beta else 1.0
        return AgnnLayer(**common, attention=parts[1], beta=beta)
    rows = layer.spec.in_features
    weight = CodeMatrix(
        (rows,),
        layer.spec.weight_shape[0] if layer.spec.weight_shape else 0,
        (layer.weight_bits,),
        Ranges((layer.weight_bits,), np.ones(1, np.float32), np.zeros(1, np.float32)),
        tensors[f"{name}.weight"],
    )
    _check_finite(weight, f"{name}.weight")
    common |= {"weight": weight, "channels": parts[-1]}
    if layer.kind is LayerKind.LINEAR:
        return LinearLayer(**common)
    common |= {"transformed": parts[1], "attention": parts[2]}
    if layer.kind is LayerKind.GCN:
        return GcnLayer(**common)
    return GatLayer(
        **common,
        source_vectors=vectors["source_vectors"],
        target_vectors=vectors["target_vectors"],
        negative_slope=layer.slope,
        concat=layer.concat,
    )


def _layer_tensors(layer: PackedLayer, graph: GraphSpec) -> dict[str, Array]:
    name, tensors, ranges = layer.spec.name, {}, [layer.inputs]
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
        tensors[f"{name}.weight"] = layer.weight.stream
        ranges.append(layer.channels)
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


def _bits(layer: LayerHeader) -> list[tuple[int, ...]]:
    """Bits of each run of scale groups of a layer, in the order of its scales."""
    embedding, attention = layer.embedding_bits, layer.attention_bits
    if layer.kind is LayerKind.AGNN:
        return [embedding, attention]
    channels = (layer.weight_bits,) * (layer.spec.weight_shape or (0, 0))[0]
    if layer.kind is LayerKind.LINEAR:
        return [embedding, channels]
    return [embedding, embedding, attention, channels]


def _scale_groups(layer: LayerHeader, graph: GraphSpec) -> list[tuple[int, ...]]:
    nodes, edges = graph.bucket_nodes, graph.bucket_in_edges
    channels = (1,) * (layer.spec.weight_shape or (0, 0))[0]
    counts = {
        LayerKind.AGNN: [nodes, edges],
        LayerKind.LINEAR: [nodes, channels],
    }.get(layer.kind, [nodes, nodes, edges, channels])
    return [_groups(bits, n) for bits, n in zip(_bits(layer), counts, strict=True)]


def _vectors(layer: LayerHeader) -> dict[str, tuple[int, ...]]:
    """fp32 vectors of a layer and their shapes."""
    vectors: dict[str, tuple[int, ...]] = {"bias": (layer.out_features,)} if layer.bias else {}
    if layer.kind is LayerKind.GAT:
        heads = layer.spec.heads
        shape = (heads, layer.spec.transformed_features // heads)
        vectors |= {"source_vectors": shape, "target_vectors": shape}
    if layer.learns_beta:
        vectors["beta"] = (1,)
    return vectors


def _ranges(bits: tuple[int, ...], groups: tuple[int, ...], scales: Array) -> Ranges:
    """Ranges of all groups; one that holds nothing here takes over the nearest one's."""
    step, offset = np.ones(len(bits), np.float32), np.zeros(len(bits), np.float32)
    for group, width in enumerate(bits):
        if not groups or width == FULL_PRECISION:
            continue
        nearest = min(range(len(groups)), key=lambda k: abs(groups[k] - group))
        levels = 2 ** bits[groups[nearest]] - 1
        step[group] = scales[nearest, 0] * (levels / (2**width - 1))
        offset[group] = scales[nearest, 1]
    return Ranges(bits, step, offset)


def _feature_layout(header: Header) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
    """Rows of each bucket, width and bits of the matrix of stored feature values."""
    spec, bits = header.graph.features, header.layers[0].embedding_bits
    if spec.dense:
        rows, width = header.graph.bucket_nodes, spec.num_features
    else:
        rows, width = spec.bucket_values, 1
    free = zip(bits, spec.bucket_constant, strict=True)
    return rows, width, tuple(0 if c and b != FULL_PRECISION else b for b, c in free)


def _check_code(layout: Any, high: Array, low: Array, name: str) -> None:
    """An Elias-Fano code with as many set bits as it has integers, all increasing and in range."""
    if int(np.bitwise_count(high).sum()) != layout.count:
        raise ArtifactError(f"{name} is not the code of {layout.count} positions")
    before = -1
    for positions in layout.decode_all(high, low):
        if positions[0] <= before or (np.diff(positions) <= 0).any():
            raise ArtifactError(f"{name}: positions do not increase")
        before = int(positions[-1])
    if before >= layout.universe:
        raise ArtifactError(f"{name}: a position is out of range")


def _check_finite(matrix: CodeMatrix, name: str) -> None:
    for bucket, bits in enumerate(matrix.bits):
        if bits == FULL_PRECISION and not np.isfinite(matrix.slice(bucket).view("<f4")).all():
            raise ArtifactError(f"tensor {name} holds NaN or infinite values")


def _bitmap_counts(bitmap: Array, rows: int, columns: int) -> Array:
    """Set bits of each row."""
    counts = np.zeros(rows, dtype=np.int64)
    step = max(8, _CHUNK // max(columns, 1) // 8 * 8)
    for row in range(0, rows, step):
        size = (min(row + step, rows) - row) * columns
        part = bitmap[row * columns // 8 : row * columns // 8 + (size + 7) // 8]
        digits = np.unpackbits(part, bitorder="little")[:size]
        counts[row : row + step] = digits.reshape(-1, columns).sum(axis=1)
    return counts


def _bytes(tensors: Tensors, name: str) -> Array:
    return tensors.get(name, np.empty(0, np.uint8))
