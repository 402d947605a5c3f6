"""From named tensors to a packed model, with everything checked that a kernel relies on."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.allocation import FULL_PRECISION, Component
from sgq_auto.packed.artifact.edge_weight_header import weights_from_tensors
from sgq_auto.packed.artifact.header import Header
from sgq_auto.packed.artifact.layer_headers import LayerHeader
from sgq_auto.packed.artifact.program_reader import feature_ranges, program_of, skip_ranges
from sgq_auto.packed.artifact.scale_tensors import checked_ranges, scaling_from
from sgq_auto.packed.artifact.tensor_shapes import feature_layout, group_bits, scale_groups, vectors
from sgq_auto.packed.codes.bit_packing import Array, PackedIntegers, index_bits, unpack_codes
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.codes.coded_rows import BitmapRows, Blocks, EliasFanoRows
from sgq_auto.packed.codes.elias_fano import EliasFano
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.runtime.graphs.other_graphs import no_features, no_graph
from sgq_auto.packed.runtime.graphs.packed_features import PackedFeatures
from sgq_auto.packed.runtime.graphs.packed_graph import PackedGraph, bucket_sums, code_edges
from sgq_auto.packed.runtime.layers.layer import LayerParts, PackedLayer
from sgq_auto.packed.runtime.packed_model import PackedModel
from sgq_auto.packed.sizes.shape_specs import GraphSpec

Tensors = Mapping[str, Array]
_CHUNK = 1 << 20


def model_from_tensors(header: Header, tensors: Tensors) -> PackedModel:
    """The model of a checked header and tensors of the expected shapes.

    Raises:
        ArtifactError: If the tensors contradict the header.
    """
    for name, tensor in tensors.items():
        if tensor.dtype == np.float32 and not np.isfinite(tensor).all():
            raise ArtifactError(f"tensor {name} holds NaN or infinite values")
    graph = _graph(header, tensors)
    layers = tuple(_layer(layer, header.graph, tensors) for layer in header.layers)
    features = _features(header, tensors, feature_ranges(header, layers, tensors))
    features = replace(features, scaling=scaling_from(header.graph.features, tensors))
    program, skips = program_of(header, tensors), skip_ranges(header, tensors)
    return PackedModel(
        graph,
        features,
        layers,
        program,
        header.classes,
        skips,
        header.source,
        task=header.task,
        target_units=header.target_scale,
    )


def _graph(header: Header, tensors: Tensors) -> PackedGraph:
    spec = header.graph
    if not spec.holds_edges:
        empty = no_graph(spec, header.split_points)
        assert isinstance(empty.edges, EliasFanoRows)
        weights = weights_from_tensors(empty.edges, spec, header.edge_weight_bits, tensors)
        return replace(empty, weights=weights)
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
    packed = PackedIntegers.pack(degrees, spec.max_in_degree)
    weights = weights_from_tensors(edges, spec, header.edge_weight_bits, tensors)
    return PackedGraph(spec, edges, packed, bucket_map, header.split_points, weights)


def _features(header: Header, tensors: Tensors, ranges: Ranges) -> PackedFeatures:
    spec, nodes = header.graph.features, header.graph.num_nodes
    if header.graph.inductive:
        return no_features(spec, ranges, normalize=header.normalize_rows)
    rows, width, bits = feature_layout(header)
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
    if not spec.dense and bucket_sums(counts, header.graph.bucket_nodes) != spec.bucket_values:
        raise ArtifactError("the features are not those that the header counts")
    return PackedFeatures(spec, pattern, values, header.normalize_rows)


def _layer(layer: LayerHeader, graph: GraphSpec, tensors: Tensors) -> PackedLayer:
    name, spec = layer.spec.name, layer.spec
    # In the order in which they were written.
    runs = _scale_runs(layer, graph, tensors)
    inputs, made = next(runs), {}
    if spec.transformed_features:
        made[Component.EMBEDDING] = next(runs)
    if spec.heads:
        made[Component.ATTENTION] = next(runs)
    hops = tuple(next(runs) for _ in range(spec.further_hops))
    keys = layer.kind.weight_shapes(spec)
    parts = LayerParts(
        spec=spec,
        inputs=inputs,
        made=made,
        hops=hops,
        weights={key: _weight(layer, key, next(runs), tensors) for key in keys},
        vectors={key: tensors[f"{name}.{key}"] for key in vectors(layer)},
        settings=layer.settings,
    )
    return layer.kind.of(parts)


def _scale_runs(layer: LayerHeader, graph: GraphSpec, tensors: Tensors) -> Iterator[Ranges]:
    """The ranges of each run of scale groups of a layer, in the order of its scales."""
    groups, bits = scale_groups(layer, graph), group_bits(layer)
    return checked_ranges(layer.spec.name, groups, bits, tensors)


def _weight(layer: LayerHeader, key: str, channels: Ranges, tensors: Tensors) -> PackedWeight:
    bits, name = layer.weight_bits, f"{layer.spec.name}.{key}"
    plain = Ranges((bits,), np.ones(1, np.float32), np.zeros(1, np.float32))
    columns, rows = layer.kind.weight_shapes(layer.spec)[key]
    codes = CodeMatrix((rows,), columns, (bits,), plain, tensors[name])
    _check_finite(codes, name)
    return PackedWeight(codes, channels)


def _check_code(layout: EliasFano, high: Array, low: Array, name: str) -> None:
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
