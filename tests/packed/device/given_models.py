"""Random models in C that are given graphs or features, and graphs to give them."""

from dataclasses import replace

import numpy as np
from cases import random_allocation, trained
from pooled_models import pooled

from joined_graphs import prepared_graphs, random_graphs
from sgq_auto.graphs import RawGraph
from sgq_auto.packed import PackedModel
from sgq_auto.packed.runtime.graphs.edge_weights import PackedEdgeWeights, no_edge_weights
from sgq_auto.packed.runtime.graphs.feature_scaling import FeatureScaling
from sgq_auto.packed.runtime.graphs.other_graphs import no_features, no_graph
from sgq_auto.quantize import convert
from weighted_graphs import weighted_net, with_weights


def of_one_graph(model: PackedModel, random: np.random.Generator) -> PackedModel:
    """A model whose outputs are pooled, all nodes together."""
    made = pooled(model, random)
    spec = replace(made.graph.spec, num_graphs=1)
    return replace(made, graph=replace(made.graph, spec=spec, graph_map=None))


def without_features(model: PackedModel) -> PackedModel:
    """The same model for features that are given."""
    spec = replace(model.graph.spec, inductive=True, fixed=True)
    return replace(_with_no_features(model), graph=replace(model.graph, spec=spec))


def without_graph(model: PackedModel) -> PackedModel:
    """The same model for graphs that are given; its own one is the largest."""
    graph = model.graph
    weights = graph.weights
    if isinstance(weights, PackedEdgeWeights):
        weights = no_edge_weights(weights.ranges, symmetric=weights.symmetric)
    spec = replace(graph.spec, inductive=True)
    made = no_graph(spec, graph.split_points)
    return replace(_with_no_features(model), graph=replace(made, weights=weights))


def _with_no_features(model: PackedModel) -> PackedModel:
    held = model.features
    ranges, normalize = held.values.ranges, held.normalize_rows
    return replace(model, features=no_features(held.spec, ranges, normalize=normalize))


def scaled(model: PackedModel, random: np.random.Generator) -> PackedModel:
    """The same model with some columns of features scaled."""
    graph, held = model.graph, model.features
    spec = replace(held.spec, scaled=True)
    is_scaled = random.random(spec.num_features) < 0.5
    mean = np.where(is_scaled, random.normal(size=is_scaled.size), 0)
    factor = np.where(is_scaled, random.uniform(0.2, 5, is_scaled.size), 1)
    features = replace(held, spec=spec, scaling=FeatureScaling.of_arrays(mean, factor))
    graph = replace(graph, spec=replace(graph.spec, features=spec))
    return replace(model, graph=graph, features=features)


def random_features(model: PackedModel, nodes: int, random: np.random.Generator) -> np.ndarray:
    """``[nodes, F]`` features, many of them 0."""
    x = random.normal(size=(nodes, model.features.spec.num_features)).astype(np.float32)
    x[random.random(x.shape) < random.random()] = 0
    return x


def random_edges(nodes: int, random: np.random.Generator) -> np.ndarray:
    """``[2, E]`` edges, repeats and edges from a node to itself among them."""
    edges: np.ndarray = random.integers(0, nodes, (2, int(random.integers(0, 4 * nodes))))
    return edges


def random_weights(edges: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """``[E]`` weights from 0 on, 1 at self-loops; of both directions often the same."""
    source, target = edges
    tags = 37 * np.minimum(source, target) + np.maximum(source, target)
    drawn = random.uniform(0, 2, int(tags.max(initial=0)) + 1)
    weights = drawn[tags] if random.random() < 0.5 else random.uniform(0, 2, source.size)
    weights[source == target] = 1
    return weights.astype(np.float32)


def weighted_case() -> tuple[PackedModel, list[RawGraph]]:
    """A trained model that reads weights of edges of other graphs, and its graphs."""
    raws = [with_weights(raw, symmetric=k % 2 == 0) for k, raw in enumerate(_unweighted())]
    graph = prepared_graphs(raws)
    plain = weighted_net("mixed", graph.features.num_features, graph.num_classes)
    allocation = random_allocation(plain, graph, [2, 4, 8, 32], 0)
    return convert(trained(plain, graph, allocation), graph), raws


def _unweighted() -> list[RawGraph]:
    return random_graphs(8, seed=3, nodes=(4, 24))
