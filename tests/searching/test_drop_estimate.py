"""The drop on unseen nodes, estimated without their labels."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from sgq_auto.graphs import Graph, LabelledNodes, PreparedData
from sgq_auto.searching import drop_estimate
from sgq_auto.searching.drop_estimate import BIAS_PER_CHANGE, DropEstimate, DropEvidence, answers


@pytest.fixture
def graph(synthetic: PreparedData) -> Graph:
    return synthetic.graph


def drop_evidence(reference: Tensor, full: Tensor, quantized: Tensor, graph: Graph) -> DropEvidence:
    before, after = answers([full]), answers([quantized])
    return drop_estimate.drop_evidence(reference, before, after, graph, num_unseen=1000)


def estimate_drop(evidence: list[DropEvidence]) -> float:
    return DropEstimate.of(evidence).mean


def estimated(reference: Tensor, full: Tensor, quantized: Tensor, graph: Graph) -> float:
    return estimate_drop([drop_evidence(reference, full, quantized, graph)])


def always(graph: Graph, label: int) -> Tensor:
    return torch.eye(graph.num_classes)[label].expand(graph.num_nodes, -1).clone()


def sure_of(graph: Graph, label: int, probability: float) -> Tensor:
    rest = (1 - probability) / (graph.num_classes - 1)
    reference = torch.full((graph.num_nodes, graph.num_classes), rest)
    reference[:, label] = probability
    return reference


def with_val(graph: Graph, nodes: Tensor, labels: Tensor) -> Graph:
    return replace(graph, val=replace(graph.val, nodes=nodes, labels=labels))


def untrained(graph: Graph) -> Graph:
    """The graph without a training node."""
    return replace(graph, train=LabelledNodes(graph.train.nodes[:0], graph.train.labels[:0]))


def test_equal_predictions_lose_nothing(graph: Graph) -> None:
    logits = torch.randn(graph.num_nodes, graph.num_classes)
    reference = torch.randn(graph.num_nodes, graph.num_classes).softmax(dim=1)
    evidence = drop_evidence(reference, logits, 3 * logits + 1, graph)
    assert evidence == DropEvidence(0, 0, 0, 0, 0)
    assert estimate_drop([evidence]) == 0


def test_training_nodes_do_not_count(graph: Graph) -> None:
    full, quantized = always(graph, 0), always(graph, 0)
    quantized[graph.train.nodes] = always(graph, 1)[graph.train.nodes]
    assert estimated(sure_of(graph, 0, 0.9), full, quantized, graph) == 0


def test_labels_and_opinions_count_half_where_each_is_as_far_off() -> None:
    bias = 8 * BIAS_PER_CHANGE
    even = DropEvidence(
        expected=2.0, correction=-3.0, variance=bias**2, changed=8.0, unseen_variance=0.0
    )
    assert estimate_drop([even]) == pytest.approx(0.5)
    assert estimate_drop([replace(even, variance=1e-9)]) == pytest.approx(-1.0)
    assert estimate_drop([replace(even, variance=1e9)]) == pytest.approx(2.0)


def test_seeds_are_averaged_before_they_are_corrected() -> None:
    one = DropEvidence(1.0, 2.0, 4.0, 4.0, 0.0)
    other = DropEvidence(
        expected=3.0, correction=0.0, variance=8.0, changed=8.0, unseen_variance=0.0
    )
    mean = DropEvidence(
        expected=2.0, correction=1.0, variance=6.0, changed=6.0, unseen_variance=0.0
    )
    assert estimate_drop([one, other]) == estimate_drop([mean])


@pytest.mark.parametrize("sure", [0.6, 0.95, 0.9999])
@pytest.mark.parametrize("num_val", [30, 300])
def test_the_variance_is_that_of_drawing_validation_nodes(
    graph: Graph, sure: float, num_val: int
) -> None:
    """Also where models are far surer than they are right (of 80 %)."""
    labels, reference, full, quantized = drawn_predictions(sure)
    graph = untrained(graph)
    found = []
    for _ in range(200):
        val = torch.randperm(len(labels))[:num_val]
        found.append(drop_evidence(reference, full, quantized, with_val(graph, val, labels[val])))
    spread = torch.tensor([one.correction for one in found]).var()
    said = torch.tensor([one.variance for one in found]).mean()
    assert 0.5 < float(said / spread) < 2


def drawn_predictions(sure: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of 4,000 nodes: labels, opinions, and predictions of which one in ten changed."""
    torch.manual_seed(0)
    num_nodes, num_classes = 4000, 4
    opinion = torch.arange(num_nodes) % num_classes
    right = torch.rand(num_nodes) < 0.8
    labels = torch.where(right, opinion, (opinion + 1) % num_classes)
    reference = torch.full((num_nodes, num_classes), (1 - sure) / (num_classes - 1))
    reference[torch.arange(num_nodes), opinion] = sure
    full = nn.functional.one_hot(opinion, num_classes).float()
    changed = torch.rand(num_nodes) < 0.1
    quantized = torch.where(changed[:, None], full.roll(1, dims=1), full)
    return labels, reference, full, quantized


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
    found = estimated(reference, full, quantized, with_val(graph, val, classes[val]))
    assert found == pytest.approx(100 * float(classes[free].float().mean()), abs=0.3)


def test_classes_that_nobody_tells_apart_count_as_they_are_labelled(graph: Graph) -> None:
    reference = torch.full((graph.num_nodes, 2), 0.5)
    full, quantized = (row.expand(graph.num_nodes, 2) for row in torch.eye(2))
    val, labels = graph.val.nodes[:1].repeat(10**6), (torch.arange(10**6) % 4 == 0).long()
    found = estimated(reference, full, quantized, with_val(graph, val, labels))
    assert found == pytest.approx(100 * (0.75 - 0.25), abs=1.0)


def test_a_random_choice_of_validation_nodes_counts_as_it_is(graph: Graph) -> None:
    labels, reference, full, quantized = drawn_predictions(0.6)
    val = torch.randperm(len(labels))[:300]
    chosen = with_val(untrained(graph), val, labels[val])
    evidence = drop_evidence(reference, full, quantized, chosen)
    before, after = full.argmax(1)[val], quantized.argmax(1)[val]
    actual = (before == labels[val]).double() - (after == labels[val]).double()
    expected = reference[val, before].double() - reference[val, after].double()
    assert evidence.correction == pytest.approx(100 * float((actual - expected).mean()), abs=0.15)


def test_one_validation_node_or_a_class_without_any_is_no_error(graph: Graph) -> None:
    full = torch.randn(graph.num_nodes, graph.num_classes)
    quantized = torch.randn(graph.num_nodes, graph.num_classes)
    reference = torch.randn(graph.num_nodes, graph.num_classes).softmax(dim=1)
    first = graph.val.nodes[graph.val.labels == graph.val.labels[0]]
    for val in (first[:1], first):
        labels = graph.val.labels[:1].expand(len(val))
        evidence = drop_evidence(reference, full, quantized, with_val(graph, val, labels))
        assert abs(estimate_drop([evidence])) < 100
        assert evidence.variance > 0


def test_reference_models_and_labels_see_destroyed_predictions(graph: Graph) -> None:
    torch.manual_seed(0)
    full = torch.randn(graph.num_nodes, graph.num_classes)
    full[graph.val.nodes] += 5 * torch.eye(graph.num_classes)[graph.val.labels]
    reference = full.softmax(dim=1)
    destroyed = full[torch.randperm(graph.num_nodes)]
    assert estimated(reference, full, destroyed, graph) > 20
    assert estimated(reference, destroyed, full, graph) < -20
