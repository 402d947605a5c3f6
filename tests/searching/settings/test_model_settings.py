"""Models from configuration: any class, and what it is told of the graph."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sgq_auto.errors import InputError
from sgq_auto.graphs import PreparedData
from sgq_auto.quantize import prepare
from sgq_auto.searching import ModelSettings
from sgq_auto.searching.own_model import SizeArguments
from sgq_auto.training import FitSettings, fit, predict

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
        if self.end == "dict":
            return {"hidden": x, "logits": out}
        return {"pair": (out, out), "hidden": (x, out), "none": [x]}.get(self.end, out)


class Fixed(nn.Module):
    """A model that knows its graph."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(80, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.lin(x)
        return out


class Unusual(nn.Module):
    """A model whose arguments are called like nobody's."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__()
        self.lin = nn.Linear(first, last)


class Unclear(nn.Module):
    """A model with two arguments for one size."""

    def __init__(self, in_dim: int, nfeat: int, nclass: int) -> None:
        super().__init__()
        self.lin = nn.Linear(in_dim + nfeat, nclass)


class Wants(nn.Module):
    """A model that takes a list as a list and a tensor as a tensor."""

    def __init__(self, nfeat: int, nclass: int, widths: list[int], deg: Any, **kw: Any) -> None:
        super().__init__()
        assert type(widths) is list
        assert all(type(value) in (list, dict) for value in kw.values())
        self.mean = float(deg.float().mean())
        self.lin = nn.Linear(nfeat, nclass)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.lin(x) * self.mean
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


@pytest.mark.parametrize(
    ("features", "classes"),
    [
        ("nfeat", "nclass"),
        ("num_features", "num_classes"),
        ("in_dim", "out_dim"),
        ("dim_in", "dim_out"),
        ("input_dim", "output_dim"),
        ("in_feats", "n_classes"),
        ("num_node_features", "out_channels"),
        ("in_channels", "num_labels"),
    ],
)
def test_sizes_go_to_arguments_as_people_call_them(
    features: str, classes: str, synthetic: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = f"def net({features}, {classes}, hidden=1): return Linear({features}, {classes})"
    scope: dict[str, Any] = {"Linear": nn.Linear}
    exec(text, scope)
    monkeypatch.setattr(sys.modules[__name__], "net", scope["net"], raising=False)
    settings = _settings("net")
    assert settings.build(synthetic.graph).weight.shape == (4, 80)
    assert settings.notes(synthetic.graph) == (
        f"custom-net: {features}=80 features, {classes}=4 classes",
    )


def test_pygs_names_come_before_others_and_nodes_are_counted(synthetic: PreparedData) -> None:
    class Net(nn.Module):
        def __init__(
            self, in_channels: int, num_classes: int, num_nodes: int = 1, out_dim: int = 3
        ) -> None:
            super().__init__()
            self.sizes = in_channels, num_classes, num_nodes, out_dim

    sizes = SizeArguments.of(Net, {}, synthetic.graph)
    assert sizes.values == {"in_channels": 80, "num_classes": 4, "num_nodes": 300}
    assert sizes.hint == ""


def test_what_is_given_is_not_said_to_be_taken(synthetic: PreparedData) -> None:
    settings = _settings("Named", in_dim=80, out_dim=4)
    assert settings.notes(synthetic.graph) == ()
    assert ModelSettings("gcn", {"_target_": "sgq_auto.models.GCN"}).notes(synthetic.graph) == ()


@pytest.mark.parametrize(("end", "place"), [("hidden", "element 1"), ("dict", "entry 'logits'")])
def test_the_logits_among_several_tensors_are_taken_and_said(
    end: str, place: str, synthetic: PreparedData
) -> None:
    settings, graph = _settings("Named", end=end), synthetic.graph
    settings.check(graph)
    (note,) = settings.notes(graph)
    kind = "dict" if end == "dict" else "tuple"
    assert note.endswith(f"it returns a {kind}; its {place} is taken as the logits")
    trained = []
    for each in (settings, _settings("Named")):
        torch.manual_seed(0)
        made = prepare(each.build(graph), graph)
        fit(made, graph, FitSettings(1, 0.1, 0.0), seed=0)
        trained.append(predict(made, graph))
    assert torch.equal(*trained)


def test_lists_are_lists_and_tensors_where_only_those_do(synthetic: PreparedData) -> None:
    given = {"widths": ["wide"], "deg": [1, 2, 6], "more": {"a": [1]}, "most": [{"b": 2}]}
    settings = _settings("Wants", **given)
    assert settings.build(synthetic.graph).mean == 3.0
    (note,) = settings.notes(synthetic.graph)
    assert note == "custom-Wants: nfeat=80 features, nclass=4 classes, deg as a tensor"


@pytest.mark.parametrize(
    "given",
    [
        {"_target_": "torch_geometric.nn.models.GraphSAGE", "aggr": ["mean", "max"]},
        {
            "_target_": "torch_geometric.nn.models.PNA",
            "aggregators": ["mean", "max"],
            "scalers": ["identity", "attenuation"],
            "deg": [0, 5, 40, 90],
        },
    ],
)
def test_models_of_pyg_take_their_lists(given: dict[str, Any], synthetic: PreparedData) -> None:
    ModelSettings.of("custom", {"hidden_channels": 4, "num_layers": 2, **given}).check(
        synthetic.graph
    )


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
        (_settings("Unusual"), "model.features_as and model.classes_as name the arguments"),
        (_settings("Unclear"), "in_dim and nfeat may each take the number of features"),
        (_settings("Named", **_NAMES, wrong=1), "wrong"),
        (_settings("Named", **_NAMES, out_dim=7), r"shape \[300, 7\]; it must be \[300, 4\]"),
        (_settings("Named", **_NAMES, end="softmax"), "returns probabilities"),
        (_settings("Named", **_NAMES, end="pair"), "returns a tuple with 2 tensors of 4 columns"),
        (_settings("Named", **_NAMES, end="none"), "returns a list; it must return one tensor"),
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
    sys.modules.pop("edited_net")
