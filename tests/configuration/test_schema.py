"""The schema is made of the settings classes, and the files under ``conf/`` fit it."""

import json
import subprocess
import sys
from dataclasses import asdict, fields
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sgq_auto.configuration import ConfTree, conf_dir
from sgq_auto.configuration.schema import SECTIONS, checked
from sgq_auto.packed.allocation import DEFAULT_LADDER
from sgq_auto.settings import (
    BucketSettings,
    ConfirmSettings,
    EngineSettings,
    RootSettings,
    StorageSettings,
    TuneSettings,
)
from sgq_auto.settings.setting_fields import setting_name, settings_from


def _composed(*overrides: str) -> Any:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("config", [*overrides, "tracking.artifacts=a"])


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return OmegaConf.to_container(checked(_composed()))  # type: ignore[return-value]


def test_a_study_may_lack_a_section_that_was_added_later(config: dict[str, Any]) -> None:
    earlier = {name: value for name, value in config.items() if name != "footprint"}
    assert OmegaConf.to_container(checked(OmegaConf.create(earlier))) == config


def test_every_setting_of_a_class_is_in_the_files_with_a_comment() -> None:
    tree = ConfTree(conf_dir())
    read = tree.settings(tree.chosen({}))
    for section, kinds in SECTIONS.items():
        # Pre-training leaves alone what only quantized layers or a teacher have.
        kinds = (TuneSettings,) if section == "pretrain" else kinds
        for field in (field for kind in kinds for field in fields(kind)):
            name = f"{section}.{setting_name(field)}".lstrip(".")
            assert name in read, name
            if section in ("", "finetune", "confirm", "tracking"):
                assert read[name].note, f"{name} has no comment, which is its help"


@pytest.mark.parametrize(
    ("kind", "section"),
    [
        (ConfirmSettings, "confirm"),
        (StorageSettings, "storage"),
        (EngineSettings, "engine"),
        (BucketSettings, "buckets"),
    ],
)
def test_defaults_of_a_class_are_those_of_the_files(
    kind: type[Any], section: str, config: dict[str, Any]
) -> None:
    assert settings_from(kind, config[section], section) == kind()


def test_defaults_of_the_root_are_those_of_its_file(config: dict[str, Any]) -> None:
    made = settings_from(RootSettings, config)
    given = {"output_root": made.output_root, "ladder": DEFAULT_LADDER}
    assert asdict(made) == asdict(RootSettings(**given))


def test_settings_that_came_later_may_be_missing_from_what_a_study_keeps() -> None:
    earlier = _composed()
    for section, name in (("storage", "grace_seconds"), ("pretrain", "tune"), ("", "confidence")):
        part = OmegaConf.to_container(earlier[section] if section else earlier)
        del part[name]  # type: ignore[union-attr, arg-type]
        if section:
            earlier[section] = part
        else:
            earlier = OmegaConf.create(part)
    made = checked(earlier)
    assert (made.storage.grace_seconds, made.confidence) == (60.0, 0.9)
    assert made.pretrain.tune == "off"


@pytest.mark.parametrize(
    "override", ["confirm.seeds=x", "workers=1.5", "+confirm.sedes=1", "ladder=[a]", "seed=null"]
)
def test_what_does_not_fit_a_type_is_refused(override: str) -> None:
    with pytest.raises(OmegaConfBaseException):
        checked(_composed(override))


def test_early_checks_import_nothing_large() -> None:
    code = "import sys, sgq_auto.configuration, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "sgq_auto.settings.root_settings" in loaded
    assert not loaded & {"numpy", "torch", "omegaconf", "hydra", "optuna", "mlflow"}
