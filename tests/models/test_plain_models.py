"""Plain models: shapes, parameters and the published forms."""

import pytest
import torch
from torch import nn

from sgq_auto.graphs import PreparedData
from sgq_auto.models import AGNN, GAT, GCN, GIN, SAGE


@pytest.mark.parametrize("kind", [GCN, GAT, AGNN, SAGE, GIN])
def test_logits_have_a_row_a_node_and_a_column_a_class(
    kind: type[nn.Module], synthetic: PreparedData
) -> None:
    graph = synthetic.graph
    model = kind(graph.features.num_features, graph.num_classes)
    logits = model(graph.features.dense(), graph.edge_index())
    assert logits.shape == (300, 4)
    logits.sum().backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (GCN(1433, 7), 1433 * 16 + 16 + 16 * 7 + 7),
        (GAT(1433, 7), 1433 * 64 + 3 * 64 + 64 * 7 + 3 * 7),
        (GAT(500, 3, output_heads=8), 500 * 64 + 3 * 64 + 64 * 24 + 2 * 24 + 3),
        (AGNN(1433, 7), 1433 * 16 + 16 + 1 + 16 * 7 + 7),
        (SAGE(1433, 7), 2 * 1433 * 16 + 16 + 2 * 16 * 7 + 7),
        (GIN(1433, 7), 1433 * 16 + 16 + 2 * (16 * 16 + 16) + 16 * 7 + 7 + 2),
    ],
)
def test_parameter_counts_are_the_published_ones(model: nn.Module, expected: int) -> None:
    assert sum(p.numel() for p in model.parameters()) == expected


def test_dropout_acts_in_training_only(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    for kind in (GCN, GAT, AGNN, SAGE, GIN):
        model = kind(graph.features.num_features, graph.num_classes, dropout=0.5)
        inputs = (graph.features.dense(), graph.edge_index())
        assert not torch.equal(model(*inputs), model(*inputs))
        model.eval()
        assert torch.equal(model(*inputs), model(*inputs))
