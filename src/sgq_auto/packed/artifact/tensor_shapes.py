"""The tensors of an artifact: their names, types and shapes."""

from collections.abc import Mapping

import numpy as np

from sgq_auto.packed.allocation import FEATURES, FULL_PRECISION, Component
from sgq_auto.packed.artifact.edge_weight_header import (
    expected_weight_tensors,
    weight_tensors,
)
from sgq_auto.packed.artifact.header import Header
from sgq_auto.packed.artifact.layer_headers import LayerHeader
from sgq_auto.packed.artifact.scale_tensors import (
    scaled_groups,
    scales_of,
    scaling_shapes,
    scaling_tensors,
)
from sgq_auto.packed.artifact.stage_headers import OPERATION_PREFIX
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import stream_bytes
from sgq_auto.packed.codes.coded_rows import BitmapRows, EliasFanoRows
from sgq_auto.packed.runtime.graphs.packed_graph import stored_edge_code
from sgq_auto.packed.runtime.layers.layer import PackedLayer
from sgq_auto.packed.runtime.packed_model import PackedModel
from sgq_auto.packed.sizes.shape_specs import GraphSpec

Tensors = Mapping[str, Array]


def tensors_of(model: PackedModel) -> dict[str, Array]:
    """The tensors of an artifact; those without an element are left out."""
    tensors = _edge_tensors(model) if model.holds_graph else {}
    tensors |= _feature_tensors(model) if model.holds_features else {}
    tensors |= scaling_tensors(model.features.scaling)
    for layer in model.layers:
        tensors |= _layer_tensors(layer, model.graph.spec)
    tensors |= _program_tensors(model) | weight_tensors(model.graph)
    return {name: tensor for name, tensor in tensors.items() if tensor.size}


def _edge_tensors(model: PackedModel) -> dict[str, Array]:
    """What an artifact holds of the edges of a model's own graph."""
    high, low = stored_edge_code(model.graph)
    return {
        "edges.high": high,
        "edges.low": low,
        "bucket_map": model.graph.bucket_map,
    }


def _feature_tensors(model: PackedModel) -> dict[str, Array]:
    """What it holds of its features."""
    tensors: dict[str, Array] = {"features.values": model.features.values.stream}
    pattern = model.features.pattern
    if isinstance(pattern, BitmapRows):
        tensors["features.bitmap"] = pattern.bitmap
    elif isinstance(pattern, EliasFanoRows):
        tensors |= {"features.high": pattern.high, "features.low": pattern.low}
    return tensors


def expected_tensors(header: Header) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of every tensor that an artifact with this header holds."""
    graph = header.graph
    sizes = _edge_sizes(graph) if graph.holds_edges else {}
    sizes |= {} if graph.inductive else _feature_sizes(header)
    floats = scaling_shapes(graph.features)
    for layer in header.layers:
        name = layer.spec.name
        for key, (rows, columns) in layer.kind.weight_shapes(layer.spec).items():
            sizes[f"{name}.{key}"] = stream_bytes((rows * columns,), 1, (layer.weight_bits,))
        floats |= {f"{name}.{key}": shape for key, shape in vectors(layer).items()}
        floats[f"{name}.scales"] = (_num_scales(layer, graph), 2)
    floats |= _program_shapes(header)
    expected = {n: ("U8", (size,)) for n, size in sizes.items() if size} | {
        n: ("F32", shape) for n, shape in floats.items() if shape[0]
    }
    return expected | expected_weight_tensors(graph, header.edge_weight_bits)


def _edge_sizes(graph: GraphSpec) -> dict[str, int]:
    """Bytes of what an artifact holds of the edges of a graph."""
    edges = graph.stored_pattern
    return {
        "edges.high": edges.high_bytes,
        "edges.low": edges.low_bytes,
        "bucket_map": graph.bucket_map_bytes,
    }


def _feature_sizes(header: Header) -> dict[str, int]:
    """The same of its features."""
    nodes, features = header.graph.num_nodes, header.graph.features
    sizes = {"features.values": stream_bytes(*feature_layout(header))}
    if features.uses_bitmap(nodes):
        sizes["features.bitmap"] = (nodes * features.num_features + 7) // 8
    elif not features.dense:
        pattern = features.pattern(nodes)
        sizes |= {"features.high": pattern.high_bytes, "features.low": pattern.low_bytes}
    return sizes


def operation_tensor(stage: int, operation: int, name: str) -> str:
    """The name of an operation's tensor."""
    return f"{OPERATION_PREFIX}{stage}:{operation}:{name}"


def _program_tensors(model: PackedModel) -> dict[str, Array]:
    """The scales of skip connections and features, and what operations hold."""
    program, graph = model.program, model.graph.spec
    runs = dict(model.skips)
    if not any(program.reads_features(layer.spec.name) for layer in model.layers):
        runs[FEATURES] = model.features.values.ranges
    tensors: dict[str, Array] = {}
    for name, ranges in runs.items():
        rows = graph.scaled(graph.rows(per_graph=name in program.graph_buffers))
        tensors[f"{name}.scales"] = scales_of(ranges, rows)
    for position, stage in enumerate(program.stages):
        for place, operation in enumerate(stage.operations):
            for name, tensor in operation.held().items():
                tensors[operation_tensor(position, place, name)] = tensor
    return tensors


