"""Files of models for other graphs: what they say, and what is refused of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from other_graphs import drawn_graph, without_graph
from random_models import RandomModels
from safetensors import safe_open
from safetensors.numpy import save_file

from sgq_auto.packed import ArtifactError, PackedModel, load, save
from sgq_auto.packed.artifact.artifact_file import _checksum
from sgq_auto.packed.artifact.header import describe


@pytest.fixture
def model() -> PackedModel:
    return without_graph(RandomModels(np.random.default_rng(3)).model())


def _fixed(root: dict[str, Any], _tensors: object) -> None:
    root["graph"]["fixed"] = True


def _fixed_alone(root: dict[str, Any], _tensors: object) -> None:
    root["graph"]["fixed"] = root["graph"].pop("inductive")


def _changed(path: Path, change: Callable[[dict[str, Any], dict[str, np.ndarray]], None]) -> None:
    with safe_open(path, framework="np") as file:
        root = json.loads(file.metadata()["sgq_auto"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(root, tensors)
    text = json.dumps(root)
    save_file(tensors, path, {"sgq_auto": text, "sha256": _checksum(text, tensors)})


def test_a_file_is_read_as_it_was_written(model: PackedModel, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save(model, path)
    loaded = load(path)
    assert loaded.graph.spec == model.graph.spec
    assert loaded.allocation == model.allocation
    assert loaded.footprint() == model.footprint()
    given = drawn_graph(model, np.random.default_rng(0))
    np.testing.assert_array_equal(loaded.predict(**given), model.predict(**given))
    assert describe(loaded) == describe(model)


def _says_text(root: dict[str, Any], _tensors: object) -> None:
    root["graph"]["inductive"] = "yes"


def _holds_edges(_root: object, tensors: dict[str, np.ndarray]) -> None:
    tensors["edges.high"] = np.zeros(4, np.uint8)


def _lacks_its_graph(root: dict[str, Any], _tensors: object) -> None:
    del root["graph"]["inductive"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_says_text, "inductive"),
        (_holds_edges, "tensor edges.high .* there is none"),
        (_lacks_its_graph, "missing"),
        (_fixed, "is missing; the header says"),
        (_fixed_alone, "it says no inductive"),
    ],
)
def test_files_that_contradict_themselves_are_refused(
    model: PackedModel, change: Callable[..., None], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    save(model, path)
    _changed(path, change)
    with pytest.raises(ArtifactError, match=said) as caught:
        load(path)
    assert len(str(caught.value).splitlines()) == 1
