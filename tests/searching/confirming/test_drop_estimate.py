"""The drop on unseen nodes, estimated without their labels."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from sgq_auto.graphs import Graph, LabelledNodes, PreparedData
from sgq_auto.searching.confirming import drop_estimate
from sgq_auto.searching.confirming.drop_estimate import (
    BIASES,
    Bias,
    Biases,
    DropEstimate,
    DropEvidence,
    StepEvidence,
    answers,
)

_NOTHING = StepEvidence(0.0, 0.0, 0.0, 0.0)


@pytest.fixture
def graph(synthetic: PreparedData) -> Graph:
    return synthetic.graph


def drop_evidence(reference: Tensor, full: Tensor, quantized: Tensor, graph: Graph) -> StepEvidence:
    """Of a model whose distilled twin answers as full precision does."""
    before, after = answers([full]), answers([quantized])
    found = drop_estimate.drop_evidence(reference, before, before, after, graph, num_unseen=1000)
    assert found.taught == _NOTHING
    return found.bits


def of_bits(step: StepEvidence) -> DropEvidence:
    return DropEvidence(_NOTHING, step, 0.0, 0.0)


def estimate_drop(steps: list[StepEvidence]) -> float:
    return DropEstimate.of([of_bits(step) for step in steps]).mean


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
    assert evidence == _NOTHING
    assert estimate_drop([evidence]) == 0


def test_training_nodes_do_not_count(graph: Graph) -> None:
    full, quantized = always(graph, 0), always(graph, 0)
    quantized[graph.train.nodes] = always(graph, 1)[graph.train.nodes]
    assert estimated(sure_of(graph, 0, 0.9), full, quantized, graph) == 0


def test_labels_and_opinions_count_half_where_each_is_as_far_off() -> None:
    usual, spread = 8 * BIASES.bits.usual, 8 * BIASES.bits.spread
    # Labels that were used before are believed as if there were fewer of them.
    even = StepEvidence(2.0, usual - 3.0, spread**2 / drop_estimate.REUSE, 8.0)
    assert estimate_drop([even]) == pytest.approx(usual + 0.5)
    assert estimate_drop([replace(even, variance=1e-9)]) == pytest.approx(usual - 1.0)
    assert estimate_drop([replace(even, variance=1e9)]) == pytest.approx(usual + 2.0)


def test_seeds_are_averaged_before_they_are_corrected() -> None:
    one, other = StepEvidence(1.0, 2.0, 4.0, 4.0), StepEvidence(3.0, 0.0, 8.0, 8.0)
    assert estimate_drop([one, other]) == estimate_drop([StepEvidence(2.0, 1.0, 6.0, 6.0)])


def test_what_teaching_usually_pays_counts_where_labels_say_little() -> None:
    taught = StepEvidence(0.0, 0.0, 1e9, 10.0)
    biases = Biases(taught=Bias(-0.2, 0.1), bits=Bias(0.0, 0.1))
    found = DropEstimate.of([DropEvidence(taught, _NOTHING, 0.0, 0.0)], biases)
    assert found.mean == pytest.approx(-2.0)
    assert found.std == pytest.approx(1.0)
    assert DropEstimate.of_bits([DropEvidence(taught, _NOTHING, 0.0, 0.0)]).mean == 0


def test_labels_that_both_steps_share_correct_the_sum() -> None:
    """Two steps of which the second takes the first back lose nothing, for certain."""
    there, back = StepEvidence(1.0, 2.0, 0.5, 6.0), StepEvidence(-1.0, -2.0, 0.5, 6.0)
    same = Bias(0.0, 0.1)
    apart, joint = (
        DropEstimate.of([DropEvidence(there, back, covariance, 0.0)], Biases(same, same))
        for covariance in (0.0, -0.5)
    )
    assert joint.mean == pytest.approx(0.0, abs=1e-6)
    assert joint.std <= apart.std + 1e-9


def test_bounds_and_intervals_are_those_of_a_normal_distribution() -> None:
    found = DropEstimate(mean=-0.5, std=0.7)
    assert found.at_most(0.9) == pytest.approx(-0.5 + 1.2816 * 0.7, abs=1e-3)
    assert found.interval(0.9) == pytest.approx(
        (-0.5 - 1.6449 * 0.7, -0.5 + 1.6449 * 0.7), abs=1e-3
    )
    assert found.probability_within(found.at_most(0.9)) == pytest.approx(0.9)
    certain = DropEstimate(0.4, 0.0)
    assert (certain.probability_within(0.4), certain.probability_within(0.3)) == (1.0, 0.0)


def test_intervals_cover_the_drop_on_nodes_without_labels(graph: Graph) -> None:
    """Opinions that are right on average, and labels drawn as they say."""
    torch.manual_seed(0)
    num_nodes, num_classes = 3000, 4
    covered = 0
    for _ in range(100):
        reference = (2 * torch.randn(num_nodes, num_classes)).softmax(dim=1)
        labels = torch.multinomial(reference, 1)[:, 0]
        full = nn.functional.one_hot(reference.argmax(1), num_classes).float()
        changed = torch.rand(num_nodes) < 0.1
        quantized = torch.where(changed[:, None], full.roll(1, dims=1), full)
        val, test = torch.arange(500), torch.arange(500, num_nodes)
        own = with_val(untrained(graph), val, labels[val])
        found = drop_estimate.drop_evidence(
            *(reference, answers([full]), answers([full]), answers([quantized]), own, len(test))
        )
        right = [(each.argmax(1) == labels)[test].double().mean() for each in (full, quantized)]
        low, high = DropEstimate.of([found]).interval(0.9)
        covered += low <= 100 * float(right[0] - right[1]) <= high
    assert covered >= 85


def test_the_mean_of_several_models_is_what_is_dropped_from(graph: Graph) -> None:
    torch.manual_seed(0)
    models = [torch.randn(graph.num_nodes, graph.num_classes) for _ in range(3)]
    reference = torch.randn(graph.num_nodes, graph.num_classes).softmax(dim=1)
    own = answers([models[0]])
    found = [
        drop_estimate.drop_evidence(reference, full, own, own, graph, 1000).taught
        for full in (answers(models), *(answers([each]) for each in models))
    ]
    for name in ("expected", "correction", "changed"):
        whole, *each = (getattr(step, name) for step in found)
        assert whole == pytest.approx(sum(each) / 3)


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
