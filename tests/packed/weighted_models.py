"""Random packed models whose layers read the weights of edges."""

from dataclasses import replace

import numpy as np

from sgq_auto.packed import PackedModel
from sgq_auto.packed.codes.coded_rows import EliasFanoRows
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.runtime.graphs.edge_weights import (
    both_directions,
    pack_edge_weights,
)
from sgq_auto.packed.sizes.edge_weight_spec import EdgeWeightSpec

_KINDS = ("gcn", "graph_conv")
_BITS = (*range(1, 17), 32)


def weighted(model: PackedModel, random: np.random.Generator) -> PackedModel:
    """A model with random weights of edges, read by those of its layers that can; else itself."""
    layers = tuple(
        replace(layer, spec=replace(layer.spec, edge_weights=layer.kind in _KINDS))
        for layer in model.layers
    )
    if not any(layer.spec.edge_weights for layer in layers):
        return model
    return with_random_values(replace(model, layers=layers), random)


def with_random_values(
    model: PackedModel, random: np.random.Generator, columns: int = 1
) -> PackedModel:
    """A model with so many random numbers for each edge."""
    graph, spec = model.graph, model.graph.spec
    assert isinstance(graph.edges, EliasFanoRows)
    row, col = graph.edges.coordinates()
    symmetric = spec.symmetric and bool(random.random() < 0.5)
    shape = row.size if columns == 1 else (row.size, columns)
    values, lower = random.normal(size=shape), row > col
    stored = spec.bucket_edges
    if symmetric:
        values = both_directions(values[lower], row, col)
        ends = np.concatenate(([0], np.cumsum(spec.bucket_nodes)))
        stored = tuple(np.diff(np.searchsorted(row[lower], ends)).tolist())
    ranges = _ranges(spec.num_buckets, random)
    weights = pack_edge_weights(values, spec.bucket_edges, ranges, symmetric=symmetric)
    spec = replace(spec, weights=EdgeWeightSpec(symmetric, stored, columns))
    return replace(model, graph=replace(graph, spec=spec, weights=weights))


def _ranges(buckets: int, random: np.random.Generator) -> Ranges:
    bits = tuple(int(b) for b in random.choice(_BITS, buckets))
    full = np.array(bits) == 32
    step = np.where(full, 1.0, random.uniform(1, 3, buckets) / (2.0 ** np.array(bits) - 1))
    offset = np.where(full, 0.0, random.uniform(-1, 0.5, buckets))
    return Ranges(bits, step.astype(np.float32), offset.astype(np.float32))
