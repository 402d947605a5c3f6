"""Random models in C that are given graphs or features, and graphs to give them."""

from dataclasses import replace

import numpy as np
from pooled_models import pooled

from sgq_auto.packed import PackedModel
from sgq_auto.packed.runtime.graphs.other_graphs import no_features, no_graph


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
    spec = replace(model.graph.spec, inductive=True)
    return replace(_with_no_features(model), graph=no_graph(spec, model.graph.split_points))


def _with_no_features(model: PackedModel) -> PackedModel:
    held = model.features
    ranges, normalize = held.values.ranges, held.normalize_rows
    return replace(model, features=no_features(held.spec, ranges, normalize=normalize))


def random_features(model: PackedModel, nodes: int, random: np.random.Generator) -> np.ndarray:
    """``[nodes, F]`` features, many of them 0."""
    x = random.normal(size=(nodes, model.features.spec.num_features)).astype(np.float32)
    x[random.random(x.shape) < random.random()] = 0
    return x


def random_edges(nodes: int, random: np.random.Generator) -> np.ndarray:
    """``[2, E]`` edges, repeats and edges from a node to itself among them."""
    edges: np.ndarray = random.integers(0, nodes, (2, int(random.integers(0, 4 * nodes))))
    return edges
