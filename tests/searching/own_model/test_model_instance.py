"""Models that are trained already: what they were made with, and whether that is all."""

import copy
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.nn import GCNConv
from torch_geometric.nn.models import GAT, GCN

from sgq_auto.errors import InputError
from sgq_auto.graphs import PreparedData
from sgq_auto.searching.own_model import arguments_of, check_rebuilt, unwrapped


class Kept(nn.Module):
    """Keeps what it is made with, as it is called."""

    def __init__(self, nfeat: int, nclass: int, hidden: int = 4, drop: float = 0.5) -> None:
        super().__init__()
        self.hidden = hidden
        self.drop = nn.Dropout(drop)
        self.conv = GCNConv(nfeat, hidden, cached=True)
        self.lin = nn.Linear(hidden, nclass)
        self.said: Tensor | None = None

    def forward(self, x: Tensor, edge_index: Tensor) -> Any:
        self.said = self.conv(x, edge_index).relu()
        return self.lin(self.drop(self.said)), self.said


class Secret(nn.Module):
    """Keeps none of it by its name."""

    def __init__(self, nfeat: int, nclass: int, slope: float = 0.1, p: float = 0.5) -> None:
        super().__init__()
        self.numbers = SimpleNamespace(slope=slope, p=p)
        self.conv = GCNConv(nfeat, nclass)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = functional.dropout(x, self.numbers.p, self.training)
        return functional.leaky_relu(self.conv(x, edge_index), self.numbers.slope)


class Lightning(nn.Module):
    """Keeps its arguments as Lightning does."""

    def __init__(self, nfeat: int, **_others: Any) -> None:
        super().__init__()
        self.hparams = {"nfeat": nfeat, "unused": 3}


@pytest.mark.parametrize(
    ("model", "given", "found"),
    [
        (Kept(80, 4, 6, 0.25), {}, {"hidden": 6, "drop": 0.25}),
        (Kept(80, 4, 6), {"hidden": 5}, {"hidden": 5, "drop": 0.5}),
        (Secret(80, 4), {}, {}),
        (Lightning(7), {}, {"nfeat": 7}),
    ],
)
def test_arguments_are_attributes_of_their_names(
    model: nn.Module, given: Mapping[str, Any], found: Mapping[str, Any]
) -> None:
    assert arguments_of(model, given) == found


def test_a_model_of_pyg_keeps_its_arguments() -> None:
    found = arguments_of(GCN(80, 8, 3, 4, dropout=0.3, norm="batch"), {})
    assert (found["hidden_channels"], found["num_layers"], found["out_channels"]) == (8, 3, 4)
    assert (found["dropout"], found["norm"]) == (0.3, "batch")
    assert "act" not in found


def _anew(model: nn.Module, make: Callable[[], nn.Module]) -> nn.Module:
    made = make()
    made.load_state_dict(model.state_dict())
    return made


@pytest.mark.parametrize(
    ("make", "again"),
    [
        (lambda: Kept(80, 4), lambda: Kept(80, 4)),
        (lambda: Secret(80, 4, 0.3, 0.2), lambda: Secret(80, 4, 0.3, 0.2)),
        (lambda: GAT(80, 8, 2, 4, dropout=0.4), lambda: GAT(80, 8, 2, 4, dropout=0.4)),
    ],
)
def test_the_same_model_is_the_same(
    make: Callable[[], nn.Module], again: Callable[[], nn.Module], synthetic: PreparedData
) -> None:
    model = make()
    check_rebuilt(model, _anew(model, again), synthetic)


@pytest.mark.parametrize(
    ("make", "again", "said"),
    [
        (lambda: Secret(80, 4, 0.3), lambda: Secret(80, 4), "gives other outputs$"),
        (lambda: Secret(80, 4, p=0.3), lambda: Secret(80, 4), "outputs in training, as with"),
        (lambda: Kept(80, 4, 4, 0.3), lambda: Kept(80, 4), "outputs in training, as with"),
        (lambda: GCN(80, 8, 2, 4, act="elu"), lambda: GCN(80, 8, 2, 4), "gives other outputs$"),
        (lambda: Lightning(80), lambda: Lightning(80), "cannot be copied and run as plain PyG"),
    ],
)
def test_what_it_was_made_with_shows_in_its_outputs(
    make: Callable[[], nn.Module],
    again: Callable[[], nn.Module],
    said: str,
    synthetic: PreparedData,
) -> None:
    model = make()
    with pytest.raises(InputError, match=said):
        check_rebuilt(model, _anew(model, again), synthetic)


def test_the_users_model_is_left_as_it_is(synthetic: PreparedData) -> None:
    model = Kept(80, 4).double()
    x, edges = torch.rand(300, 80).double(), synthetic.graph.edge_index()
    model(x, edges)[0].sum().backward()
    said, kept = model.said, copy.deepcopy(model.state_dict())
    gradients = [parameter.grad for parameter in model.parameters()]
    cached = model.conv._cached_edge_index
    state = torch.random.get_rng_state()
    again = Kept(80, 4)
    again.load_state_dict(model.state_dict())
    check_rebuilt(model, again, synthetic)
    assert torch.equal(torch.random.get_rng_state()[:8], state[:8])
    assert model.training
    assert model.said is said
    assert model.conv._cached_edge_index is cached
    assert all(p.grad is g for p, g in zip(model.parameters(), gradients, strict=True))
    assert all(torch.equal(kept[name], held) for name, held in model.state_dict().items())


def test_wrappers_are_taken_off() -> None:
    model = Kept(80, 4)
    assert unwrapped(torch.compile(nn.DataParallel(model))) is model
    assert unwrapped(model) is model
