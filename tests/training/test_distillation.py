"""Schedules of step sizes, and fine-tuning with a full-precision teacher."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.models import GCN
from sgq_auto.quantize import prepare
from sgq_auto.training import FitSettings, Schedule, fit, predict

_SETTINGS = FitSettings(epochs=15, learning_rate=0.02, weight_decay=5e-4)
_TAUGHT = replace(_SETTINGS, distillation=1.0, evaluate_every=100)


def _trained(
    graph: Graph, settings: FitSettings, teacher: Tensor | None = None
) -> tuple[nn.Module, dict[str, Tensor]]:
    torch.manual_seed(0)
    model = prepare(GCN(graph.features.num_features, graph.num_classes), graph)
    fit(model, graph, settings, 0, teacher)
    return model, model.state_dict()


def _same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_constant_keeps_the_step_and_cosine_ends_at_zero() -> None:
    assert [Schedule.CONSTANT.factor(p) for p in (0.0, 0.5, 1.0)] == [1.0, 1.0, 1.0]
    factors = [Schedule.COSINE.factor(p / 10) for p in range(11)]
    assert factors == sorted(factors, reverse=True)
    assert [factors[0], factors[5], factors[10]] == pytest.approx([1.0, 0.5, 0.0])


def test_a_cosine_moves_weights_less_than_a_constant_step(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    once = replace(_SETTINGS, evaluate_every=100)
    start = _trained(graph, replace(once, learning_rate=1e-12))[1]["conv1.lin.weight"]
    moved = [
        float((_trained(graph, replace(once, schedule=s))[1]["conv1.lin.weight"] - start).norm())
        for s in (Schedule.COSINE, Schedule.CONSTANT)
    ]
    assert 0 < moved[0] < 0.9 * moved[1]


def test_without_teacher_or_share_nothing_is_distilled(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    teacher = torch.full((graph.num_nodes, graph.num_classes), 1 / graph.num_classes)
    plain = _trained(graph, _SETTINGS)[1]
    assert _same(plain, _trained(graph, _SETTINGS, teacher)[1])
    assert _same(plain, _trained(graph, replace(_SETTINGS, distillation=0.5))[1])
    assert not _same(plain, _trained(graph, replace(_SETTINGS, distillation=0.5), teacher)[1])


def test_a_teacher_alone_uses_no_label(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    teacher = torch.rand(graph.num_nodes, graph.num_classes).softmax(1)
    shifted = replace(graph.train, labels=(graph.train.labels + 1) % graph.num_classes)
    first = _trained(graph, _TAUGHT, teacher)[1]
    assert _same(first, _trained(replace(graph, train=shifted), _TAUGHT, teacher)[1])


def test_a_student_learns_what_its_teacher_says(cora: PreparedData) -> None:
    graph = cora.graph
    taught = replace(_TAUGHT, epochs=100, learning_rate=0.05)
    classes = predict(_trained(graph, replace(_SETTINGS, epochs=60))[0], graph).argmax(1)
    # Every class renamed: no training label leads here, only the teacher does.
    renamed = (classes + 1) % graph.num_classes
    teacher = nn.functional.one_hot(renamed, graph.num_classes).float()
    student = predict(_trained(graph, taught, teacher)[0], graph).argmax(1)
    assert float((student == renamed).float().mean()) > 0.9


def test_a_temperature_sharpens_what_the_teacher_says(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    teacher = torch.rand(graph.num_nodes, graph.num_classes).softmax(1)
    teacher[:, 0] = 0  # Impossible at any temperature.
    teacher /= teacher.sum(1, keepdim=True)
    squared = teacher.square() / teacher.square().sum(1, keepdim=True)
    halved = _trained(graph, replace(_TAUGHT, teacher_temperature=0.5), teacher)[1]
    for name, tensor in _trained(graph, _TAUGHT, squared)[1].items():
        assert torch.allclose(halved[name], tensor, atol=1e-4)
    assert not _same(halved, _trained(graph, _TAUGHT, teacher)[1])


@pytest.mark.parametrize("temperature", [0.0, -1.0, 1e-39, float("inf"), float("nan")])
def test_impossible_temperatures_are_refused(temperature: float) -> None:
    with pytest.raises(InputError, match=r"^teacher_temperature=[^\n]*$"):
        replace(_TAUGHT, teacher_temperature=temperature)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_impossible_shares_are_refused(share: float) -> None:
    with pytest.raises(InputError, match=r"^distillation=[^\n]*$"):
        replace(_SETTINGS, distillation=share)
