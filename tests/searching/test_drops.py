"""The drop on unseen nodes, estimated without their labels."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.searching.drops import BIAS_OF_OPINIONS, estimate_drop


@pytest.fixture
def graph(synthetic: PreparedData) -> Graph:
    return synthetic.graph


def always(graph: Graph, label: int) -> Tensor:
    return torch.eye(graph.num_classes)[label].expand(graph.num_nodes, -1).clone()


def sure_of(graph: Graph, label: int, probability: float) -> Tensor:
    rest = (1 - probability) / (graph.num_classes - 1)
    reference = torch.full((graph.num_nodes, graph.num_classes), rest)
    reference[:, label] = probability
    return reference


def test_equal_predictions_lose_nothing(graph: Graph) -> None:
    logits = torch.randn(graph.num_nodes, graph.num_classes)
    reference = torch.randn(graph.num_nodes, graph.num_classes).softmax(dim=1)
    assert estimate_drop(reference, logits, 3 * logits + 1, graph) == 0


def test_training_nodes_do_not_count(graph: Graph) -> None:
    full, quantized = always(graph, 0), always(graph, 0)
    quantized[graph.train.nodes] = always(graph, 1)[graph.train.nodes]
    assert estimate_drop(sure_of(graph, 0, 0.9), full, quantized, graph) == 0


def with_val(graph: Graph, nodes: Tensor, labels: Tensor) -> Graph:
    return replace(graph, val=replace(graph.val, nodes=nodes, labels=labels))


def test_few_validation_nodes_hardly_count_and_many_decide(graph: Graph) -> None:
    right, wrong = 0.7, 0.3 / (graph.num_classes - 1)
    reference = sure_of(graph, 0, right)
    expected = 100 * (right - wrong)
    full, quantized = always(graph, 0), always(graph, 1)

    def found_with(number: int) -> float:
        """On each of so many nodes full precision is right and quantization wrong: 100 points."""
        val = graph.val.nodes[:1].repeat(number), torch.zeros(number, dtype=torch.long)
        return estimate_drop(reference, full, quantized, with_val(graph, *val))

    assert found_with(1) == pytest.approx(expected, abs=0.2)
    assert found_with(10**6) == pytest.approx(100, abs=0.5)
    # Where chance takes the validation nodes' word as far off as the opinion is, both count half.
    variance = 100**2 * (right + wrong - (right - wrong) ** 2)
    number = round(variance / BIAS_OF_OPINIONS**2)
    assert found_with(number) == pytest.approx((expected + 100) / 2, abs=0.1)


def test_classes_of_validation_nodes_count_as_they_occur(graph: Graph) -> None:
    # Class 0 has 9 of 10 nodes, but half of the validation nodes. Quantization loses class 1.
    reference = sure_of(graph, 0, 0.9)[:, :2]
    reference[:, 1] = 0.1
    full = torch.zeros(graph.num_nodes, 2)
    full[:, 0] = 1
    val = graph.val.nodes[:2]
    full[val[1]] = torch.tensor([0.0, 1.0])
    quantized = torch.zeros_like(full)
    quantized[:, 0] = 1
    nodes = val.repeat(10**6)
    labels = torch.tensor([0, 1]).repeat(10**6)
    found = estimate_drop(reference, full, quantized, with_val(graph, nodes, labels))
    # Of the nodes of class 1, a tenth of all, each is lost; the reference expects the contrary of
    # the one that it knows of.
    unlabelled = graph.num_nodes - graph.train.nodes.numel()
    expected = 100 * (0.1 - 0.9)
    assert found == pytest.approx(expected / unlabelled + 0.1 * (100 - expected), abs=0.1)


def test_reference_models_and_labels_see_destroyed_predictions(graph: Graph) -> None:
    torch.manual_seed(0)
    full = torch.randn(graph.num_nodes, graph.num_classes)
    full[graph.val.nodes] += 5 * torch.eye(graph.num_classes)[graph.val.labels]
    reference = full.softmax(dim=1)
    destroyed = full[torch.randperm(graph.num_nodes)]
    assert estimate_drop(reference, full, destroyed, graph) > 20
    assert estimate_drop(reference, destroyed, full, graph) < -20
