"""Configurations of studies: one's own may name any code, another's a few classes alone."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hydra.utils
import pytest

from sgq_auto.errors import InputError
from sgq_auto.searching.studies.allowed_code import KNOWN, own_code
from sgq_auto.searching.studies.kept_config import KeptConfig
from sgq_auto.searching.study.study_folder import StudyFolder

PLAIN: dict[str, Any] = {
    "choices": {"dataset": "synthetic", "model": "gcn", "sampler": "abs", "storage": "journal"},
    "config": {
        "model": {"_target_": "sgq_auto.models.GCN", "hidden": 4},
        "sampler": {"_target_": "sgq_auto.searching.samplers.AutoBitSampler"},
        "dataset": {
            "source": {"_target_": "sgq_auto.graphs.sources.SyntheticSource", "num_nodes": 9},
            "split": {"_target_": "sgq_auto.graphs.splits.PerClassSplit", "seed": 0},
        },
        "storage": {"kind": "journal", "url": None},
        "tracking": {"uri": "", "artifacts": "", "experiment": "e"},
        "ladder": [1, 2, 4],
        "engine": {"kind": "local", "parameters": {}},
    },
}
_LOAD = "sgq_auto.packed.codes.bit_packing.np.load"
_CALLS_LOAD = {"_target_": _LOAD, "file": "x.npy", "allow_pickle": True}

FORGED: dict[str, Mapping[str, Any]] = {
    "an attribute of a module": {"model._target_": _LOAD},
    "a module's own": {
        "model._target_": "sgq_auto.configuration.checked_settings.hydra.utils.instantiate"
    },
    "a name that begins alike": {"model._target_": "sgq_auto.models.GCN.__init__"},
    "a function of a known package": {"model._target_": "torch_geometric.nn.summary"},
    "a layer that takes code as text": {"model._target_": "torch_geometric.nn.Sequential"},
    "a source in place of a model": {"model._target_": "sgq_auto.graphs.sources.PygFileSource"},
    "code of somebody": {"model._target_": "my_net.MyNet"},
    "targets in a list": {"model._target_": ["sgq_auto.models.GCN"]},
    "no target": {"model._target_": None},
    "a nested target": {"model.hidden": _CALLS_LOAD},
    "a nested target of a known class": {"model.x": {"_target_": "sgq_auto.models.GCN"}},
    "a target in a list": {"model.layers": [1, [_CALLS_LOAD]]},
    "a target elsewhere": {"engine.parameters": {"a": _CALLS_LOAD}},
    "a target at the top": {"_target_": _LOAD},
    "a call that is put off": {"model._partial_": True},
    "arguments without names": {"model._args_": ["x"]},
    "recursion switched on": {"model._recursive_": True},
    "a target as an argument's name": {"model.features_as": "_target_"},
    "arguments as an argument's name": {"model.classes_as": "_args_"},
    "a sampler of somebody": {"sampler._target_": "my.Sampler"},
    "a source of somebody": {"dataset.source._target_": "my.load"},
    "a split of somebody": {"dataset.split._target_": "my.Split"},
    "a database": {"storage.kind": "postgresql"},
    "a dataset that leaves its folder": {"choices.dataset": "../../x"},
    "a model that is a path": {"choices.model": "/etc/x"},
}
WORKED_OUT: dict[str, Mapping[str, Any]] = {
    "a resolver that makes a target": {"model.hidden": "${oc.create:{_target_:os.system}}"},
    "the environment": {"output_root": "${oc.env:HOME}"},
    "within a word": {"tracking.uri": "http://host/${oc.env:SECRET}"},
    "another value": {"model._target_": "${dataset.name}"},
    "in a list": {"ladder": [1, "${seed}"]},
    "in a name": {"model.${oc.env:HOME}": 1},
    "escaped": {"model.x": "\\${oc.env:HOME}"},
    "nested": {"model.x": "${oc.decode:${oc.env:HOME}}"},
    "in a choice": {"choices.dataset": "${oc.env:HOME}"},
}


def _changed(changes: Mapping[str, Any]) -> dict[str, Any]:
    kept = copy.deepcopy(PLAIN)
    for name, value in changes.items():
        *above, last = name.split(".") if "${" not in name else ["model", name[6:]]
        node = kept if above[:1] == ["choices"] else kept["config"]
        for part in above:
            node = node[part]
        node[last] = value
    return kept


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    folder = StudyFolder(tmp_path / "studies" / "s", "s")
    folder.path.mkdir(parents=True)
    return folder


def _read(folder: StudyFolder, kept: Mapping[str, Any], *, own_code: bool = False) -> KeptConfig:
    """As it is read from a folder that somebody else wrote."""
    folder.config.write_text(json.dumps(kept))
    return KeptConfig.read(folder.config, own_code=own_code)


def test_a_study_of_classes_known_here_is_anybodys(folder: StudyFolder) -> None:
    assert not _read(folder, PLAIN).is_own
    pyg = {"_target_": "torch_geometric.nn.models.GCN", "num_layers": 2, "_convert_": "all"}
    assert not _read(folder, _changed({"model": pyg})).is_own


@pytest.mark.parametrize("name", FORGED)
def test_what_somebody_elses_study_would_run_is_refused(folder: StudyFolder, name: str) -> None:
    kept = _changed(FORGED[name])
    with pytest.raises(InputError, match=r"config\.json: ") as error:
        _read(folder, kept)
    assert str(error.value).isprintable()
    folder.keep_config(kept)
    assert KeptConfig.read(folder.config).is_own  # A search of this user's left it.


@pytest.mark.parametrize("name", WORKED_OUT)
def test_nothing_of_a_file_is_worked_out(folder: StudyFolder, name: str) -> None:
    kept = _changed(WORKED_OUT[name])
    with pytest.raises(InputError, match=r"holds \$\{"):
        _read(folder, kept, own_code=True)
    folder.keep_config(kept)
    with pytest.raises(InputError, match=r"holds \$\{"):
        KeptConfig.read(folder.config)


def test_code_that_was_asked_for_is_taken(folder: StudyFolder) -> None:
    own = _changed({"model._target_": "my_net.MyNet"})
    with pytest.raises(InputError, match=r"calls my_net\.MyNet.*add own_code=true"):
        _read(folder, own)
    assert _read(folder, own, own_code=True).config == own["config"]


def test_a_signature_holds_for_what_was_signed_alone(
    folder: StudyFolder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = _changed({"model._target_": "my_net.MyNet", "model.rate": 0.1, "model.sizes": (1, 2)})
    folder.keep_config(own)
    kept = json.loads(folder.config.read_text())
    assert KeptConfig.read(folder.config).is_own
    for forged in (
        {**kept, "config": {**kept["config"], "seed": 1}},
        {**kept, "choices": {**kept["choices"], "dataset": "x"}},
        {**kept, "overrides": ["seed=1"]},
        {**kept, "signature": "0" * 64},
        {**kept, "signature": None},
        {**kept, "signature": ["a"]},
        {**kept, "signature": "ä"},
    ):
        with pytest.raises(InputError, match=r"calls my_net\.MyNet"):
            _read(folder, forged)
    folder.config.write_text(json.dumps(kept))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))  # As another user's.
    with pytest.raises(InputError, match=r"calls my_net\.MyNet"):
        KeptConfig.read(folder.config)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))  # No key can be kept.
    folder.keep_config(own)
    assert "signature" not in json.loads(folder.config.read_text())


def test_every_known_class_is_there_and_is_a_class() -> None:
    for place, names in KNOWN.items():
        for name in names:
            config: dict[str, Any] = {"_target_": name}
            for part in reversed(place):
                config = {part: config}
            assert own_code(config) is None
            assert isinstance(hydra.utils.get_class(name), type)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"choices": [], "config": {}}', '{"choices": {"a": 1}, "config": {}}',
     '{"choices": {}, "config": 3}', '{"config": {}}', "[" * 9999, '{"choices": {}, "config": ' +
     '{"a":' * 500 + "1" + "}" * 502],
)  # fmt: skip
def test_what_is_no_configuration_is_one_line(folder: StudyFolder, text: str) -> None:
    folder.config.write_text(text)
    with pytest.raises(InputError):
        KeptConfig.read(folder.config)
