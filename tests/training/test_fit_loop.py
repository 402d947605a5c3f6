"""The training loop: kept epochs, frozen ranges, seeds and divergence."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.graphs.labels.labelled_nodes import LabelledNodes
from sgq_auto.models import AGNN, GAT, GCN, GIN, SAGE
from sgq_auto.packed import FootprintModel
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import (
    FakeQuantizer,
    LearnedQuantizer,
    MinMaxQuantizer,
    RangeMode,
    plain_state,
    prepare,
    trace_spec,
)
from sgq_auto.quantize.forward.model_input import ModelInput
from sgq_auto.task import Metric, Task
from sgq_auto.training import (
    DivergedError,
    FitSettings,
    Keep,
    evaluate,
    fit,
    predict,
    training_dropout,
)

_SETTINGS = FitSettings(epochs=12, learning_rate=0.02, weight_decay=5e-4)
_KINDS = (GCN, GAT, AGNN, SAGE, GIN)


def _model(
    kind: type[nn.Module], graph: Graph, bits: int = 3, mode: RangeMode = RangeMode.LEARNED
) -> nn.Module:
    torch.manual_seed(0)
    plain = kind(graph.features.num_features, graph.num_classes)
    sites = FootprintModel(trace_spec(prepare(plain, graph), graph), graph.spec).sites()
    return prepare(plain, graph, BitAllocation.uniform(sites, bits), mode)


@pytest.mark.sampled
@pytest.mark.parametrize("mode", RangeMode)
@pytest.mark.parametrize("kind", _KINDS)
def test_the_model_left_behind_has_the_accuracy_returned(
    kind: type[nn.Module], mode: RangeMode, synthetic: PreparedData
) -> None:
    graph = synthetic.graph
    model = _model(kind, graph, mode=mode)
    result = fit(model, graph, _SETTINGS, seed=0)
    assert not model.training
    first = predict(model, graph)
    accuracies = {evaluate(model, graph)[0] for _ in range(3)}
    assert accuracies == {result.val_accuracy}
    # A pass in training mode moves no range.
    model.train()
    model(graph.features, graph.adj_t)
    assert torch.equal(predict(model, graph), first)
    assert dict(result.curve)[result.kept_epoch] == result.val_accuracy
    assert result.seconds > 0


def test_minmax_ranges_are_frozen_after_training(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    model = _model(GAT, graph, mode=RangeMode.MINMAX)
    quantizers = [m for m in model.modules() if isinstance(m, MinMaxQuantizer)]
    assert quantizers
    assert not any(q.frozen for q in quantizers)
    fit(model, graph, _SETTINGS, seed=0)
    assert all(q.frozen for q in quantizers)
    steps = [q.step.clone() for q in quantizers]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    predict(model, graph)
    assert all(torch.equal(q.step, step) for q, step in zip(quantizers, steps, strict=True))


@pytest.mark.sampled
@pytest.mark.parametrize("mode", RangeMode)
@pytest.mark.parametrize("kind", _KINDS)
def test_one_seed_gives_one_result(
    kind: type[nn.Module], mode: RangeMode, synthetic: PreparedData
) -> None:
    graph = synthetic.graph
    models = [_model(kind, graph, mode=mode) for _ in range(3)]
    results = [fit(m, graph, _SETTINGS, seed=s) for m, s in zip(models, (4, 4, 5), strict=True)]
    assert results[0].curve == results[1].curve
    states = [m.state_dict() for m in models]
    assert all(torch.equal(t, states[1][name]) for name, t in states[0].items())
    assert any(not torch.equal(t, states[2][name]) for name, t in states[0].items())


@pytest.mark.parametrize("mode", RangeMode)
def test_training_learns_and_fine_tuning_helps_low_bits(
    mode: RangeMode, cora: PreparedData
) -> None:
    graph = cora.graph
    torch.manual_seed(0)
    plain = GCN(graph.features.num_features, graph.num_classes)
    full = prepare(plain, graph)
    untrained = evaluate(full, graph)[0]
    trained = fit(full, graph, replace(_SETTINGS, epochs=60), seed=0).val_accuracy
    assert trained > untrained + 0.4
    plain.load_state_dict(plain_state(full, plain))
    sites = FootprintModel(trace_spec(full, graph), graph.spec).sites()
    low = prepare(plain, graph, BitAllocation.uniform(sites, 2), mode)
    before = evaluate(low, graph)[0]
    tuning = replace(_SETTINGS, epochs=40, learning_rate=0.01)
    after = fit(low, graph, tuning, seed=0).val_accuracy
    assert after > before + 0.02
    assert after > trained - 0.15


def test_learned_ranges_are_trained_and_not_decayed(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    model = _model(GCN, graph)
    fit(model, graph, _SETTINGS, seed=0)
    learned = [m for m in model.modules() if isinstance(m, LearnedQuantizer)]
    assert any(float(q.log_step.detach().abs().max()) > 0.01 for q in learned)
    # A range no node uses has no gradient: decay alone would move it.
    idle = LearnedQuantizer([3, 3], [300, 0])
    model = _model(GCN, graph)
    model.conv2.input_quantizer = nn.Sequential(idle)
    model.eval()(graph.features, graph.adj_t)
    nn.init.constant_(idle.shift, 0.25)
    fit(model, graph, replace(_SETTINGS, weight_decay=10.0), seed=0)
    assert float(idle.shift[1].detach()) == 0.25


@pytest.mark.parametrize("kind", _KINDS)
def test_dropout_of_the_settings_replaces_that_of_every_layer(
    kind: type[nn.Module], synthetic: PreparedData
) -> None:
    graph = synthetic.graph

    def trained(dropout: float, settings: FitSettings) -> Tensor:
        torch.manual_seed(0)
        plain = kind(graph.features.num_features, graph.num_classes, dropout=dropout)
        sites = FootprintModel(trace_spec(prepare(plain, graph), graph), graph.spec).sites()
        model = prepare(plain, graph, BitAllocation.uniform(sites, 4))
        fit(model, graph, settings, seed=0)
        return predict(model, graph)

    expected = trained(0.0, _SETTINGS)
    assert torch.equal(trained(0.5, replace(_SETTINGS, dropout=0.0)), expected)
    assert not torch.equal(trained(0.5, _SETTINGS), expected)
    # What does not drop by itself stays so.
    assert torch.equal(trained(0.0, replace(_SETTINGS, dropout=0.5)), expected)


def test_what_is_taught_numbers_drops_nothing_unless_it_is_asked_to(
    synthetic: PreparedData,
) -> None:
    graph = synthetic.graph
    labels = graph.train.labels[:, None].float()
    numbers = LabelledNodes(graph.train.nodes, labels)
    graph = replace(
        graph,
        task=Task.NODE_REGRESSION,
        metric=Metric.R2,
        num_classes=1,
        train=numbers,
        val=LabelledNodes(graph.val.nodes, graph.val.labels[:, None].float()),
    )
    teacher = torch.randn(graph.num_nodes, 1, generator=torch.Generator().manual_seed(0))

    def trained(**given: float) -> Tensor:
        model = _model(GCN, graph)
        fit(model, graph, replace(_SETTINGS, distillation=1.0, **given), seed=0, teacher=teacher)
        return predict(model, graph)

    assert torch.equal(trained(), trained(dropout=0.0))
    assert not torch.equal(trained(), trained(dropout=0.5))
    # Without a teacher, and for classes, it is the model's own.
    assert training_dropout(graph, _SETTINGS) is None
    assert training_dropout(synthetic.graph, replace(_SETTINGS, distillation=1.0)) is None


def test_features_and_fixed_attention_are_constant(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    model = _model(GCN, graph, bits=2)
    constant = [ModelInput.of(model).quantizer, model.conv1.attention_quantizer]
    assert all(isinstance(q, FakeQuantizer) for q in constant)
    before = [q.step.clone() for q in constant]
    weight = model.conv1.lin.weight.clone()
    fit(model, graph, _SETTINGS, seed=0)
    assert not torch.equal(model.conv1.lin.weight, weight)
    assert all(torch.equal(q.step, step) for q, step in zip(constant, before, strict=True))


@pytest.mark.parametrize("every", [1, 5, 100])
def test_validation_is_looked_at_as_often_as_asked(every: int, synthetic: PreparedData) -> None:
    settings = replace(_SETTINGS, evaluate_every=every)
    result = fit(_model(GCN, synthetic.graph), synthetic.graph, settings, seed=0)
    epochs = [epoch for epoch, _ in result.curve]
    assert epochs == [e for e in range(1, 13) if e % every == 0 or e == 12]


def test_the_lowest_validation_loss_is_kept_where_asked(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    losses: list[float] = []

    def note(module: nn.Module, _inputs: object, logits: torch.Tensor) -> None:
        if not module.training:
            of_val = logits.detach()[graph.val.nodes]
            losses.append(float(nn.functional.cross_entropy(of_val, graph.val.labels)))

    model = _model(GCN, graph)
    model.register_forward_hook(note)
    # Long enough that the loss rises again: the last epoch is not the best.
    result = fit(model, graph, replace(_SETTINGS, epochs=200, learning_rate=1.0), seed=0)
    assert len(losses) == 200
    assert result.kept_epoch == 1 + losses.index(min(losses)) < 200
    assert evaluate(model, graph)[1] == pytest.approx(min(losses), abs=1e-7)


def test_training_ends_where_the_validation_loss_stays_higher(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    settings = replace(_SETTINGS, epochs=200, learning_rate=1.0)
    patient = replace(settings, patience=10)
    model = _model(GCN, graph)
    result = fit(model, graph, patient, seed=0)
    last = result.curve[-1][0]
    assert result.kept_epoch == last - 10 < 190
    assert not result.stopped
    assert evaluate(model, graph)[1] == pytest.approx(min(result.val_losses), abs=1e-7)
    # It is the beginning of a training without an end to patience.
    whole = fit(_model(GCN, graph), graph, settings, seed=0)
    assert whole.curve[:last] == result.curve
    # Where the last epoch is kept, all are trained.
    latest = replace(patient, epochs=30, keep=Keep.LAST)
    assert fit(_model(GCN, graph), graph, latest, seed=0).kept_epoch == 30


@pytest.mark.parametrize("mode", RangeMode)
@pytest.mark.parametrize("every", [1, 5])
def test_the_last_epoch_is_kept_where_asked(
    every: int, mode: RangeMode, synthetic: PreparedData
) -> None:
    graph = synthetic.graph
    settings = replace(_SETTINGS, keep=Keep.LAST, learning_rate=0.1, evaluate_every=every)
    model = _model(GCN, graph, mode=mode)
    result = fit(model, graph, settings, seed=0)
    assert result.kept_epoch == 12
    assert result.val_accuracy == result.curve[-1][1] == evaluate(model, graph)[0]


def test_keeping_the_last_epoch_does_not_look_at_validation_labels(
    synthetic: PreparedData,
) -> None:
    graph = synthetic.graph
    settings = replace(_SETTINGS, keep=Keep.LAST)
    val = replace(graph.val, labels=(graph.val.labels + 1) % graph.num_classes)
    states = []
    for seen in (graph, replace(graph, val=val)):
        model = _model(GCN, seen)
        fit(model, seen, settings, seed=0)
        states.append(model.state_dict())
    assert all(torch.equal(t, states[1][name]) for name, t in states[0].items())


@pytest.mark.parametrize("kind", _KINDS)
def test_huge_learning_rates_diverge_aloud(kind: type[nn.Module], synthetic: PreparedData) -> None:
    settings = replace(_SETTINGS, learning_rate=1e30)
    with pytest.raises(DivergedError, match=r"^training diverged: [^\n]*epoch \d+$"):
        fit(_model(kind, synthetic.graph, bits=32), synthetic.graph, settings, seed=0)


def test_divergence_in_the_only_epoch_is_told_too(synthetic: PreparedData) -> None:
    settings = replace(_SETTINGS, learning_rate=1e30, epochs=1)
    with pytest.raises(DivergedError):
        fit(_model(GCN, synthetic.graph, bits=32), synthetic.graph, settings, seed=0)


def test_only_training_labels_drive_the_weights(synthetic: PreparedData) -> None:
    graph = synthetic.graph
    val, train = (
        replace(part, labels=(part.labels + 1) % graph.num_classes)
        for part in (graph.val, graph.train)
    )
    once = replace(_SETTINGS, evaluate_every=100)
    states = []
    for seen in (graph, replace(graph, val=val), replace(graph, train=train)):
        model = _model(GCN, seen)
        fit(model, seen, once, seed=0)
        states.append(model.state_dict())
    same, other = (
        [torch.equal(tensor, state[name]) for name, tensor in states[0].items()]
        for state in states[1:]
    )
    assert all(same)
    assert not all(other)


@pytest.mark.parametrize(
    "value",
    [
        {"epochs": 0},
        {"evaluate_every": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"range_learning_rate": -1.0},
        {"weight_decay": -0.1},
        {"dropout": 1.0},
        {"patience": 0},
    ],
)
def test_impossible_settings_are_refused_by_name(value: dict[str, Any]) -> None:
    (name,) = value
    with pytest.raises(InputError, match=rf"^{name}=[^\n]*$"):
        replace(_SETTINGS, **value)
