"""Full-precision accuracy on the fast path: as published on real graphs, useful after 25 epochs."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean

import pytest
import torch
from torch import nn

from sgq_auto.graphs import PreparedData
from sgq_auto.models import AGNN, GAT, GCN, GIN, SAGE
from sgq_auto.quantize import prepare
from sgq_auto.training import FitSettings, fit, predict

pytestmark = pytest.mark.system


@dataclass(frozen=True)
class Published:
    """A figure of the literature and the settings that reach it."""

    dataset: str
    build: Callable[[int, int], nn.Module]
    settings: FitSettings
    test_accuracy: float


def _pubmed_gat(in_features: int, num_classes: int) -> nn.Module:
    return GAT(in_features, num_classes, output_heads=8)


_GCN = FitSettings(epochs=200, learning_rate=0.01, weight_decay=5e-4)
_GAT = FitSettings(epochs=300, learning_rate=0.005, weight_decay=1e-3)
_PUBMED_GAT = FitSettings(epochs=200, learning_rate=0.01, weight_decay=1e-3)

_PUBLISHED = {
    "gcn-cora": Published("Cora", GCN, _GCN, 81.5),
    "gcn-citeseer": Published("CiteSeer", GCN, _GCN, 70.3),
    "gcn-pubmed": Published("PubMed", GCN, _GCN, 79.0),
    "gat-cora": Published("Cora", GAT, _GAT, 83.0),
    "gat-citeseer": Published("CiteSeer", GAT, _GAT, 72.5),
    "gat-pubmed": Published("PubMed", _pubmed_gat, _PUBMED_GAT, 79.0),
}


def _test_accuracy(
    build: Callable[[int, int], nn.Module], data: PreparedData, settings: FitSettings, seed: int
) -> float:
    graph = data.graph
    torch.manual_seed(seed)
    prepared = prepare(build(graph.features.num_features, graph.num_classes), graph)
    fit(prepared, graph, settings, seed)
    return data.held_out.accuracy(predict(prepared, graph))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(_PUBLISHED))
def test_full_precision_reaches_the_literature(
    name: str,
    real_graph: Callable[[str], PreparedData],
    record_property: Callable[[str, object], None],
) -> None:
    published = _PUBLISHED[name]
    data = real_graph(published.dataset)
    runs = [
        100 * _test_accuracy(published.build, data, published.settings, seed) for seed in range(5)
    ]
    record_property("test_accuracy", mean(runs))
    print(f"{name}: {mean(runs):.2f} published {published.test_accuracy} runs {runs}")
    assert abs(mean(runs) - published.test_accuracy) <= 1.5


@pytest.mark.parametrize("kind", [GCN, GAT, AGNN, SAGE, GIN])
def test_a_short_training_learns_embedded_cora(kind: type[nn.Module], cora: PreparedData) -> None:
    decay = 1e-2 if kind is GIN else 5e-4
    settings = FitSettings(epochs=100, learning_rate=0.02, weight_decay=decay)
    assert _test_accuracy(kind, cora, settings, seed=0) > 0.75
