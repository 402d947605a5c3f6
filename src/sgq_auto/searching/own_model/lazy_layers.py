"""Models whose layers learn their sizes from the first graph that they see (``in_channels=-1``)."""

import contextlib

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from sgq_auto.graphs import Graph
from sgq_auto.quantize import run_plain
from sgq_auto.searching.own_model.computation_probe import made_up_inputs, node_counts


def initialise(model: nn.Module, graph: Graph) -> None:
    """Let a model see made-up nodes of as many features as the graph has, if it still has to.

    One that fails stays as it is: what is wrong with it is said where it runs on the graph.
    """
    if not _is_lazy(model):
        return
    training = model.training
    for nodes in node_counts(graph):
        with contextlib.suppress(Exception):
            inputs = made_up_inputs(nodes, graph.features.num_features, torch.float32, graph)
            run_plain(model.eval(), *inputs)
            break
    model.train(training)


def _is_lazy(model: nn.Module) -> bool:
    held = [*model.parameters(), *model.buffers()]
    return any(isinstance(each, UninitializedParameter | UninitializedBuffer) for each in held)
