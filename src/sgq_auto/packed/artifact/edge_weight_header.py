"""What an artifact says and holds of the weights of edges; nothing where no layer reads any.

Features of edges are weights of several columns.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.allocation import EDGE_WEIGHTS, FULL_PRECISION
from sgq_auto.packed.artifact.scale_tensors import checked_ranges, scaled_groups, scales_of
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix, stream_bytes
from sgq_auto.packed.codes.coded_rows import EliasFanoRows
from sgq_auto.packed.header_fields import bit_widths, count, counts, flag, object_of
from sgq_auto.packed.runtime.graphs.edge_weights import (
    PackedEdgeWeights,
    no_edge_weights,
    unpack_edge_weights,
)
from sgq_auto.packed.runtime.graphs.packed_graph import PackedGraph
from sgq_auto.packed.sizes.edge_weight_spec import EdgeWeightSpec
from sgq_auto.packed.sizes.shape_specs import GraphSpec, LayerSpec

_KEY, _COLUMNS = "edge_weights", "columns"
VALUES, SCALES = f"{EDGE_WEIGHTS}.values", f"{EDGE_WEIGHTS}.scales"


def with_edge_weights(
    root: Mapping[str, Any], graph: GraphSpec
) -> tuple[GraphSpec, tuple[int, ...]]:
    """A graph with what a header says of its weights, and their bits; no bits without weights.

    Raises:
        ArtifactError: If something is missing, of the wrong type, or does not fit the edges.
    """
    if _KEY not in root:
        return graph, ()
    node, buckets = object_of(root, _KEY), graph.num_buckets
    columns = count(node, _COLUMNS, 1) if _COLUMNS in node else 1
    spec = EdgeWeightSpec(flag(node, "symmetric"), counts(node, "stored", buckets), columns)
    if spec.symmetric:
        held = zip(spec.stored, graph.bucket_edges, strict=True)
        fits = graph.symmetric and 2 * sum(spec.stored) == graph.num_edges
        fits = fits and all(n <= edges for n, edges in held)
    else:
        fits = spec.stored == graph.bucket_edges
    if not fits:
        raise ArtifactError(f"{_KEY}: stored does not fit the edges")
    return replace(graph, weights=spec), bit_widths(node, "bits", buckets)


def check_readers(graph: GraphSpec, layers: Iterable[LayerSpec]) -> None:
    """Check that there are weights where a layer reads them, and nowhere else.

    Raises:
        ArtifactError: If not, or if a layer is called as the weights are.
    """
    layers = list(layers)
    read = any(layer.reads_edges for layer in layers)
    if read != (graph.weights is not None):
        said = "no layer reads them" if not read else "a layer reads them, and there are none"
        raise ArtifactError(f"{_KEY}: {said}")
    for layer in layers:
        wanted = layer.edge_features or (1 if layer.edge_weights else graph.edge_columns)
        if wanted != graph.edge_columns:
            raise ArtifactError(
                f"{layer.name}: it reads {wanted} numbers of each edge, which has "
                f"{graph.edge_columns}"
            )
    if read and any(layer.name == EDGE_WEIGHTS for layer in layers):
        raise ArtifactError(f"a layer is called {EDGE_WEIGHTS!r}, as the weights of edges are")


def described_weights(weights: PackedEdgeWeights, spec: EdgeWeightSpec) -> dict[str, Any]:
    """What :func:`with_edge_weights` reads; one column is not said, as in earlier versions."""
    columns = {} if spec.columns == 1 else {_COLUMNS: spec.columns}
    own = {"symmetric": spec.symmetric, "stored": spec.stored}
    return {_KEY: {**own, **columns, "bits": weights.ranges.bits}}


def weight_tensors(graph: PackedGraph) -> dict[str, Array]:
    """The tensors that an artifact holds of a graph's weights."""
    weights = graph.weights
    if not isinstance(weights, PackedEdgeWeights):
        return {}
    scales = scales_of(weights.ranges, graph.spec.scaled(graph.spec.bucket_edges))
    if not graph.spec.holds_edges:
        return {SCALES: scales}
    assert isinstance(graph.edges, EliasFanoRows)
    return {VALUES: weights.stored(*graph.edges.coordinates()), SCALES: scales}


def expected_weight_tensors(
    graph: GraphSpec, bits: tuple[int, ...]
) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of each of these tensors; those without an element are left out."""
    if graph.weights is None:
        return {}
    columns = graph.edge_columns
    size = stream_bytes(graph.weights.stored, columns, bits) if graph.holds_edges else 0
    groups = scaled_groups(bits, graph.scaled(graph.bucket_edges))
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    if size:
        found[VALUES] = ("U8", (size,))
    if groups:
        found[SCALES] = ("F32", (len(groups), 2))
    return found


def weights_from_tensors(
    edges: EliasFanoRows,
    spec: GraphSpec,
    bits: tuple[int, ...],
    tensors: Mapping[str, Array],
) -> PackedEdgeWeights | None:
    """The weights of a graph, both directions of its edges, from tensors of expected shapes.

    Args:
        edges: The graph's edges.
        spec: Its counts.
        bits: Bits of each bucket's weights.
        tensors: All tensors of the file.

    Raises:
        ArtifactError: If the tensors contradict the header.
    """
    if spec.weights is None:
        return None
    groups = scaled_groups(bits, spec.scaled(spec.bucket_edges))
    (ranges,) = checked_ranges(EDGE_WEIGHTS, [groups], [bits], tensors)
    if not spec.holds_edges:
        own = spec.weights.symmetric, spec.weights.columns
        return no_edge_weights(ranges, symmetric=own[0], columns=own[1])
    stored = tensors.get(VALUES, np.empty(0, np.uint8))
    held = CodeMatrix(spec.weights.stored, spec.weights.columns, bits, ranges, stored)
    for bucket, width in enumerate(bits):
        if width == FULL_PRECISION and not np.isfinite(held.slice(bucket).view("<f4")).all():
            raise ArtifactError(f"tensor {VALUES} holds NaN or infinite values")
    if not spec.weights.symmetric:
        return PackedEdgeWeights(held, symmetric=False)
    row, col = edges.coordinates()
    ends = np.cumsum(spec.bucket_nodes)
    lower = np.searchsorted(np.sort(row[row > col]), np.concatenate(([0], ends)))
    if tuple(np.diff(lower).tolist()) != spec.weights.stored:
        raise ArtifactError(f"{_KEY}: stored is not what the edges are")
    return unpack_edge_weights(held, row, col, spec.bucket_edges)
