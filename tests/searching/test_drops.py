"""The drop on unseen nodes, estimated without their labels."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sgq_auto.graphs import PreparedData
from sgq_auto.searching.drops import ExpectedDrop, estimated_drop, expected_drop
from sgq_auto.searching.workbench import Workbench, mean_probabilities
from sgq_auto.training import predict

DROPS = st.floats(-20, 20)


def test_equal_predictions_are_expected_to_lose_nothing(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    logits = torch.randn(graph.num_nodes, graph.num_classes)
    judges = torch.randn(graph.num_nodes, graph.num_classes).softmax(dim=1)
    assert expected_drop(judges, logits, 3 * logits + 1, graph) == ExpectedDrop(0.0, 0.0)


def test_the_judges_probabilities_of_both_predictions_are_compared(
    synthetic: PreparedData,
) -> None:
    graph = synthetic.graph
    nodes, classes = graph.num_nodes, graph.num_classes
    judges = torch.full((nodes, classes), 0.1 / (classes - 1))
    judges[:, 0] = 0.9
    always = torch.eye(classes).unsqueeze(1).expand(classes, nodes, classes)
    lost = 100 * (0.9 - 0.1 / (classes - 1))
    found = expected_drop(judges, always[0], always[1], graph)
    assert (found.unlabelled, found.val) == pytest.approx((lost, lost), rel=1e-5)
    # Training nodes do not count: their labels were fitted.
    only_train = always[0].clone()
    only_train[graph.train.nodes] = always[1][graph.train.nodes]
    assert expected_drop(judges, always[0], only_train, graph) == ExpectedDrop(0.0, 0.0)
    # Validation nodes count among all others, and alone.
    only_val = always[0].clone()
    only_val[graph.val.nodes] = always[1][graph.val.nodes]
    share = graph.val.nodes.numel() / (nodes - graph.train.nodes.numel())
    found = expected_drop(judges, always[0], only_val, graph)
    assert (found.unlabelled, found.val) == pytest.approx((share * lost, lost), rel=1e-5)


@given(DROPS, DROPS, DROPS)
def test_many_validation_nodes_decide_alone_and_few_hardly_count(
    val: float, unlabelled: float, expected_val: float
) -> None:
    expected = ExpectedDrop(unlabelled, expected_val)
    unbiased = unlabelled + val - expected_val
    assert estimated_drop(val, expected, 10**9) == pytest.approx(unbiased, abs=1e-3)
    assert estimated_drop(val, expected, 0) == unlabelled
    halfway = (unbiased + unlabelled) / 2
    assert estimated_drop(val, expected, 500) == pytest.approx(halfway, abs=1e-9)


def test_judges_see_destroyed_predictions(bench: Workbench) -> None:
    graph = bench.graph
    full = predict(bench.full_precision(), graph)
    judges = mean_probabilities(bench.settings, graph, range(bench.seed + 1, bench.seed + 4))
    torch.manual_seed(0)
    destroyed = full[torch.randperm(graph.num_nodes)]
    found = expected_drop(judges, full, destroyed, graph)
    val_drop = 100 * (graph.val.accuracy(full) - graph.val.accuracy(destroyed))
    assert val_drop > 10
    # Models of few epochs are unsure: they expect less than is lost.
    assert 3 < found.val < val_drop
