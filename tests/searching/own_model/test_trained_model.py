"""A search of a model that its user has trained."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from optuna.distributions import IntDistribution
from optuna.trial import create_trial
from torch import nn
from torch_geometric.nn import GCNConv

from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.models import GCN
from sgq_auto.quantize import prepare
from sgq_auto.searching import ModelSettings, SearchSettings, run_search
from sgq_auto.searching.measuring.reference_models import mean_probabilities, pretrain_models
from sgq_auto.searching.measuring.workbench import Workbench
from sgq_auto.searching.own_model.trained_model import save_weights, trained_note
from sgq_auto.searching.studies.merge_studies import Part, merge_studies
from sgq_auto.searching.studies.reopen_study import reopen
from sgq_auto.searching.studies.study_archive import read_bundle, write_bundle
from sgq_auto.searching.study.study import new_study
from sgq_auto.searching.study.study_folder import StudyFolder, settings_in
from sgq_auto.searching.study.study_storage import open_storage
from sgq_auto.searching.study_attributes import RECORD
from sgq_auto.searching.trials.trial_records import Measurement
from sgq_auto.settings.storage_settings import StorageSettings
from sgq_auto.training import FitSettings, fit, load_weights, predict

SettingsBuilder = Callable[..., SearchSettings]
_GCN = {"_target_": "sgq_auto.models.GCN", "hidden": 4}


class ByNode(nn.Module):
    """A model with a row for each node, whose layer learns its size from the graph."""

    def __init__(self, num_nodes: int, num_classes: int) -> None:
        super().__init__()
        self.rows = nn.Embedding(num_nodes, 6)
        self.conv = GCNConv(-1, num_classes)

    def forward(self, x: Any, edge_index: Any) -> Any:
        return self.conv(torch.cat([x, self.rows.weight], dim=1), edge_index)


def _plain_logits(model: nn.Module, data: PreparedData) -> torch.Tensor:
    """What plain PyG says of each node, in the user's order."""
    graph = data.graph
    x = torch.empty(graph.num_nodes, graph.features.num_features)
    x[graph.node_order] = graph.features.dense()
    assert data.edge_index is not None
    with torch.no_grad():
        logits: torch.Tensor = model.eval()(x, torch.from_numpy(data.edge_index))
    return logits


@pytest.fixture(scope="module")
def trained(synthetic: PreparedData) -> GCN:
    torch.manual_seed(5)
    model = GCN(80, 4, hidden=4)
    prepared = prepare(model, synthetic.graph)
    fit(prepared, synthetic.graph, FitSettings(30, 0.05, 0.0), seed=5)
    model.load_state_dict({name: prepared.state_dict()[name] for name in model.state_dict()})
    return model


@pytest.fixture
def file(trained: GCN, tmp_path: Path) -> Path:
    torch.save({"model_state_dict": trained.state_dict()}, tmp_path / "model.pt")
    return tmp_path / "model.pt"


@pytest.fixture
def search(settings: SettingsBuilder, file: Path) -> SearchSettings:
    model = ModelSettings.of("gcn", {**_GCN, "checkpoint": str(file)})
    return settings(model=model, pretrain=None, n_trials=4)


def _changed(file: Path, model: nn.Module) -> None:
    with torch.no_grad():
        next(model.parameters()).mul_(1.01)
    torch.save(model.state_dict(), file)


def test_every_full_precision_model_is_the_users(
    search: SearchSettings, trained: GCN, synthetic: PreparedData, tmp_path: Path
) -> None:
    expected = _plain_logits(trained, synthetic)[synthetic.graph.node_order]
    bench = Workbench.build(search, synthetic.graph)
    assert torch.allclose(predict(bench.full_precision(), bench.graph), expected, atol=1e-5)
    assert torch.allclose(bench.teacher, expected.softmax(1), atol=1e-5)
    assert bench.teacher_accuracies == (bench.pretrained.val_accuracy,)
    assert bench.pretrained.val_accuracy == synthetic.graph.val.accuracy(expected)
    assert len(pretrain_models(search, synthetic.graph, range(7))) == 1
    opinions = mean_probabilities(search, synthetic.graph, range(50, 53))
    assert torch.equal(opinions, bench.teacher)
    assert not (tmp_path / "pretrained").exists()


