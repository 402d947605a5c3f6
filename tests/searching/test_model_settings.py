"""Models from configuration: any class, and what it is told of the graph."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sgq_auto.errors import InputError
from sgq_auto.graphs import PreparedData
from sgq_auto.searching import ModelSettings

_HERE = "test_model_settings"


class Named(nn.Module):
    """A model whose arguments have names of their own."""

    def __init__(self, in_dim: int, out_dim: int, end: str = "logits") -> None:
        super().__init__()
        self.lin = nn.Linear(in_dim, out_dim)
        self.end = end

    def forward(self, x: Tensor, edge_index: Tensor) -> Any:
        del edge_index
        out = self.lin(x)
        if self.end == "softmax":
            return out.softmax(1)
        if self.end == "log_softmax":
            return out.log_softmax(1)
        return (out, out) if self.end == "pair" else out


class Fixed(nn.Module):
    """A model that knows its graph."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(80, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.lin(x)
        return out


def _settings(name: str, **arguments: Any) -> ModelSettings:
    return ModelSettings.of("custom", {"_target_": f"{_HERE}.{name}", **arguments})


_NAMES = {"features_as": "in_dim", "classes_as": "out_dim"}


def test_sizes_go_to_arguments_of_pygs_names(synthetic: PreparedData) -> None:
    target = "torch_geometric.nn.models.GCN"
    config = {"_target_": target, "hidden_channels": 5, "num_layers": 2, "features_as": None}
    settings = ModelSettings.of("custom", config)
    model = settings.build(synthetic.graph)
    assert (settings.name, model.in_channels, model.out_channels) == ("custom-GCN", 80, 4)


def test_sizes_go_to_arguments_that_are_named(synthetic: PreparedData) -> None:
    model = _settings("Named", **_NAMES).build(synthetic.graph)
    assert model.lin.weight.shape == (4, 80)
    model = _settings("Named", **_NAMES, out_dim=7).build(synthetic.graph)
    assert model.lin.weight.shape == (7, 80)


def test_a_model_that_knows_its_graph_is_told_nothing(synthetic: PreparedData) -> None:
    _settings("Fixed").check(synthetic.graph)


def test_a_logarithmic_softmax_is_as_good_as_logits(synthetic: PreparedData) -> None:
    _settings("Named", **_NAMES, end="log_softmax").check(synthetic.graph)
    logits = torch.randn(5, 3)
    torch.testing.assert_close(logits.log_softmax(1).log_softmax(1), logits.log_softmax(1))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (ModelSettings.of("custom", {"_target_": "???"}), "model._target_ is missing"),
        (_settings("Nothing"), "cannot be imported"),
        (ModelSettings.of("custom", {"_target_": "no_such_file.Net"}), "cannot be imported"),
        (ModelSettings.of("custom", {"_target_": "Net"}), "cannot be imported"),
        (_settings("Named"), "model.features_as and model.classes_as name the arguments"),
        (_settings("Named", **_NAMES, wrong=1), "wrong"),
        (_settings("Named", **_NAMES, out_dim=7), r"shape \[300, 7\]; it must be \[300, 4\]"),
        (_settings("Named", **_NAMES, end="softmax"), "returns probabilities"),
        (_settings("Named", **_NAMES, end="pair"), "returns a tuple"),
    ],
)
def test_what_is_wrong_with_a_model_is_one_line(
    settings: ModelSettings, said: str, synthetic: PreparedData
) -> None:
    with pytest.raises(InputError, match=said) as caught:
        settings.check(synthetic.graph)
    assert str(caught.value).startswith(f"model={settings.name}: ")
    assert "\n" not in str(caught.value)


def test_an_edited_model_is_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "edited_net.py"
    path.write_text("class Net:\n    pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    settings = ModelSettings.of("custom", {"_target_": "edited_net.Net"})
    before = settings.key
    assert settings.key == before
    path.write_text("class Net:\n    depth = 2\n")
    assert settings.key != before
