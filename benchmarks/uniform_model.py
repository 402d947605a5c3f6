"""A packed model with the same bits everywhere, for benchmarks of speed and memory."""

import torch
from torch import nn

from sgq_auto.graphs import Graph
from sgq_auto.packed import PackedModel
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import convert, prepare, trace_spec
from sgq_auto.training import FitSettings, fit


def uniform_model(plain: nn.Module, graph: Graph, bits: int = 4, *, epochs: int = 3) -> PackedModel:
    """A model at uniform bits after a short training, packed for its graph.

    Args:
        plain: The model; it stays as it is.
        graph: Its graph.
        bits: The bits of every site.
        epochs: Of training. A few are enough for ranges like those of a trained model, where
            accuracy is not measured.
    """
    torch.manual_seed(0)
    sites = trace_spec(prepare(plain, graph), graph).sites(len(graph.bucket_nodes))
    prepared = prepare(plain, graph, BitAllocation.uniform(sites, bits))
    settings = FitSettings(epochs=epochs, learning_rate=0.01, weight_decay=5e-4)
    fit(prepared, graph, settings, seed=0)
    return convert(prepared, graph)