def test_a_study_is_read_without_the_file(
    search: SearchSettings, folder: StudyFolder, file: Path, synthetic: PreparedData
) -> None:
    file.unlink()
    model = ModelSettings.of("gcn", {**_GCN, "checkpoint": "gone"})
    budget = replace(search.budget, max_kib=0.01)
    there = settings_in(folder, replace(search, model=model, budget=budget))
    assert there.study_name(synthetic) == folder.name
    assert reopen(there, folder).progress.study_name == folder.name


@pytest.fixture
def folder(search: SearchSettings, synthetic: PreparedData, tmp_path: Path) -> StudyFolder:
    """A study whose search ended before its first trial."""
    budget = replace(search.budget, max_kib=0.01)
    outcome = run_search(replace(search, budget=budget), synthetic, [], tmp_path / "s.json")
    assert outcome.summary is not None
    return StudyFolder.of(tmp_path, outcome.summary["study"])


def test_the_weights_move_with_their_study(
    folder: StudyFolder, search: SearchSettings, file: Path, tmp_path: Path
) -> None:
    config = {
        "choices": {"dataset": "synthetic", "model": "gcn"},
        "config": {"model": {**_GCN, "checkpoint": str(file)}, "tracking": {}},
    }
    here = settings_in(folder, replace(search, config=config))
    write_bundle(here, folder, tmp_path / "study.zip")
    file.unlink()
    shutil.rmtree(folder.path)
    there = read_bundle(tmp_path / "study.zip", tmp_path / "there", {})
    assert not there.weights.exists()
    model = GCN(80, 4, hidden=4)
    load_weights(model, there.checkpoint)
    part = Part(settings_in(there, here), there)
    assert part.space["weights of the model"] is not None


def test_a_merged_study_has_the_weights(
    folder: StudyFolder, search: SearchSettings, tmp_path: Path
) -> None:
    """Studies of other weights are not merged."""
    config = {
        "choices": {"dataset": "synthetic", "model": "gcn"},
        "config": {"model": {**_GCN, "checkpoint": "model.pt"}, "tracking": {}},
    }
    search = replace(search, config=config)
    trial = create_trial(
        values=[0.5, 10.0],
        params={"p": 1},
        distributions={"p": IntDistribution(0, 2)},
        user_attrs={
            RECORD: {
                **Measurement(0.5, {"resident_bytes": 10}, 2.0, ((1, 0.5),), 0.1).as_attr(),
                "worker_seconds": 1.0,
            }
        },
    )
    other = StudyFolder.of(tmp_path, "other")
    shutil.copytree(folder.path, other.path, ignore=shutil.ignore_patterns("journal*"))
    new_study(open_storage(StorageSettings(), other.path), other.name)
    parts = [Part(settings_in(each, search), each) for each in (folder, other)]
    for part in parts:
        part.study.add_trial(trial)
    merged = merge_studies(parts, tmp_path)
    assert merged.checkpoint.read_bytes() == folder.checkpoint.read_bytes()
    save_weights(GCN(80, 4, hidden=4), other.checkpoint)
    with pytest.raises(InputError, match="differ in weights of the model"):
        merge_studies(parts, tmp_path)


def test_a_bundle_without_the_weights_is_refused(
    folder: StudyFolder, search: SearchSettings, tmp_path: Path
) -> None:
    folder.checkpoint.unlink()
    config = {
        "choices": {"dataset": "synthetic", "model": "gcn"},
        "config": {"model": {**_GCN, "checkpoint": "model.pt"}, "tracking": {}},
    }
    write_bundle(replace(search, config=config), folder, tmp_path / "study.zip")
    with pytest.raises(InputError, match=r"study\.zip: .*checkpoint\.safetensors"):
        read_bundle(tmp_path / "study.zip", tmp_path / "there", {})


def test_a_damaged_copy_is_written_again(
    folder: StudyFolder, search: SearchSettings, synthetic: PreparedData, tmp_path: Path
) -> None:
    good = folder.checkpoint.read_bytes()
    folder.checkpoint.write_bytes(good[:-9])
    budget = replace(search.budget, max_kib=0.01)
    run_search(replace(search, budget=budget), synthetic, [], tmp_path / "s.json")
    assert folder.checkpoint.read_bytes() == good


