"""``docs/own_model.md`` and searches of models that nobody wrote a configuration for."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch_geometric import seed_everything

import sgq_auto
from command_runs import SYNTHETIC, call, run, summaries, tracked
from sgq_auto.errors import InputError
from sgq_auto.graphs.store import load_graph
from sgq_auto.packed import load
from sgq_auto.searching.study.study_folder import StudyFolder

pytestmark = pytest.mark.system

_PAGE = (Path(__file__).parents[1] / "docs" / "own_model.md").read_text()
_QUICK = [
    *SYNTHETIC,
    "n_trials=5",
    "seeding=2",
    "teachers=1",
    "pretrain.epochs=10",
    "finetune.epochs=2",
    "confirm.seeds=1",
    "confirm.max_points=1",
    "confirm.refinements=0",
    "tolerance=100",
]
_LIBRARY = [word for word in _QUICK if not word.startswith(("dataset", "n_trials", "tolerance"))]
_JUMPING = """
from torch import nn
from torch.nn import functional as F
from torch_geometric.nn import GATv2Conv, JumpingKnowledge


class Net(nn.Module):
    def __init__(self, in_dim, out_dim, width):
        super().__init__()
        self.conv1 = GATv2Conv(in_dim, width, heads=2)
        self.conv2 = GATv2Conv(2 * width, width, heads=2)
        self.jump = JumpingKnowledge("lstm", 2 * width, 1)
        self.lin = nn.Linear(2 * width, out_dim)

    def forward(self, x, edge_index):
        first = F.elu(self.conv1(x, edge_index))
        second = F.elu(self.conv2(F.dropout(first, training=self.training), edge_index))
        return F.log_softmax(self.lin(self.jump([first, second])), dim=1)