def _program_shapes(header: Header) -> dict[str, tuple[int, ...]]:
    """The shapes of those tensors."""
    graph = header.graph
    runs = {
        name: (skip.bits, graph.scaled(graph.rows(per_graph=skip.per_graph)))
        for name, skip in header.skips.items()
    }
    if not any(layer.reads_features for layer in header.layers):
        runs[FEATURES] = header.feature_bits, graph.scaled(graph.bucket_nodes)
    shapes: dict[str, tuple[int, ...]] = {
        f"{name}.scales": (len(scaled_groups(*run)), 2) for name, run in runs.items()
    }
    for position, stage in enumerate(header.stages):
        for place, operation in enumerate(stage.operations):
            for name, shape in operation.shapes.items():
                shapes[operation_tensor(position, place, name)] = shape
    return shapes


def _layer_tensors(layer: PackedLayer, graph: GraphSpec) -> dict[str, Array]:
    name, nodes = layer.spec.name, graph.scaled(graph.rows(per_graph=layer.spec.per_graph))
    edges = graph.scaled(graph.gathered_edges(layer.spec))
    tensors: dict[str, Array] = {f"{name}.{key}": v for key, v in layer.vectors().items()}
    # Each run of scale groups, and how much each of its groups holds.
    runs = [(layer.inputs, nodes)]
    runs += [(r, edges if c is Component.ATTENTION else nodes) for c, r in layer.made().items()]
    runs += [(ranges, nodes) for ranges in layer.hop_ranges()]
    for key, weight in layer.weights().items():
        tensors[f"{name}.{key}"] = weight.codes.stream
        runs.append((weight.channels, (1,) * len(weight.channels.bits)))
    scales = [scales_of(ranges, counts) for ranges, counts in runs]
    return tensors | {f"{name}.scales": np.concatenate(scales)}


def group_bits(layer: LayerHeader) -> list[tuple[int, ...]]:
    """Bits of each run of scale groups of a layer, in the order of its scales."""
    spec, runs = layer.spec, [layer.input_bits]
    if spec.transformed_features:
        runs.append(layer.embedding_bits)
    if spec.heads:
        runs.append(layer.attention_bits)
    runs += [layer.embedding_bits] * spec.further_hops
    shapes = layer.kind.weight_shapes(spec).values()
    return runs + [(layer.weight_bits,) * channels for channels, _ in shapes]


def scale_groups(layer: LayerHeader, graph: GraphSpec) -> list[tuple[int, ...]]:
    """The groups of each of those runs that have a scale."""
    spec, nodes = layer.spec, graph.scaled(graph.rows(per_graph=layer.spec.per_graph))
    counts = [nodes]
    if spec.transformed_features:
        counts.append(nodes)
    if spec.heads:
        counts.append(graph.scaled(graph.gathered_edges(spec)))
    counts += [nodes] * spec.further_hops
    counts += [(1,) * channels for channels, _ in layer.kind.weight_shapes(spec).values()]
    return [scaled_groups(bits, n) for bits, n in zip(group_bits(layer), counts, strict=True)]


def _num_scales(layer: LayerHeader, graph: GraphSpec) -> int:
    """How many groups have a scale; nothing is listed, so that a header may claim any width."""
    spec, nodes = layer.spec, graph.scaled(graph.rows(per_graph=layer.spec.per_graph))
    groups = len(scaled_groups(layer.input_bits, nodes))
    if spec.transformed_features:
        groups += len(scaled_groups(layer.embedding_bits, nodes))
    if spec.heads:
        edges = graph.scaled(graph.gathered_edges(spec))
        groups += len(scaled_groups(layer.attention_bits, edges))
    if spec.further_hops:
        groups += spec.further_hops * len(scaled_groups(layer.embedding_bits, nodes))
    if layer.weight_bits == FULL_PRECISION:
        return groups
    return groups + sum(channels for channels, _ in layer.kind.weight_shapes(spec).values())


def vectors(layer: LayerHeader) -> dict[str, tuple[int, ...]]:
    """fp32 vectors of a layer and their shapes."""
    bias: dict[str, tuple[int, ...]] = {"bias": (layer.out_features,)} if layer.bias else {}
    return bias | layer.kind.vector_shapes(layer.spec)


def feature_layout(header: Header) -> tuple[tuple[int, ...], int, tuple[int, ...]]:
    """Rows of each bucket, width and bits of the matrix of stored feature values."""
    spec, bits = header.graph.features, header.feature_bits
    if spec.dense:
        rows, width = header.graph.bucket_nodes, spec.num_features
    else:
        rows, width = spec.bucket_values, 1
    free = zip(bits, spec.bucket_constant, strict=True)
    return rows, width, tuple(0 if c and b != FULL_PRECISION else b for b, c in free)
