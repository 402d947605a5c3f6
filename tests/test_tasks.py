"""What holds of every task: exact sizes, one forward pass, hidden test labels, one answer a seed.

The graph is HumanGo, whose proteins have several labels; its features are numbers to predict, too.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

import sgq_auto
from sgq_auto.graphs import BucketSettings, Graph, PreparedData, RawGraph, Split, prepare_graph
from sgq_auto.graphs.store import save_graph
from sgq_auto.models import GCN
from sgq_auto.packed import FootprintModel, PackedModel, load, save
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.quantize import convert, prepare, trace_spec
from sgq_auto.searching import Granularity, ModelSettings, SearchSettings
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.task import Metric, Task
from sgq_auto.training import FitSettings, fit, predict

_NODES = 700
# The labels that most nodes have, and features that others tell something of.
_LABELS, _NUMBERS = 5, 2


@dataclass(frozen=True)
class Case:
    """A task and a metric."""

    task: Task
    metric: Metric

    def __str__(self) -> str:
        return f"{self.task}-{self.metric}"


_CASES = [
    Case(Task.NODE_MULTILABEL, Metric.AVERAGE_PRECISION),
    Case(Task.NODE_REGRESSION, Metric.R2),
    Case(Task.NODE_REGRESSION, Metric.NEG_MAE),
    Case(Task.NODE_CLASSIFICATION, Metric.MACRO_F1),
]
_EACH_TASK = [_CASES[0], _CASES[1], _CASES[3]]


@pytest.fixture(scope="module")
def raw_of(data_root: Path) -> Callable[[Case], RawGraph]:
    """A part of HumanGo with the labels of a task; skips the test where the files are missing."""
    folder = data_root / "HumanGo"
    if not folder.is_dir():
        pytest.skip(f"no files of HumanGo in {folder}; set SGQ_AUTO_DATA")
    x, labels = (
        np.loadtxt(folder / f"{name}.csv", delimiter=",", dtype=np.float32, max_rows=_NODES)
        for name in ("features", "labels")
    )
    ends = np.loadtxt(folder / "edge_list.csv", delimiter=",", skiprows=1, usecols=(0, 1))
    edges = ends.T.astype(np.int64)
    edges = edges[:, (edges < _NODES).all(axis=0)]
    edges = np.concatenate([edges, edges[::-1]], axis=1)
    frequent = np.argsort(-labels.sum(axis=0))[:_LABELS]

    @cache
    def made(case: Case) -> RawGraph:
        y: np.ndarray = labels[:, frequent]
        if case.task.is_classification:
            y = labels[:, frequent[1]].astype(np.int64)
        if case.task.is_regression:
            y = 40 + 7 * x[:, :_NUMBERS]
        used = x[:, _NUMBERS:] if case.task.is_regression else x
        raw = RawGraph("HumanGo", used, edges, y)
        return raw.for_task(case.task, case.metric)

    return made


@pytest.fixture(scope="module")
def data_of(raw_of: Callable[[Case], RawGraph]) -> Callable[[Case], PreparedData]:
    return cache(lambda case: _prepared(raw_of(case)))


def _prepared(raw: RawGraph) -> PreparedData:
    nodes = np.random.default_rng(0).permutation(_NODES)
    split = Split(np.sort(nodes[:400]), np.sort(nodes[400:550]), np.sort(nodes[550:]))
    return prepare_graph(raw, split, BucketSettings(), normalize_rows=False)


def _model(graph: Graph) -> GCN:
    torch.manual_seed(0)
    return GCN(graph.features.num_features, graph.num_classes, hidden=8)


def _allocations(graph: Graph) -> tuple[FootprintModel, list[BitAllocation]]:
    """Sizes, and allocations: the fewest bits, many, and some of each."""
    footprints = FootprintModel(trace_spec(prepare(_model(graph), graph), graph), graph.spec)
    sites = footprints.sites()
    mixed = BitAllocation({site: (1, 3, 4, 8)[k % 4] for k, site in enumerate(sites)})
    return footprints, [BitAllocation.uniform(sites, bits) for bits in (1, 8)] + [mixed]


def _trained(graph: Graph, allocation: BitAllocation) -> torch.nn.Module:
    model = prepare(_model(graph), graph, allocation)
    fit(model, graph, FitSettings(4, 0.02, 0.0), 0)
    return model


def _stored(packed: PackedModel, folder: Path) -> PackedModel:
    save(packed, folder / "packed.safetensors")
    return load(folder / "packed.safetensors")


@pytest.mark.parametrize("case", _EACH_TASK, ids=str)
def test_predicted_bytes_are_those_that_are_written_and_held(
    case: Case, data_of: Callable[[Case], PreparedData], tmp_path: Path
) -> None:
    graph = data_of(case).graph
    footprints, allocations = _allocations(graph)
    for allocation in allocations:
        packed = _stored(convert(_trained(graph, allocation), graph), tmp_path)
        assert packed.footprint() == footprints.packed(allocation)
        assert packed.allocation == allocation


@pytest.mark.parametrize("case", _EACH_TASK, ids=str)
def test_the_packed_model_predicts_what_training_saw(
    case: Case, data_of: Callable[[Case], PreparedData], tmp_path: Path
) -> None:
    graph = data_of(case).graph
    for allocation in _allocations(graph)[1]:
        model = _trained(graph, allocation)
        packed = _stored(convert(model, graph), tmp_path)
        assert packed.task is case.task
        rows = graph.in_units(predict(model, graph))
        expected = torch.empty_like(rows)
        expected[graph.node_order] = rows
        found = torch.from_numpy(packed.predict())
        unit = torch.tensor(graph.label_scale.std) if case.task.is_regression else torch.ones(1)
        assert float(((found - expected) / unit).abs().max()) < 1e-4
        assert torch.equal(found.argmax(dim=1), expected.argmax(dim=1))


@pytest.mark.parametrize("case", _EACH_TASK, ids=str)
def test_at_full_precision_it_is_the_users_model(
    case: Case, data_of: Callable[[Case], PreparedData], raw_of: Callable[[Case], RawGraph]
) -> None:
    graph, raw, model = data_of(case).graph, raw_of(case), None
    model = _model(graph).eval()
    edges = np.unique(raw.edge_index[:, raw.edge_index[0] != raw.edge_index[1]], axis=1)
    with torch.no_grad():
        expected = model(torch.from_numpy(raw.x), torch.from_numpy(edges))
    found = torch.empty_like(expected)
    found[graph.node_order] = predict(prepare(model, graph), graph)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("case", _CASES, ids=str)
def test_test_labels_are_nowhere_in_what_is_searched(
    case: Case,
    data_of: Callable[[Case], PreparedData],
    raw_of: Callable[[Case], RawGraph],
    tmp_path: Path,
) -> None:
    data, raw = data_of(case), raw_of(case)
    tested = data.graph.node_order[data.held_out.nodes].numpy()
    y = raw.y.copy()
    y[tested] = y[tested][::-1]
    other = _prepared(replace(raw, y=y))
    assert not torch.equal(other.held_out.labels, data.held_out.labels)
    files = []
    for each in (data, other):
        save_graph(each.graph, tmp_path / "graph")
        files.append((tmp_path / "graph").read_bytes())
    assert files[0] == files[1]


@pytest.fixture
def settings(tmp_path: Path) -> SearchSettings:
    return SearchSettings(
        dataset="HumanGo",
        model=ModelSettings("gcn", {"_target_": "sgq_auto.models.GCN", "hidden": 8}),
        granularity=Granularity.LWQ_CWQ,
        sampler_name="tpe",
        sampler={"_target_": "optuna.samplers.TPESampler"},
        pretrain=FitSettings(30, 0.05, 0.0, evaluate_every=10),
        finetune=FitSettings(6, 0.02, 0.0, distillation=1.0, evaluate_every=3),
        output_root=tmp_path,
        teachers=2,
    )


@pytest.mark.parametrize("case", _CASES, ids=str)
def test_one_seed_measures_an_allocation_the_same_each_time(
    case: Case,
    data_of: Callable[[Case], PreparedData],
    settings: SearchSettings,
    tmp_path: Path,
) -> None:
    found = []
    for folder in ("one", "other"):
        own = replace(settings, output_root=tmp_path / folder)
        bench = Workbench.build(own, data_of(case).graph)
        assert bench.frame.metric is case.metric
        measured = bench.measure(bench.space.smallest())
        found.append(dataclasses.replace(measured, finetune_seconds=0.0))
    assert found[0] == found[1]


def test_a_model_that_the_user_trained_predicts_in_its_own_units(
    data_of: Callable[[Case], PreparedData], settings: SearchSettings, tmp_path: Path
) -> None:
    data = data_of(_CASES[2])
    model = _model(data.graph)
    torch.save(model.state_dict(), tmp_path / "own.pt")
    config = {**settings.model.config, "checkpoint": str(tmp_path / "own.pt")}
    own = replace(settings, model=ModelSettings.of("gcn", config), pretrain=None)
    searched = own.model.in_order(data)
    assert searched.graph.target_scale is None
    assert any("mean absolute error" in note for note in searched.notes)
    bench = Workbench.build(own, searched.graph)
    # Numbers around 0 are far from those of the data, which are around 40.
    labels = data.graph.val.labels
    assert bench.pretrained.val_accuracy == pytest.approx(-float(labels.mean()), rel=0.3)
    packed = convert(bench.full_precision(), bench.graph)
    assert packed.target_units is None
    with torch.no_grad():
        expected = predict(prepare(model, data.graph), data.graph)
    found = torch.from_numpy(packed.predict())[data.graph.node_order]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_the_library_gives_numbers_in_the_units_of_the_data(
    raw_of: Callable[[Case], RawGraph],
) -> None:
    raw = raw_of(_CASES[1])
    data = Data(
        x=torch.from_numpy(raw.x),
        edge_index=torch.from_numpy(raw.edge_index),
        y=torch.from_numpy(raw.y),
    )
    model = GCN(raw.x.shape[1], 2, hidden=8).eval()
    with torch.no_grad():
        model.conv2.bias += torch.tensor([40.0, 41.0])
    prepared = sgq_auto.prepare(model, data, bits=32)
    assert prepared.graph.task is Task.NODE_REGRESSION
    assert prepared.logits().mean(dim=0).tolist() == pytest.approx([40.0, 41.0], abs=8)
    before = float((prepared.logits() - data.y).abs().mean())
    prepared.fit(epochs=20, learning_rate=0.05)
    assert float((prepared.logits() - data.y).abs().mean()) < before
