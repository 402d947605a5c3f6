"""The epoch loop asks nothing of a device that would make the host wait for it."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from sgq_auto.compute import TorchEngine
from sgq_auto.graphs import Graph, PreparedData, SparseFeatures
from sgq_auto.models import AGNN, GAT, GCN, GIN, SAGE
from sgq_auto.packed import FootprintModel
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import prepare, trace_spec
from sgq_auto.training import FitSettings, Schedule, fit, predict

_SYNCHRONISING = {"aten::_local_scalar_dense", "aten::nonzero", "aten::item"}


class CountSyncs(TorchDispatchMode):
    """Counts operations whose result the host must wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        on_device = any(isinstance(a, torch.Tensor) and a.dim() > 0 for a in args)
        name = func.name().split(".")[0]
        self.count += name in _SYNCHRONISING and (on_device or name.endswith("scalar_dense"))
        return func(*args, **(kwargs or {}))


def general(graph: Graph) -> Graph:
    """The graph as it would be on a device without compiled kernels."""
    features = graph.features
    assert isinstance(features, SparseFeatures)
    pattern = replace(features.pattern, engine=TorchEngine())
    return replace(
        graph,
        adj_t=replace(graph.adj_t, engine=TorchEngine()),
        features=replace(features, pattern=pattern),
    )


def _quantized(kind: type[nn.Module], graph: Graph) -> nn.Module:
    torch.manual_seed(0)
    model = kind(graph.features.num_features, graph.num_classes)
    sites = FootprintModel(trace_spec(prepare(model, graph), graph), graph.spec).sites()
    return prepare(model, graph, BitAllocation.uniform(sites, 4))


def _settings(epochs: int) -> FitSettings:
    return FitSettings(
        epochs,
        learning_rate=0.02,
        weight_decay=0.0,
        evaluate_every=epochs,
        schedule=Schedule.COSINE,
        distillation=1.0,
    )


@pytest.mark.parametrize("kind", [GCN, GAT, AGNN, SAGE, GIN])
def test_epochs_do_not_synchronise(kind: type[nn.Module], synthetic: PreparedData) -> None:
    graph = general(synthetic.graph)
    teacher = torch.full((graph.num_nodes, graph.num_classes), 1 / graph.num_classes)
    counts = []
    for epochs in (2, 12):
        model = _quantized(kind, graph)
        with CountSyncs() as syncs:
            fit(model, graph, _settings(epochs), 0, teacher)
        counts.append(syncs.count)
    # Each epoch draws its dropout seeds on the host, from the host's own generator.
    seeds = 4 if kind is GAT else 2
    assert counts[1] - counts[0] == 10 * seeds


@pytest.mark.parametrize("kind", [GCN, GAT, AGNN, SAGE, GIN])
def test_general_engine_computes_what_the_kernels_do(
    kind: type[nn.Module], synthetic: PreparedData
) -> None:
    graph = synthetic.graph
    compiled, slow = _quantized(kind, graph), _quantized(kind, general(graph))
    torch.testing.assert_close(
        predict(compiled, graph), predict(slow, general(graph)), atol=1e-4, rtol=1e-4
    )


def test_general_engine_trains_as_well(synthetic: PreparedData) -> None:
    accuracies = []
    for graph in (synthetic.graph, general(synthetic.graph)):
        model = _quantized(GCN, graph)
        settings = replace(_settings(60), distillation=0.0)
        accuracies.append(fit(model, graph, settings, 0).val_accuracy)
    assert min(accuracies) > 0.6
    assert abs(accuracies[0] - accuracies[1]) < 0.1
