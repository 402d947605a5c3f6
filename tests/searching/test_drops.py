"""The drop on unseen nodes, estimated without their labels."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

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

    assert found_with(1) == pytest.approx(expected, abs=0.1)
    assert found_with(10**6) == pytest.approx(100, abs=0.5)
    # Where chance takes the validation nodes' word as far off as the opinion is, both count half.
    variance = 100**2 * (right + wrong - (right - wrong) ** 2)
    number = round(variance / BIAS_OF_OPINIONS**2)
    assert found_with(number) == pytest.approx((expected + 100) / 2, abs=0.1)


@pytest.mark.parametrize("sure", [0.6, 0.99])
def test_classes_of_validation_nodes_count_as_they_occur(graph: Graph, sure: float) -> None:
    """Class 0 has most nodes, but half of the validation nodes. Quantization loses class 1."""
    nodes = torch.arange(graph.num_nodes)
    classes = (nodes % 10 == 0).long()
    reference = torch.full((graph.num_nodes, 2), 1 - sure)
    reference[nodes, classes] = sure
    full = nn.functional.one_hot(classes, 2).float()
    quantized = torch.zeros_like(full)
    quantized[:, 0] = 1
    free = torch.ones(graph.num_nodes, dtype=torch.bool)
    free[graph.train.nodes] = False
    first = [int(nodes[free & (classes == c)][0]) for c in (0, 1)]
    val = torch.tensor(first).repeat(10**6)
    found = estimate_drop(reference, full, quantized, with_val(graph, val, classes[val]))
    assert found == pytest.approx(100 * float(classes[free].float().mean()), abs=0.3)


def test_classes_that_nobody_tells_apart_count_as_they_are_labelled(graph: Graph) -> None:
    reference = torch.full((graph.num_nodes, 2), 0.5)
    full, quantized = torch.eye(2)[0].expand(graph.num_nodes, 2), torch.eye(2)[1]
    val, labels = graph.val.nodes[:1].repeat(10**6), (torch.arange(10**6) % 4 == 0).long()
    found = estimate_drop(
        reference, full, quantized.expand(graph.num_nodes, 2), with_val(graph, val, labels)
    )
    assert found == pytest.approx(100 * (0.75 - 0.25), abs=1.0)


def test_reference_models_and_labels_see_destroyed_predictions(graph: Graph) -> None:
    torch.manual_seed(0)
    full = torch.randn(graph.num_nodes, graph.num_classes)
    full[graph.val.nodes] += 5 * torch.eye(graph.num_classes)[graph.val.labels]
    reference = full.softmax(dim=1)
    destroyed = full[torch.randperm(graph.num_nodes)]
    assert estimate_drop(reference, full, destroyed, graph) > 20
    assert estimate_drop(reference, destroyed, full, graph) < -20
