"""Training on batches of many graphs."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import SAGEConv

from joined_graphs import prepared_graphs, random_graphs
from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.graphs.many_graphs import graphs_of, output_rows, part
from sgq_auto.packed import FootprintModel
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import MinMaxQuantizer, RangeMode, prepare, trace_spec
from sgq_auto.settings.fit_settings import FitSettings
from sgq_auto.task import Task
from sgq_auto.training import evaluate, fit, predict, steps_of_epoch
from sgq_auto.training.graph_batches import GraphBatches, validated

_SETTINGS = FitSettings(epochs=30, learning_rate=0.05, weight_decay=0.0, batch_graphs=4)


class _Net(nn.Module):
    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.conv1 = SAGEConv(features, 16)
        self.norm = nn.BatchNorm1d(16)
        self.conv2 = SAGEConv(16, classes)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        out: Tensor = self.conv2(self.norm(self.conv1(x, edge_index)).relu(), edge_index)
        return out


def _net(features: int, classes: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return _Net(features, classes)


def _graphs(count: int = 13, task: Task = Task.NODE_CLASSIFICATION) -> Graph:
    return prepared_graphs(random_graphs(count, seed=1), task=task)


def _given(_graph: Graph, _settings: FitSettings, teacher: Tensor | None) -> Tensor | None:
    return teacher


def _quantized(graph: Graph, mode: RangeMode) -> nn.Module:
    model = _net(graph.features.num_features)
    footprints = FootprintModel(trace_spec(prepare(model, graph), graph), graph.spec)
    return prepare(model, graph, BitAllocation.uniform(footprints.sites(), 4), mode)


@pytest.mark.parametrize("task", [Task.NODE_CLASSIFICATION, Task.GRAPH_CLASSIFICATION])
def test_an_epoch_is_one_pass_over_the_training_graphs(task: Task) -> None:
    graph = _graphs(task=task)
    rows = graph.num_graphs if task.predicts_graphs else graph.num_nodes
    # What each row of the output is taught is its own number.
    batches = GraphBatches(graph, _SETTINGS, 0, torch.arange(rows), _given)
    training = output_rows(graph, graphs_of(graph, graph.train))
    for epoch in range(1, 10):
        steps = batches.of(epoch)
        assert [batch.num_graphs for batch, _ in steps].count(4) >= 2
        assert max(batch.num_graphs for batch, _ in steps) == 4
        seen = torch.cat([taught for _, taught in steps])
        assert torch.equal(seen.sort().values, training)
        for batch, taught in steps:
            expected = torch.isin(graph.train.nodes, taught).sum()
            assert batch.train.nodes.numel() == expected
            assert batch.val.nodes.numel() == 0


def test_batches_follow_from_the_seed_and_change_with_the_epoch() -> None:
    graph = _graphs()

    def drawn(seed: int, epoch: int) -> list[list[int]]:
        batches = GraphBatches(graph, _SETTINGS, seed, torch.arange(graph.num_nodes), _given)
        return [rows.tolist() for _, rows in batches.of(epoch)]

    assert drawn(0, 1) == drawn(0, 1)
    assert drawn(0, 1) != drawn(1, 1)
    assert drawn(0, 1) != drawn(0, 2)


def test_batches_are_made_a_few_times_alone() -> None:
    batches = GraphBatches(_graphs(), _SETTINGS, 0, None, _given)
    seen = {id(batch) for epoch in range(1, 65) for batch, _ in batches.of(epoch)}
    assert len(seen) == 8 * 3


def test_trials_of_one_seed_share_their_batches() -> None:
    graph = _graphs()
    first, again, other = (
        GraphBatches(graph, _SETTINGS, seed, None, _given).of(2) for seed in (3, 3, 4)
    )
    assert [id(batch) for batch, _ in first] == [id(batch) for batch, _ in again]
    assert not {id(batch) for batch, _ in other} & {id(batch) for batch, _ in first}


@pytest.mark.parametrize("size", [None, 11, 100])
def test_a_full_batch_is_one_step_with_the_training_graphs(size: int | None) -> None:
    graph = _graphs()
    steps = GraphBatches(graph, replace(_SETTINGS, batch_graphs=size), 0, None, _given).of(1)
    ((batch, _),) = steps
    assert batch.fingerprint == part(graph, torch.arange(11)).fingerprint


def test_whole_graphs_are_trained_in_batches_unless_a_number_is_given() -> None:
    graph = _graphs(170, Task.GRAPH_CLASSIFICATION)
    number = graphs_of(graph, graph.train).numel()
    assert 128 < number < 170
    open_number, all_in_one = (replace(_SETTINGS, batch_graphs=n) for n in (None, 1000))
    for settings, steps in ((open_number, 2), (all_in_one, 1), (_SETTINGS, -(-number // 4))):
        assert steps_of_epoch(graph, settings) == steps
        assert len(GraphBatches(graph, settings, 0, None, _given).of(1)) == steps
    nodes = _graphs(170)
    assert steps_of_epoch(nodes, open_number) == 1
    assert len(GraphBatches(nodes, open_number, 0, None, _given).of(1)) == 1


def test_one_graph_is_never_cut(synthetic: PreparedData) -> None:
    steps = GraphBatches(synthetic.graph, _SETTINGS, 0, None, _given).of(3)
    assert steps == [(synthetic.graph, None)]
    model = _net(synthetic.graph.features.num_features, synthetic.graph.num_classes)
    settings = replace(_SETTINGS, epochs=3)
    whole = fit(
        prepare(model, synthetic.graph), synthetic.graph, replace(settings, batch_graphs=None), 0
    )
    assert fit(prepare(model, synthetic.graph), synthetic.graph, settings, 0).curve == whole.curve


@pytest.mark.parametrize("mode", RangeMode)
def test_batches_train_a_quantized_model(mode: RangeMode) -> None:
    graph = prepared_graphs(random_graphs(30, seed=2))
    model = _quantized(graph, mode)
    before, _ = evaluate(model, graph)
    result = fit(model, graph, _SETTINGS, seed=0)
    assert result.val_accuracy > max(0.7, before)
    # The kept model is bound to all graphs again, and its ranges hold there.
    accuracy, _ = evaluate(model, graph)
    assert accuracy == pytest.approx(result.val_accuracy)
    with torch.no_grad():
        assert torch.equal(model(graph.features, graph.adj_t), predict(model, graph))


def test_ranges_that_follow_tensors_are_those_of_all_graphs() -> None:
    graph = prepared_graphs(random_graphs(12, seed=3))
    model = _quantized(graph, RangeMode.MINMAX)
    fit(model, graph, replace(_SETTINGS, epochs=2), seed=0)
    frozen = [m for m in model.modules() if isinstance(m, MinMaxQuantizer)]
    ranges = [[t.clone() for t in m.ranges()] for m in frozen]
    for module in frozen:
        module.frozen = False
    predict(model, graph)
    for module, (step, offset) in zip(frozen, ranges, strict=True):
        torch.testing.assert_close(module.step, step)
        torch.testing.assert_close(module.offset, offset)


def test_only_graphs_with_a_validation_row_are_validated() -> None:
    graph = _graphs()
    model = _quantized(graph, RangeMode.LEARNED)
    seen = validated(model, graph)
    assert seen.num_graphs == 2
    assert evaluate(model, seen) == pytest.approx(evaluate(model, graph))


def test_a_batch_holds_at_least_one_graph() -> None:
    with pytest.raises(InputError, match="batch_graphs=0: it must be at least 1"):
        replace(_SETTINGS, batch_graphs=0)


def test_settings_of_one_graph_have_the_key_of_earlier_versions() -> None:
    whole = replace(_SETTINGS, batch_graphs=None)
    assert not {"batch_graphs", "patience"} & whole.key.keys()
    assert whole.key | {"batch_graphs": 4} == _SETTINGS.key