"""


def _blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", _PAGE, re.DOTALL)


def _commands() -> list[list[str]]:
    lines = re.findall(r"^    python -m sgq_auto\.search (.*)$", _PAGE, re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.mark.slow
def test_the_page_runs_as_it_stands(tmp_path: Path) -> None:
    model, categories, program = _blocks()
    exec(categories, {})
    (tmp_path / "my_net.py").write_text(model)
    (tmp_path / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert re.fullmatch(r"data-custom-MyNet-lwq_cwq_taq-abs-seed0-\w{8} \d+ \S+", first)
    assert "torch.Size" in second


@pytest.mark.slow
def test_a_model_of_pyg_is_searched_confirmed_and_packed(tmp_path: Path) -> None:
    (arguments,) = (each for each in _commands() if any("models.GCN" in a for a in each))
    done = run(tmp_path, *arguments, *_QUICK)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (summary,) = summaries(tmp_path)
    assert summary["model"] == "custom-GCN"
    assert tracked(tmp_path) == (1, 5)
    best = summary["recommended"]
    packed = load(best["artifact_path"])
    assert packed.footprint().as_dict() == {k: best[k] for k in packed.footprint().as_dict()}
    assert packed.predict().shape == (600, len(packed.classes))


@pytest.mark.slow
def test_the_pages_model_is_searched_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "my_net.py").write_text(_blocks()[0])
    (arguments,) = (each for each in _commands() if any("my_net" in a for a in each))
    done = run(tmp_path, *arguments, *_QUICK, "workers=2")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (summary,) = summaries(tmp_path)
    assert tracked(tmp_path) == (1, 5)
    best = summary["recommended"]
    assert best["stored_bytes"] < best["resident_bytes"]
    # Its norms and its residual are in the file.
    packed = load(best["artifact_path"])
    assert packed.footprint().as_dict() == {k: best[k] for k in packed.footprint().as_dict()}
    assert packed.predict().shape == (600, len(packed.classes))
    again = call(tmp_path, "export", f"study={summary['study']}", "trial=0")
    assert again.returncode == 0, again.stderr


@pytest.mark.slow
def test_jumping_knowledge_with_arguments_of_other_names(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(_JUMPING)
    names = ["model.features_as=in_dim", "model.classes_as=out_dim", "model.width=4"]
    done = run(tmp_path, "model=custom", "model._target_=nets.Net", *names, *_QUICK)
    assert done.returncode == 0, done.stderr
    (summary,) = summaries(tmp_path)
    assert "This model cannot be packed (LSTM jump.lstm" in done.stdout
    assert summary["recommended"]["artifact_path"] is None
    assert "cannot be packed" in summary["recommended"]["artifact_reason"]
    bits = summary["recommended"]["bits"]
    assert {name.split(".")[0] for name in bits} == {"features", "conv1", "conv2", "lin"}


@pytest.mark.slow
def test_search_is_the_library_s_function_where_commands_are_imported_too() -> None:
    code = (
        "import sgq_auto, sys; assert 'torch' not in sys.modules; "
        "from sgq_auto.commands.search import main; assert 'torch' not in sys.modules; "
        "from sgq_auto import search; assert callable(main) and callable(search); "
        "assert search is sgq_auto.library.search; "
        "assert callable(sgq_auto.prepare) and callable(sgq_auto.pack); "
        "assert not hasattr(sgq_auto, 'missing')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def data() -> object:
    from torch_geometric.datasets import FakeDataset

    seed_everything(0)
    return FakeDataset(avg_num_nodes=900, num_channels=12, num_classes=3, task="node")[0]


def test_the_library_prepares_trains_and_packs(data: object, tmp_path: Path) -> None:
    from torch_geometric.nn.models import GCN

    torch.manual_seed(0)
    model = GCN(12, 8, 2, 3)
    prepared = sgq_auto.prepare(model, data, "lwq", {"features": 8, "convs.0": 6, "convs.1": 4})
    assert {width for _, width in prepared.allocation.items()} == {4, 6, 8}
    assert 0 <= prepared.fit(epochs=3) <= 1
    packed = load(sgq_auto.pack(prepared, tmp_path / "model.safetensors"))
    assert packed.footprint() == prepared.footprint
    logits, trained = torch.from_numpy(packed.predict()), prepared.logits()
    # fp32 sums may put a value on the border of two codes to the other side.
    assert torch.isclose(logits, trained, atol=1e-4).all(dim=1).float().mean() > 0.9
    assert (logits.argmax(dim=1) == trained.argmax(dim=1)).float().mean() > 0.99


def test_the_library_refuses_unknown_groups_in_one_line(data: Any) -> None:
    from torch_geometric.nn.models import GCN

    widths = {"features": 8, "conv.0": 3}
    with pytest.raises(InputError, match=r"^bits: 'conv.0' is no group; did you mean 'convs.0'\?"):
        sgq_auto.prepare(GCN(12, 8, 2, 3), data, "lwq", widths)


def test_settings_of_the_data_are_taken_by_the_library(data: object, tmp_path: Path) -> None:
    from torch_geometric.nn.models import GCN

    arguments = {"hidden_channels": 4, "num_layers": 2}
    given = [*_LIBRARY, "buckets.split_points=[3]", "dataset.split.train_per_class=10"]
    budget = {"max_kib": 900.0, "max_drop": 7.0}
    found = sgq_auto.search(
        GCN, data, arguments=arguments, n_trials=2, output_root=tmp_path, overrides=given, **budget
    )
    folder = StudyFolder.of(tmp_path, found.study)
    graph = load_graph(folder.graph)
    assert graph.split_points == (3,)
    assert graph.train.nodes.numel() == 30
    kept = json.loads(folder.config.read_text())["config"]
    assert {name: kept[name] for name in budget} == budget
    assert found.notes[-1] == "custom-GCN: in_channels=12 features, out_channels=3 classes"
    assert re.fullmatch(r"Found\(data-custom-GCN-\S+: .*, artifact \S+\)", repr(found))


def test_what_the_library_cannot_take_is_one_line(data: Any) -> None:
    from torch_geometric.nn.models import GCN

    with pytest.raises(InputError, match="granularity=fine: choose one of"):
        sgq_auto.prepare(GCN(12, 8, 2, 3), data, "fine")
    with pytest.raises(InputError, match=r"finetune.epoch: .*did you mean 'epochs'"):
        sgq_auto.search(GCN, data, overrides=["finetune.epoch=5"])
    data.y = torch.full_like(data.y, -1)
    with pytest.raises(InputError):
        sgq_auto.prepare(GCN(12, 8, 2, 3), data)
