"""Random models without a graph of their own, and graphs for them to predict."""

from dataclasses import replace
from typing import Any

import numpy as np

from sgq_auto.packed import PackedModel
from sgq_auto.packed.codes.coded_rows import BitmapRows, EliasFanoRows
from sgq_auto.packed.runtime.graphs.edge_weights import PackedEdgeWeights, no_edge_weights
from sgq_auto.packed.runtime.graphs.other_graphs import no_features, no_graph
from sgq_auto.packed.runtime.graphs.prediction_input import StoredInput

_MOST_NODES = 40


def without_graph(model: PackedModel, *, fixed: bool = False) -> PackedModel:
    """The same model for other graphs: its own one is the largest that it was made for.

    Args:
        model: The model.
        fixed: Whether it keeps its edges, and is given features alone.
    """
    spec, features = replace(model.graph.spec, inductive=True, fixed=fixed), model.features
    graph, weights = no_graph(spec, model.graph.split_points), model.graph.weights
    if fixed:
        graph = replace(model.graph, spec=spec)
    elif isinstance(weights, PackedEdgeWeights):
        own = {"symmetric": weights.symmetric, "columns": weights.columns}
        held = no_edge_weights(weights.ranges, **own)
        graph = replace(graph, weights=held)
    ranges, normalize = features.values.ranges, features.normalize_rows
    return replace(
        model, graph=graph, features=no_features(features.spec, ranges, normalize=normalize)
    )


def drawn_graph(model: PackedModel, random: np.random.Generator) -> dict[str, Any]:
    """Arrays of a graph that a model without one predicts; features of one with edges alone."""
    nodes = model.num_nodes if model.holds_graph else int(random.integers(1, _MOST_NODES))
    edges = random.integers(0, nodes, (2, int(random.integers(0, 3 * nodes))))
    edges = edges[:, edges[0] != edges[1]]
    x = random.normal(size=(nodes, model.features.spec.num_features)).astype(np.float32)
    x *= random.random(x.shape) < random.choice([0.1, 0.5, 1.0])
    if model.holds_graph:
        return {"x": x}
    given = {"x": x, "edge_index": edges}
    columns = model.graph.spec.edge_columns
    if columns > 1:
        given["edge_attr"] = random.normal(size=(edges.shape[1], columns)).astype(np.float32)
    elif model.graph.weights is not None:
        given["edge_weight"] = random.uniform(0.1, 3, edges.shape[1]).astype(np.float32)
    return given


def data_bytes(model: PackedModel, given: StoredInput) -> int:
    """Bytes of every array that is held of a graph that is predicted."""
    graph, features = given.graph, given.held
    edges, pattern = graph.edges, features.pattern
    assert isinstance(edges, EliasFanoRows)
    arrays = [edges.high, edges.low, edges.block_starts, graph.bucket_map, features.values.stream]
    if isinstance(pattern, BitmapRows):
        arrays += [pattern.bitmap, pattern.block_starts]
    elif isinstance(pattern, EliasFanoRows):
        arrays += [pattern.high, pattern.low, pattern.block_starts]
    specs = [layer.spec for layer in model.layers]
    if any(spec.attention_from_degrees for spec in specs):
        arrays.append(graph.degrees.stream)
    if isinstance(graph.weights, PackedEdgeWeights):
        arrays.append(graph.weights.codes.stream)
        if any(spec.edge_weights and spec.attention_from_degrees for spec in specs):
            arrays.append(graph.weight_roots)
    return sum(array.nbytes for array in arrays)
