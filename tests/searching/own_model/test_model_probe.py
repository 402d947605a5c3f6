"""Files that a model reads make it another one when they change; seeds and machines do not."""

import json
import random

import numpy as np
import pytest
import torch
from projects import Project

from sgq_auto.graphs import PreparedData

_HEAD = "import json\nimport numpy as np\nimport torch\nfrom torch import nn\n"
_HEAD += "from torch_geometric.nn import GCNConv\n\n\n"
_NET = _HEAD + (
    "class Net(nn.Module):\n"
    "    def __init__(self, in_channels, out_channels, num_nodes):\n"
    "        super().__init__()\n"
    "        {init}\n"
    "        self.conv = GCNConv(in_channels, out_channels)\n\n"
    "    def forward(self, x, edge_index):\n"
    "        {forward}\n"
)
_READS = {
    "encodings a node": (
        "self.register_buffer('pe', torch.from_numpy(np.load('data.npy')))",
        "return self.conv(x, edge_index) + self.pe.mean(1, keepdim=True)",
    ),
    "a vector a node, frozen": (
        "self.emb = nn.Embedding.from_pretrained(torch.from_numpy(np.load('data.npy')))",
        "return self.conv(x, edge_index) + self.emb(torch.arange(x.size(0))).sum(1, True)",
    ),
    "a number": (
        "self.scale = json.load(open('data.json'))",
        "return self.conv(x, edge_index) * self.scale",
    ),
    "a number that only training uses": (
        "self.p = json.load(open('data.json'))",
        "return self.conv(nn.functional.dropout(x, self.p, self.training), edge_index)",
    ),
    "a choice": (
        "self.act = [torch.relu, torch.tanh][json.load(open('data.json')) > 0.5]",
        "return self.act(self.conv(x, edge_index))",
    ),
    "in the forward pass": (
        "pass",
        "return self.conv(x, edge_index) * json.load(open('data.json'))",
    ),
}


@pytest.mark.parametrize("what", _READS)
def test_a_file_that_a_model_reads_counts(
    what: str, project: Project, synthetic: PreparedData
) -> None:
    init, forward = _READS[what]
    project.write("net", _NET.format(init=init, forward=forward))
    values = np.random.default_rng(0).normal(size=(300, 3)).astype(np.float32)

    def key(last: float) -> str:
        values[-1, -1] = last
        np.save(project.folder / "data.npy", values)
        (project.folder / "data.json").write_text(json.dumps(last))
        return project.settings().key_on(synthetic.graph)

    before = key(0.25)
    assert key(0.25) == before
    assert key(0.75) != before


def test_a_file_that_a_module_reads_when_it_is_imported_counts(
    project: Project, synthetic: PreparedData
) -> None:
    net = _NET.replace("class Net", "P = json.load(open('data.json'))\n\n\nclass Net")
    project.write("net", net.format(init="pass", forward="return self.conv(x, edge_index) * P"))
    keys = []
    for value in (1.5, 1.5, 2.5):
        (project.folder / "data.json").write_text(str(value))
        keys.append(project.settings().key_on(synthetic.graph))
    assert keys[0] == keys[1] != keys[2]


def test_a_key_is_made_once_for_all_processes_of_a_search(
    project: Project, synthetic: PreparedData
) -> None:
    project.write("net", _NET.format(init="pass", forward="return self.conv(x, edge_index)"))
    settings = project.settings()
    before = settings.key_on(synthetic.graph)
    project.write("net", _NET.format(init="pass", forward="return -self.conv(x, edge_index)"))
    assert settings.key_on(synthetic.graph) == before
    assert project.settings().key_on(synthetic.graph) != before


def test_looking_at_a_model_leaves_random_numbers_and_the_output_alone(
    project: Project, synthetic: PreparedData, capsys: pytest.CaptureFixture[str]
) -> None:
    init = "print('made'); np.random.seed(1); torch.manual_seed(1)"
    project.write("net", _NET.format(init=init, forward="return self.conv(x, edge_index)"))
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    project.settings().key_on(synthetic.graph)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1].tolist(), random.getstate()) == states[1:]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "forward",
    [
        "return self.conv(x, edge_index) + torch.rand(1)",
        "import os; return self.conv(x, edge_index) * os.urandom(1)[0]",
        "import time; return self.conv(x, edge_index) * (time.time_ns() % 97)",
        "assert x.size(1) == 81; return x",
        "raise SystemError",
    ],
)
def test_a_model_that_differs_each_time_or_does_not_run_has_one_key(
    forward: str, project: Project, synthetic: PreparedData
) -> None:
    project.write("net", _NET.format(init="pass", forward=forward))
    keys = {project.settings().key_on(synthetic.graph) for _ in range(2)}
    assert len(keys) == 1
