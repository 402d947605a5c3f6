"""State dicts as people save them, and files that are none."""

import pickle
import zipfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sgq_auto.errors import InputError
from sgq_auto.training.state_files import read_state

_STATE = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(2)}
_ADAM = torch.optim.Adam([nn.Parameter(torch.ones(3))])


def _saved(path: Path, content: Any, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


def _same(found: Any) -> bool:
    return found.keys() == _STATE.keys() and all(torch.equal(found[k], _STATE[k]) for k in _STATE)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_STATE, ()),
        ({"state_dict": _STATE, "epoch": 3}, ("its entry 'state_dict'",)),
        (
            {"epoch": 3, "model_state_dict": _STATE, "optimizer_state_dict": _ADAM.state_dict()},
            ("its entry 'model_state_dict'",),
        ),
        ({"model": _STATE, "ema": _STATE}, ("its entry 'model'",)),
        ({"net": _STATE, "optimizer": _ADAM.state_dict()}, ("its entry 'net'",)),
        ({"model": {"hidden": 8}, "weights": _STATE}, ("its entry 'weights'",)),
        ({"model": {"state_dict": _STATE}}, ("its entry 'model.state_dict'",)),
        ({**_STATE, "epoch": 3}, ("without epoch, no tensor",)),
    ],
)
@pytest.mark.parametrize("old", [False, True])
def test_a_state_dict_is_found_where_people_put_it(
    content: Any, said: tuple[str, ...], old: bool, tmp_path: Path
) -> None:
    path = _saved(tmp_path / "model.pth", content, _use_new_zipfile_serialization=not old)
    stored = read_state(path)
    assert _same(stored.tensors)
    assert stored.said == said


def test_the_content_says_what_a_file_is_not_its_name(tmp_path: Path) -> None:
    # Headers of every length: their first bytes may be those that other files begin with.
    for length in range(64):
        save_file(_STATE, tmp_path / "model.pt", {"note": "x" * length})
        assert _same(read_state(tmp_path / "model.pt").tensors)
    for old in (False, True):
        named = tmp_path / "model.safetensors"
        _saved(named, _STATE, _use_new_zipfile_serialization=not old)
        assert _same(read_state(named).tensors)


class Whole(nn.Module):
    """A model that is pickled as a whole."""


def _deflated(path: Path) -> Path:
    with zipfile.ZipFile(_saved(path, _STATE)) as stored:
        members = {name: stored.read(name) for name in stored.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _overlapping(path: Path) -> Path:
    """What the archive says of its sizes is more than the file has."""
    content = _saved(path, {"a": torch.zeros(4000), "b": torch.zeros(4000)}).read_bytes()
    path.write_bytes(content.replace((16_000).to_bytes(4, "little"), b"\0\0\0\x70"))
    return path


def _cut(path: Path, kept: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    return path


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _safetensors(path: Path) -> Path:
    save_file(_STATE, path)
    return path


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: p, "there is no such file"),
        (lambda p: p.parent, "is a folder"),
        (lambda p: _written(p, b""), "no weights of safetensors or torch.save"),
        (lambda p: _written(p, b"hello" * 99), "no weights of safetensors or torch.save"),
        (lambda p: _written(p, b"\xff" * 4 + b"\0" * 4 + b"{"), "its header is larger"),
        (lambda p: _cut(_saved(p, _STATE), 0.5), "or damaged"),
        (lambda p: _cut(_safetensors(p), 0.9), "or damaged"),
        (
            lambda p: _cut(_saved(p, _STATE, _use_new_zipfile_serialization=False), 0.99),
            "or damaged",
        ),
        (lambda p: _saved(p, Whole()), "test_state_files.Whole), like a whole pickled model"),
        (lambda p: _saved(p, {"model": _STATE, "args": Namespace(a=1)}), "argparse.Namespace"),
        (lambda p: _saved(p, {"net": _STATE, "ema": _STATE}), "several entries (net, ema)"),
        (lambda p: _saved(p, [1, 2]), "it is a list"),
        (lambda p: _saved(p, torch.ones(2)), "it is a Tensor"),
        (lambda p: _saved(p, {}), "it is empty"),
        (lambda p: _saved(p, {"epoch": 3, "loss": 0.1}), "it has no tensors, but epoch, loss"),
        (lambda p: _written(p, pickle.dumps(_STATE)), "a pickle of Python's own"),
        (lambda p: _saved(p, {"a": torch.ones(2), "b": bytearray(9)}), "more than tensors"),
        (_deflated, "it is compressed"),
        (_overlapping, "its parts overlap"),
    ],
)
def test_what_is_no_state_dict_is_one_line(
    make: Callable[[Path], Path], said: str, tmp_path: Path
) -> None:
    path = make(tmp_path / "model.pt")
    with pytest.raises(InputError) as caught:
        read_state(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


class _Runs:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("ran"),)


def test_nothing_in_a_file_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for old in (False, True):
        path = _saved(tmp_path / "m.pt", {"x": _Runs()}, _use_new_zipfile_serialization=not old)
        with pytest.raises(InputError, match="code from a file is not run"):
            read_state(path)
    assert not (tmp_path / "ran").exists()


def test_a_huge_pickle_is_not_followed(tmp_path: Path) -> None:
    content = {"a": torch.ones(2), "losses": list(range(1_000_000))}
    for old in (False, True):
        path = _saved(tmp_path / "m.pt", content, _use_new_zipfile_serialization=not old)
        with pytest.raises(InputError, match="far more than tensors"):
            read_state(path)


def test_tensors_that_nobody_asks_for_are_not_read(tmp_path: Path) -> None:
    tensors: dict[str, Tensor] = {"large": torch.zeros(1 << 22), "small": torch.ones(2)}
    stored = read_state(_saved(tmp_path / "m.pt", tensors))
    with (tmp_path / "m.pt").open("r+b") as file:  # What is mapped shows what the file says now.
        content = file.read()
        place = content.index(torch.ones(2).numpy().tobytes())
        file.seek(place)
        file.write(torch.tensor([5.0, 6.0]).numpy().tobytes())
    assert stored.tensors["small"].tolist() == [5.0, 6.0]
