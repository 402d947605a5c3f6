"""Graphs that are only tested: read by the confirm stage alone, and predicted by binding."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from points import point

from joined_graphs import random_graphs, with_unseen
from sgq_auto.errors import InputError
from sgq_auto.graphs import PreparedData
from sgq_auto.graphs.labels.labelled_nodes import LabelledNodes
from sgq_auto.graphs.store import load_graph
from sgq_auto.packed.allocation import BitAllocation
from sgq_auto.searching import Granularity, SearchSettings, run_search
from sgq_auto.searching.confirming.confirm import confirm
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.study.make_study_folder import make_folder
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.searching.study.tested_graphs import TestedGraphs
from sgq_auto.training import FitSettings, predict

pytestmark = pytest.mark.system

SettingsBuilder = Callable[..., SearchSettings]


@pytest.fixture
def data() -> PreparedData:
    raws = random_graphs(12, seed=1)
    return with_unseen(raws, range(6), (6, 7), (8, 9, 10, 11))


@pytest.fixture
def search(settings: SettingsBuilder) -> SearchSettings:
    finetune = FitSettings(2, 0.02, 0.0, distillation=1.0, batch_graphs=3)
    return settings(n_trials=2, finetune=finetune)


def _rows(folder: StudyFolder) -> list[dict[str, object]]:
    return [json.loads(line) for line in folder.confirmed.read_text().splitlines()]


def _confirmed(search: SearchSettings, data: PreparedData) -> StudyFolder:
    """A study with one point that is confirmed, and none of its trials."""
    folder = make_folder(search, data)
    confirm(search, folder, [point(0, 0.5, 100)], lambda *_: None)
    return folder


def test_models_are_tested_on_graphs_that_the_search_never_saw(
    data: PreparedData, search: SearchSettings
) -> None:
    search = replace(search, granularity=Granularity.UNIFORM)
    folder = _confirmed(search, data)
    row = next(row for row in _rows(folder) if row["params"] is not None)
    bench = Workbench.build(search, load_graph(folder.graph), row["seed"])
    model, _ = bench.finetune(bench.space.allocation(row["params"]), row["seed"])
    assert data.unseen is not None
    assert row["test_accuracy"] == data.held_out.accuracy(predict(model, data.unseen))


def test_a_search_needs_no_tested_graph_before_it_confirms(
    data: PreparedData, search: SearchSettings, tmp_path: Path
) -> None:
    folder = make_folder(search, data)
    kept = folder.unseen.read_bytes()
    folder.unseen.write_bytes(b"unreadable")
    with pytest.raises(InputError, match=r"unseen\.safetensors: it is damaged"):
        run_search(search, data, [], tmp_path / "summary.json")
    assert not folder.confirmed.exists()
    folder.unseen.write_bytes(kept)
    outcome = run_search(search, data, [], tmp_path / "summary.json")
    assert outcome.failure is None
    assert outcome.summary["trials"]["complete"] == 2


def test_what_is_kept_of_tested_graphs_has_no_label(
    data: PreparedData, search: SearchSettings
) -> None:
    folder = make_folder(search, data)
    unseen = load_graph(folder.unseen, labelled=False)
    assert data.unseen is not None
    assert unseen.fingerprint == data.unseen.fingerprint
    assert unseen.train.nodes.numel() == unseen.val.nodes.numel() == 0
    with pytest.raises(InputError, match="train: it has no node"):
        load_graph(folder.unseen)
    with pytest.raises(InputError, match="train: it has labels"):
        load_graph(folder.graph, labelled=False)


def test_estimates_use_tested_graphs_but_no_label_of_theirs(
    data: PreparedData, search: SearchSettings, tmp_path: Path
) -> None:
    search = replace(search, granularity=Granularity.UNIFORM)
    held_out = data.held_out
    moved = LabelledNodes(held_out.nodes, (held_out.labels + 1) % 3)
    fewer = with_unseen(random_graphs(12, seed=1), range(6), (6, 7), (8,))
    rows = {}
    for name, given in (("own", data), ("moved", replace(data, held_out=moved)), ("fewer", fewer)):
        rows[name] = _rows(_confirmed(replace(search, output_root=tmp_path / name), given))
    evidence = {name: [row["evidence"] for row in found] for name, found in rows.items()}
    assert evidence["own"] == evidence["moved"]
    assert evidence["own"] != evidence["fewer"]
    tests = {name: [row["test_accuracy"] for row in found] for name, found in rows.items()}
    assert tests["own"] != tests["moved"]


def test_studies_differ_by_the_graphs_that_they_test(
    data: PreparedData, search: SearchSettings
) -> None:
    assert data.unseen is not None
    values = replace(data.unseen.features, values=data.unseen.features.values * 2)
    other = replace(data, unseen=replace(data.unseen, features=values))
    assert search.study_name(other) != search.study_name(data)


def test_predictions_are_for_the_graphs_of_the_search_first(
    data: PreparedData, search: SearchSettings
) -> None:
    graphs = TestedGraphs.load(make_folder(search, data), data.graph)
    bench = Workbench.untrained(search, data.graph)
    model = bench.full_precision()
    found = graphs.predict(model)
    assert data.unseen is not None
    assert found.size(0) == graphs.rows == data.graph.num_nodes + data.unseen.num_nodes
    assert torch.equal(found[: data.graph.num_nodes], predict(model, data.graph))
    assert torch.equal(graphs.of_tested(found), predict(model, data.unseen))


def test_models_with_a_row_for_each_node_are_not_for_other_graphs(data: PreparedData) -> None:
    with pytest.raises(InputError, match="a row for each node in a parameter"):
        data.in_original_order()


def test_bits_of_the_smallest_allocation_hold_on_tested_graphs(
    data: PreparedData, search: SearchSettings
) -> None:
    bench = Workbench.build(search, data.graph)
    model, _ = bench.finetune(BitAllocation.uniform(bench.footprints.sites(), 1), 0)
    assert data.unseen is not None
    assert bool(predict(model, data.unseen).isfinite().all())
