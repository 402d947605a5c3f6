"""What the library is called with: models, widths, graphs; and what its answers print."""

import functools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_geometric.data import Data, HeteroData
from torch_geometric.nn import GCNConv

import sgq_auto
from sgq_auto.errors import InputError
from sgq_auto.library.checked_arguments import refuse_other_kinds, target_of, widths_of_groups

_GROUPS = ("features", "conv1.weight", "conv2.weight")


class Net(nn.Module):
    """Returns what it is told to."""

    def __init__(self, in_channels: int = 6, out_channels: int = 3, end: str = "both") -> None:
        super().__init__()
        self.conv = GCNConv(in_channels, 5)
        self.lin = nn.Linear(5, out_channels)
        self.end = end

    def forward(self, x: Tensor, edge_index: Tensor) -> Any:
        hidden = self.conv(x, edge_index).tanh()
        out = self.lin(hidden)
        return {"both": (out, hidden), "softmax": out.softmax(1), "twice": [out, out]}[self.end]


def _data(**changes: Any) -> Data:
    generator = torch.Generator().manual_seed(0)
    fields: dict[str, Any] = {
        "x": torch.rand(240, 6, generator=generator),
        "edge_index": torch.randint(240, (2, 700), generator=generator),
        "y": torch.arange(240) % 3,
    }
    return Data(**{k: v for k, v in (fields | changes).items() if v is not None})


@pytest.mark.parametrize(
    ("bits", "said"),
    [
        (3.5, "bits: 3.5 is no bit-width; take 1 to 16, or 32"),
        (0, "bits: 0 is no bit-width"),
        (True, "bits: True is no bit-width"),
        ("8", "bits: '8' is no bit-width"),
        (None, "bits: None is no bit-width"),
        (
            {"features": 8, "conv1.weight": 20, "conv2.weight": 8},
            "bits of conv1.weight: 20 is no bit-width",
        ),
        (
            {"features": 8, "conv1.wieght": 4, "conv2.weight": 8},
            "bits: 'conv1.wieght' is no group; did you mean 'conv1.weight'?; "
            "no width is given for conv1.weight; the groups are features, conv1.weight",
        ),
        ({"features": 8}, "bits: no width is given for conv1.weight, conv2.weight; the groups"),
        (dict.fromkeys((*_GROUPS, "one", "two"), 8), "bits: 'one' is no group (nor are two); the"),
    ],
)
def test_what_is_wrong_with_widths_is_one_line(bits: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        widths_of_groups(bits, _GROUPS)
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_integers_of_numpy_and_torch_are_widths() -> None:
    assert widths_of_groups(np.int64(4), _GROUPS) == dict.fromkeys(_GROUPS, 4)
    widths = {"features": np.uint8(1), "conv1.weight": torch.tensor(3), "conv2.weight": 32}
    assert list(widths_of_groups(widths, _GROUPS).values()) == [1, 3, 32]


def _local() -> type:
    class Inside(Net):
        pass

    return Inside


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (_local()(), "defined inside a function; worker processes"),
        ("nets.Net", "model: 'nets.Net' has no name to import it by"),
        (functools.partial(Net, end="both"), "model: functools.partial"),
        (lambda: Net(), "model: a lambda; worker processes import the model"),
        (_local(), "defined inside a function; worker processes"),
        (None, "model: None has no name"),
    ],
)
def test_a_model_that_cannot_be_searched_is_one_line(model: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        sgq_auto.search(model, _data())
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_class_is_named_as_it_is_imported() -> None:
    assert target_of(Net) == f"{__name__}.Net"


@pytest.mark.parametrize(
    ("arguments", "overrides", "said"),
    [
        ([1], [], "arguments is a list"),
        ({"deg": torch.ones(3)}, [], "arguments: deg holds a Tensor; give numbers"),
        ({"a": {"b": [min]}}, [], "arguments: a holds a builtin_function"),
        ({}, "n_trials=3", "overrides='n_trials=3': give a list of strings"),
        ({}, [3], r"overrides=\[3\]: give a list of strings"),
    ],
)
def test_other_kinds_of_arguments_are_one_line(arguments: Any, overrides: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        refuse_other_kinds(arguments, overrides)
    refuse_other_kinds({"a": [1, 2.5, "x", None, {"b": True}]}, ["seed=1"])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (_data(y=None), "no y; give classes"),
        (_data(x=None), "no x; give features"),
        (_data(edge_index=None), "no edge_index; give"),
        (_data(edge_index=None, adj_t=torch.eye(240).to_sparse_csr()), "in place of adj_t"),
        (_data(edge_attr=torch.ones(700, 2, 2)), "edge_attr has shape"),
        (HeteroData(), "a HeteroData"),
        ([_data(), None], "graph 1 is a NoneType; it must be PyG's Data"),
        (None, "a NoneType; it must be the Data of one graph"),
    ],
)
def test_a_graph_that_cannot_be_prepared_is_one_line(data: Any, said: str) -> None:
    with pytest.raises(InputError) as caught:
        sgq_auto.prepare(Net(), data)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_class_in_place_of_a_model_is_one_line() -> None:
    with pytest.raises(InputError, match=r"^model: Net is no model; give one that is made"):
        sgq_auto.prepare(Net, _data())  # type: ignore[arg-type]


def test_a_model_that_returns_its_embeddings_too_is_trained_on_its_logits() -> None:
    model = Net()
    with pytest.warns(UserWarning, match="Net: it returns a tuple; its element 0 is taken as the"):
        prepared = sgq_auto.prepare(model, _data(), "cwq", 8)
    assert prepared.logits().shape == (240, 3)
    assert 0 <= prepared.fit(epochs=2) <= 1
    assert isinstance(model(_data().x, _data().edge_index), tuple)  # The user's own stays as it is.


@pytest.mark.parametrize(
    ("end", "said"),
    [("softmax", "Net: it returns probabilities"), ("twice", "Net: it returns a list with 2 tens")],
)
def test_the_library_refuses_what_a_search_refuses(end: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        sgq_auto.prepare(Net(end=end), _data())


@pytest.mark.filterwarnings("ignore:Net")
def test_a_prepared_model_prints_in_a_line() -> None:
    prepared = sgq_auto.prepare(
        Net(), _data(), "cwq", {"embedding": 4, "attention": 8, "weight": 8}
    )
    size = f"{prepared.footprint.resident_bytes:,} bytes resident"
    expected = (
        f"Prepared(Net on data, 240 nodes, bits {{embedding: 4, attention: 8, weight: 8}}, {size})"
    )
    assert repr(prepared) == expected
    assert prepared.bits == {"embedding": 4, "attention": 8, "weight": 8}
    many = repr(sgq_auto.prepare(Net(), _data(), "lwq_cwq_taq", 2))
    assert " more groups}" in many
    assert len(many) < 300
