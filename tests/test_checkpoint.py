"""Trained models by the real command and by the library."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv
from torch_geometric.nn import models as pyg
from torch_geometric.utils import coalesce

import sgq_auto
from command_runs import QUICK, call, fails, run, summaries
from sgq_auto.errors import InputError
from sgq_auto.graphs import RawGraph
from sgq_auto.graphs.splits import PerClassSplit
from sgq_auto.models import GCN
from sgq_auto.searching.study.study_folder import StudyFolder

pytestmark = pytest.mark.system

_FILE = "my model, lr=0.01.pt"
_SEARCH = [each for each in QUICK if not each.startswith("pretrain")]


class Net(nn.Module):
    """A model as people train it."""

    def __init__(self, in_channels: int, out_channels: int, hidden: int = 4) -> None:
        super().__init__()
        self.hidden = hidden
        self.conv1 = GCNConv(in_channels, hidden)
        self.conv2 = GCNConv(hidden, out_channels)

    def forward(self, x: Any, edge_index: Any) -> Any:
        return self.conv2(self.conv1(x, edge_index).relu(), edge_index)


@pytest.fixture(scope="module")
def trained(cora_raw: RawGraph) -> tuple[GCN, float, float]:
    """A model trained by plain PyG, and its accuracy on validation and test nodes of Cora."""
    split = PerClassSplit(20, num_val=500, num_test=1000).split(cora_raw)
    x = torch.from_numpy(cora_raw.x.toarray()).float()
    x, y = x / x.sum(dim=1, keepdim=True).clamp(min=1), torch.from_numpy(cora_raw.y)
    edges = coalesce(torch.from_numpy(cora_raw.edge_index).long())
    torch.manual_seed(0)
    model = GCN(x.size(1), 7, hidden=4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(25):
        optimizer.zero_grad()
        functional.cross_entropy(model(x, edges)[split.train], y[split.train]).backward()
        optimizer.step()
    right = (model.eval()(x, edges).argmax(dim=1) == y).double()
    return model.train(), float(right[split.val].mean()), float(right[split.test].mean())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, trained: tuple[GCN, float, float]) -> Path:
    """Where a trained model was searched, and its file deleted since."""
    folder = tmp_path_factory.mktemp("trained")
    wrapped = {f"module.{name}": held.double() for name, held in trained[0].state_dict().items()}
    torch.save({"epoch": 25, "model_state_dict": wrapped}, folder / _FILE)
    done = run(folder, *_SEARCH, "n_trials=3", "seeding=0", f"model.checkpoint={_FILE}")
    assert done.returncode == 0, done.stderr
    (folder / "said.txt").write_text(done.stdout)
    (folder / _FILE).unlink()
    return folder


@pytest.mark.slow
def test_the_reference_is_the_trained_model(
    folder: Path, trained: tuple[GCN, float, float]
) -> None:
    _, val_accuracy, test_accuracy = trained
    (summary,) = summaries(folder)
    full = summary["full_precision"]
    assert full["search_val_accuracy"] == full["val_accuracy"] == pytest.approx(val_accuracy)
    assert full["test_accuracy"] == pytest.approx(test_accuracy)
    assert full["test_accuracy_std"] == 0
    study = StudyFolder.of(folder / "outputs", summary["study"])
    rows = [json.loads(line) for line in study.confirmed.read_text().splitlines()]
    full_rows = [{**row, "seed": 0, "evidence": None} for row in rows if row["trial"] is None]
    assert full_rows == [full_rows[0]] * 2
    assert not (folder / "outputs" / "pretrained").exists()
    said = (folder / "said.txt").read_text()
    assert f"gcn: its weights are those of {_FILE} (its entry 'model_state_dict'; " in said
    assert "names without 'module.'; 4 tensors of float64 as float32), " in said
    assert f"{100 * val_accuracy:.1f} % right on validation nodes; it is the reference" in said
    assert "training" not in said.partition("it is the reference")[2].replace("140 training", "")


@pytest.mark.slow
def test_the_study_outlives_the_file(folder: Path) -> None:
    (summary,) = summaries(folder)
    done = call(folder, "export", f"study={summary['study']}", "trial=1")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pretrain.epochs=0"], "pretrain.epochs=0: nothing would be trained; give the weights"),
        (["model.checkpoint=m.pt", "pretrain.epochs=5"], "pretrain.epochs=5 beside model.check"),
        (["model.checkpoint=none.pt"], "model.checkpoint=none.pt: there is no such file"),
        (["model.checkpoint=m.pt"], "no weights of this GCN: of another shape: conv1.bias is [3]"),
        (["model.chekpoint=m.pt"], "did you mean 'checkpoint'?"),
        (["model.checkpoint="], "model.checkpoint=: give the file of a trained model's weights"),
    ],
)
def test_what_is_wrong_is_one_line(
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    torch.save(GCN(1433, 7, hidden=3).state_dict(), "m.pt")
    assert said in fails(capsys, monkeypatch, *arguments)
    assert not (tmp_path / "outputs" / "studies").exists()


@pytest.fixture
def data() -> Data:
    generator = torch.Generator().manual_seed(0)
    return Data(
        x=torch.rand(240, 6, generator=generator),
        edge_index=torch.randint(240, (2, 700), generator=generator),
        y=torch.arange(240) % 3,
    )


# So little that nothing is trained: what a search begins with is seen all the same.
_NOTHING_FITS = {"max_kib": 0.01, "n_trials": 1}


def test_the_library_takes_a_trained_model(data: Data, tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = Net(6, 3, hidden=5)
    found = sgq_auto.search(model, data, output_root=tmp_path, **_NOTHING_FITS)
    assert "it is the reference and the only teacher" in found.notes[-2]
    assert found.notes[-1] == "custom-Net: in_channels=6 features, out_channels=3 classes"
    study = StudyFolder.of(tmp_path, found.study)
    kept = load_file(study.checkpoint)
    assert kept.keys() == model.state_dict().keys()
    assert all(torch.equal(held, model.state_dict()[name]) for name, held in kept.items())
    assert json.loads(study.config.read_text())["config"]["model"]["hidden"] == 5
    assert model.training

    # The same weights are the same study, from a file too; others are not.
    shutil.copyfile(study.checkpoint, tmp_path / "net.safetensors")
    options: dict[str, Any] = {"output_root": tmp_path, "arguments": {"hidden": 5}}
    file = tmp_path / "net.safetensors"
    again = sgq_auto.search(Net, data, checkpoint=file, **options, **_NOTHING_FITS)
    assert again.study == found.study
    with torch.no_grad():
        model.conv1.bias.add_(0.1)
    assert sgq_auto.search(model, data, **options, **_NOTHING_FITS).study != found.study


def test_what_a_trained_model_lacks_is_one_line(data: Data, tmp_path: Path) -> None:
    def refused(*arguments: Any, **more: Any) -> str:
        with pytest.raises(InputError) as caught:
            sgq_auto.search(*arguments, output_root=tmp_path, **more)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    said = refused(pyg.GCN(6, 4, 2, 3, act="elu"), data)
    assert "gives other outputs; pass all of it as arguments={" in said
    said = refused(Net(6, 3, hidden=5), data, arguments={"hidden": 4})
    assert "no weights of this Net: of another shape: conv1.bias is [5]" in said
    assert "model.hidden" not in said
    assert "checkpoint=a.pt beside a Net" in refused(Net(6, 3), data, checkpoint="a.pt")
    said = refused(Net(6, 3), data, overrides=["pretrain.epochs=9"])
    assert said.startswith("pretrain.epochs=9 beside model.checkpoint")
    lazy = pyg.GCN(-1, 4, 2, 3)
    assert "has no values yet; train it first" in refused(lazy, data)
    assert not (tmp_path / "studies").exists()
