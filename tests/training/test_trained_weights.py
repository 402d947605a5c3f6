"""Weights of files in models: prefixes, types, shared tensors, and what does not fit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_model
from torch import Tensor, nn

from sgq_auto.errors import InputError
from sgq_auto.training import load_weights, weights_hash


class Net(nn.Module):
    """Two layers, one of them under two names, and a norm."""

    def __init__(self, hidden: int = 4, seed: int = 0) -> None:
        torch.manual_seed(seed)
        super().__init__()
        self.a = nn.Linear(3, hidden)
        self.b = nn.Linear(hidden, hidden)
        self.again = self.b
        self.norm = nn.BatchNorm1d(hidden)
        self.register_buffer("mask", torch.tensor([0.0, float("-inf")]))


State = dict[str, Tensor]
_TRAINED = Net(seed=7)
_STATE: State = dict(_TRAINED.state_dict())


def _prefixed(prefix: str, **others: Tensor) -> State:
    return {f"{prefix}{name}": tensor for name, tensor in _STATE.items()} | others


def _as(dtype: torch.dtype) -> State:
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in _STATE.items()}


def _loaded(content: Any, folder: Path) -> tuple[Net, tuple[str, ...]]:
    torch.save(content, folder / "model.pt")
    model = Net()
    return model, load_weights(model, folder / "model.pt")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (_STATE, ()),
        (_prefixed("module."), ("names without 'module.'",)),
        (_prefixed("gnn.encoder."), ("names without 'gnn.encoder.'",)),
        (_prefixed("_orig_mod."), ("names without '_orig_mod.'",)),
        (
            _prefixed("module._orig_mod."),
            ("names without '_orig_mod.'", "names without 'module.'"),
        ),
        (
            _prefixed("model.", **{"loss.weight": torch.ones(2)}),
            ("names without 'model.'", "without loss.weight"),
        ),
        (
            {k.replace("a.", "a._orig_mod."): v for k, v in _STATE.items()},
            ("names without '_orig_mod.'",),
        ),
        (_as(torch.float64), ("11 tensors of float64 as float32",)),
    ],
)
def test_names_and_types_of_others_are_taken_and_said(
    state: State, said: tuple[str, ...], tmp_path: Path
) -> None:
    model, found = _loaded(state, tmp_path)
    assert found == said
    assert weights_hash(model) == weights_hash(_TRAINED)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_becomes_float32(dtype: torch.dtype, tmp_path: Path) -> None:
    model, said = _loaded(_as(dtype), tmp_path)
    assert said == (f"11 tensors of {str(dtype)[6:]} as float32",)
    assert model.a.weight.dtype is torch.float32
    assert torch.equal(model.a.weight, _TRAINED.a.weight.to(dtype).float())


def test_a_shared_tensor_that_safetensors_left_out_is_there(tmp_path: Path) -> None:
    wrapped = nn.Module()
    wrapped.net = _TRAINED
    for saved in (_TRAINED, wrapped):
        save_model(saved, tmp_path / "model.safetensors")
        model = Net()
        load_weights(model, tmp_path / "model.safetensors")
        assert weights_hash(model) == weights_hash(_TRAINED)


def _without(*starts: str) -> State:
    return {name: tensor for name, tensor in _STATE.items() if not name.startswith(starts)}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (_without("a."), "missing: a.weight, a.bias;"),
        (
            {f"module.{k}": v for k, v in _without("a.", "norm").items()},
            "missing: a.weight, a.bias, norm.weight and 4 more;",
        ),
        ({**_STATE, "c.weight": torch.ones(2)}, "unexpected: c.weight;"),
        ({"x": torch.ones(1)}, "unexpected: x;"),
        (
            dict(Net(5).state_dict()),
            "of another shape: a.weight is [5, 3], the model's is [4, 3], a.bias is [5], the",
        ),
        (_prefixed("net.") | _prefixed("ema."), "several such models, under net., ema.;"),
        (_STATE | {"a.bias": torch.full((4,), torch.nan)}, "a.bias has 4 values that are no fin"),
        (_STATE | {"a.bias": torch.full((4,), 1e300, dtype=torch.float64)}, "a.bias has 4 values"),
        (_STATE | {"a.bias": torch.ones(4, dtype=torch.int8)}, "a.bias is int8, and the model's"),
        (_STATE | {"a.bias": torch.ones(4).to_sparse()}, "a.bias is no plain tensor"),
        (_STATE | {"a.bias": torch.ones(4, device="meta")}, "a.bias is no plain tensor"),
        (_STATE | {"a.bias": torch.ones(4) * 1j}, "a.bias is complex64"),
    ],
)
def test_what_does_not_fit_is_named_in_a_line(state: State, said: str, tmp_path: Path) -> None:
    model = Net()
    before = weights_hash(model)
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(InputError) as caught:
        load_weights(model, tmp_path / "model.pt")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert weights_hash(model) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.a.weight.data[0, 0].add_(1e-6),
        lambda m: m.norm.running_mean.add_(1),
        lambda m: m.norm.num_batches_tracked.add_(1),
    ],
)
def test_the_hash_is_of_every_value(change: Callable[[Net], Any]) -> None:
    model = Net(seed=7)
    assert weights_hash(model) == weights_hash(_TRAINED)
    change(model)
    assert weights_hash(model) != weights_hash(_TRAINED)