def test_other_weights_are_another_study(
    search: SearchSettings, file: Path, trained: GCN, synthetic: PreparedData, tmp_path: Path
) -> None:
    name = search.study_name(synthetic)
    again = replace(search, model=replace(search.model, _keys={}))
    shutil.copyfile(file, tmp_path / "copy.pt")
    assert again.study_name(synthetic) == name
    copied = ModelSettings.of("gcn", {**_GCN, "checkpoint": tmp_path / "copy.pt"})
    assert replace(search, model=copied).study_name(synthetic) == name
    assert replace(search, teachers=1).study_name(synthetic) == name
    edited = GCN(80, 4, hidden=4)
    edited.load_state_dict(trained.state_dict())
    _changed(file, edited)
    again = replace(search, model=replace(search.model, _keys={}))
    assert again.study_name(synthetic) != name


def test_rows_of_nodes_meet_their_nodes(synthetic: PreparedData, tmp_path: Path) -> None:
    torch.manual_seed(2)
    model = ByNode(synthetic.graph.num_nodes, 4)
    _plain_logits(model, synthetic)  # Its layer learns its size.
    torch.save({f"net.{k}": v for k, v in model.state_dict().items()}, tmp_path / "m.pt")
    config = {"_target_": f"{__name__}.ByNode", "checkpoint": str(tmp_path / "m.pt")}
    settings = ModelSettings.of("custom", config)
    data = settings.in_order(synthetic)
    order, own = data.notes[-2:]
    assert "given them in their own order" in order
    logits = _plain_logits(model, synthetic)
    accuracy = data.graph.val.accuracy(logits[data.graph.node_order])
    said = f"(names without 'net.'), {100 * accuracy:.1f} % right on validation nodes"
    assert f"custom-ByNode: its weights are those of {tmp_path / 'm.pt'} {said}" in own
    prepared = prepare(settings.trained(data.graph), data.graph)
    found = predict(prepared, data.graph)
    assert torch.allclose(found, logits[data.graph.node_order], atol=1e-5)


def test_classes_in_another_order_are_said(trained: GCN, synthetic: PreparedData) -> None:
    graph: Graph = synthetic.graph
    assert "another order" not in trained_note("gcn", Path("m.pt"), (), trained, graph)
    turned = GCN(80, 4, hidden=4)
    turned.load_state_dict(trained.state_dict())
    with torch.no_grad():
        for parameter in turned.conv2.parameters():
            parameter.copy_(parameter.roll(1, dims=0))
    right = 100 * graph.val.accuracy(predict(prepare(trained, graph), graph))
    said = trained_note("gcn", Path("m.pt"), (), turned, graph)
    assert f"with its classes in another order it would be {right:.1f} %" in said
    assert "here they are 0, 1, 2, 3)" in said


def test_a_wrong_file_names_the_setting(search: SearchSettings, synthetic: PreparedData) -> None:
    wrong = replace(search.model, config={**_GCN, "hidden": 5})
    with pytest.raises(InputError, match=r"^model\.checkpoint=.*model\.pt: no weights of this GCN"):
        wrong.in_order(synthetic)


@pytest.mark.parametrize("given", ["", " ", 3, ["a.pt"]])
def test_a_checkpoint_is_a_path(given: Any) -> None:
    with pytest.raises(InputError, match=r"model\.checkpoint="):
        ModelSettings.of("gcn", {**_GCN, "checkpoint": given})


def test_without_a_checkpoint_nothing_changes() -> None:
    with_null = ModelSettings.of("gcn", {**_GCN, "checkpoint": None})
    assert with_null == ModelSettings("gcn", _GCN)
    assert with_null.key == json.dumps(_GCN, sort_keys=True)


def test_training_and_a_trained_model_exclude_each_other(
    settings: SettingsBuilder, search: SearchSettings
) -> None:
    with pytest.raises(InputError, match=r"pretrain\.epochs=0: nothing would be trained"):
        settings(pretrain=None)
    with pytest.raises(InputError, match=r"model\.checkpoint: the reference is the model of"):
        replace(search, pretrain=FitSettings(3, 0.1, 0.0))
