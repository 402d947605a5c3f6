"""One prepared model, many graphs."""

from torch import nn

from sgq_auto.graphs import Graph
from sgq_auto.quantize.forward.model_input import ModelInput


def bind(prepared: nn.Module, graph: Graph) -> nn.Module:
    """Make a prepared model run on another graph, with the same parameters and ranges.

    Ranges of what follows from a graph (features, GCN's coefficients, weights of edges) stay those
    of the graph that the model was prepared for. It is quick to go back and forth: what a model
    makes of a graph is kept while the graph is.

    Args:
        prepared: A model from :func:`sgq_auto.quantize.prepare`.
        graph: A graph with the same features and split points of degrees.

    Returns:
        The model, to be called as ``prepared(graph.features, graph.adj_t)``.

    Raises:
        InputError: If the graph has other features or degree buckets.
    """
    ModelInput.of(prepared).quantizers.bound.bind(graph)
    return prepared
