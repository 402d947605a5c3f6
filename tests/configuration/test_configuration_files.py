"""The files of configuration as text say what Hydra composes of them."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from sgq_auto.configuration import ConfTree, conf_dir

TREE = ConfTree(conf_dir())
_CASES = [(group, name) for group, names in TREE.choices.items() for name in names]


def _flat(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        inner = isinstance(value, dict) and value
        yield f"{prefix}{key}", None if inner else value
        if inner:
            yield from _flat(value, f"{prefix}{key}.")


@cache
def _composed(group: str, name: str) -> dict[str, Any]:
    """The settings that Hydra composes with a file, by name."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = compose("config", [f"{group}={name}"])
    return dict(_flat(OmegaConf.to_container(config)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("group", "name"), _CASES)
def test_settings_are_those_that_hydra_composes(group: str, name: str) -> None:
    composed = _composed(group, name)
    read = TREE.settings(TREE.chosen({group: [name]}))
    assert set(read) == set(composed)
    for setting in read.values():
        if setting.value:
            value = composed[setting.name]
            assert setting.value == value or yaml.safe_load(setting.value) == value


@pytest.mark.parametrize(("group", "name"), _CASES)
def test_what_a_file_says_holds(group: str, name: str) -> None:
    composed = _composed(group, name)
    for setting in TREE.file(group, name).settings:
        if setting.value:
            value = composed[setting.name]
            assert setting.value == value or yaml.safe_load(setting.value) == value


def test_every_file_says_what_it_is() -> None:
    for group, name in _CASES:
        summary = TREE.file(group, name).summary
        assert 10 < len(summary) < 250, f"{group}/{name}: {summary}"
    assert all(note for group, _, note in TREE.root.defaults if group)


@pytest.mark.parametrize("model", TREE.choices["model"])
def test_every_model_may_be_trained_already(model: str) -> None:
    setting = TREE.settings(TREE.chosen({"model": [model]}))["model.checkpoint"]
    assert setting.value == "null"
    assert "the search trains no model then" in setting.note
