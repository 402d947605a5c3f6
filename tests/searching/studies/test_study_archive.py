"""Studies as one file: what a forged one may not do to whoever takes it in."""

import json
import shutil
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from optuna.distributions import IntDistribution
from optuna.trial import TrialState, create_trial
from safetensors.torch import load_file, save_file

from sgq_auto.errors import InputError
from sgq_auto.graphs import PreparedData
from sgq_auto.graphs.store import save_graph, save_labels
from sgq_auto.searching.measuring.reference_models import model_path, pretrain_model
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.studies.study_archive import read_bundle, write_bundle
from sgq_auto.searching.study.study import new_study, open_study
from sgq_auto.searching.study.study_folder import StudyFolder, settings_in
from sgq_auto.searching.study.study_storage import open_storage
from sgq_auto.searching.study_attributes import RECORD
from sgq_auto.searching.trials.trial_records import Measurement
from sgq_auto.settings.storage_settings import StorageSettings

_CONFIG = {
    "choices": {"dataset": "synthetic", "model": "gcn", "sampler": "tpe"},
    "config": {
        "model": {"_target_": "sgq_auto.models.GCN", "hidden": 4},
        "tracking": {"uri": "sqlite:////home/me/mlruns.db", "artifacts": "a"},
    },
}
# A function that would unpickle: reached by attributes of a module of this package.
_LOAD = "sgq_auto.packed.codes.bit_packing.np.load"
_MEASURED = Measurement(0.5, {"resident_bytes": 10}, 2.0, ((1, 0.5),), 0.1)


@pytest.fixture
def search(settings: Callable[..., SearchSettings]) -> Any:
    return settings(config=_CONFIG)


@pytest.fixture
def bundle(search: Any, synthetic: PreparedData, tmp_path: Path) -> Path:
    """A study of one trial, with weights, a confirmed row and a summary, as one file."""
    folder = StudyFolder.of(tmp_path, "s")
    save_graph(synthetic.graph, folder.graph)
    save_labels(synthetic.held_out, folder.held_out)
    study = new_study(open_storage(StorageSettings(), folder.path), folder.name)
    study.add_trial(
        create_trial(
            state=TrialState.COMPLETE,
            values=[0.5, 10.0],
            params={"p": 1},
            distributions={"p": IntDistribution(0, 2)},
            user_attrs={RECORD: {**_MEASURED.as_attr(), "worker_seconds": 1.0}},
        )
    )
    pretrain_model(search, synthetic.graph, search.seed)
    folder.summary.write_text(
        json.dumps({"recommended": {"artifact_path": "/x/trial-0.safetensors"}})
    )
    step = {"expected": 0.1, "correction": 0.0, "variance": 1.0, "changed": 2.0}
    evidence = {"taught": step, "bits": step, "covariance": 0.0, "unseen_variance": 0.1}
    row = {"seed": 100_000, "trial": 0, "params": {"p": 1}, "val_accuracy": 0.5}
    folder.confirmed.write_text(
        json.dumps({**row, "test_accuracy": 0.5, "evidence": evidence}) + "\n"
    )
    write_bundle(search, folder, tmp_path / "study.zip")
    return tmp_path / "study.zip"


_BUILT: list[bytes] = []


@pytest.fixture
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the bundle, which is built once for all tests that only change it."""
    if not _BUILT:
        _BUILT.append(request.getfixturevalue("bundle").read_bytes())
    (tmp_path / "study.zip").write_bytes(_BUILT[0])
    return tmp_path / "study.zip"


def _members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def _write(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members.items():
            bundle.writestr(name, content)


def _weights(root: Path) -> list[Path]:
    return sorted((root / "pretrained").glob("*"))


def test_weights_of_a_bundle_stay_with_its_study(
    bundle: Path, search: Any, synthetic: PreparedData, tmp_path: Path
) -> None:
    """The user's own weights of that name are kept, and other studies never read the bundle's."""
    (own,) = _weights(tmp_path)
    before = own.read_bytes()
    members = _members(bundle)
    (name,) = (name for name in members if name.startswith("pretrained/"))
    forged = {k: torch.zeros_like(v) for k, v in load_file(own).items()}
    save_file(forged, tmp_path / "forged", {"val_accuracy": "0.99"})
    _write(bundle, {**members, name: (tmp_path / "forged").read_bytes()})
    shutil.rmtree(tmp_path / "studies")

    folder = read_bundle(bundle, tmp_path, {})
    assert own.read_bytes() == before
    assert [path.name for path in folder.weights.iterdir()] == [own.name]
    restored = settings_in(folder, search)
    assert pretrain_model(restored, synthetic.graph, search.seed).val_accuracy == 0.99
    assert pretrain_model(search, synthetic.graph, search.seed).val_accuracy != 0.99
    assert own.read_bytes() == before
    # They go along when the study is exported again.
    assert model_path(restored, synthetic.graph, search.seed).parent == folder.weights
    write_bundle(restored, folder, tmp_path / "again.zip")
    assert _members(tmp_path / "again.zip")[name] == _members(bundle)[name]


def test_a_restored_study_is_ones_own_and_its_summary_names_what_is_there(
    bundle: Path, search: Any, tmp_path: Path
) -> None:
    folder = read_bundle(bundle, tmp_path / "there", {"uri": "sqlite:///here.db"})
    kept = json.loads(folder.config.read_text())
    assert kept["config"]["tracking"]["uri"] == "sqlite:///here.db"
    assert "/home/me" not in folder.config.read_text()
    # The artifact did not come along.
    assert json.loads(folder.summary.read_text())["recommended"]["artifact_path"] is None
    (trial,) = open_study(replace(search), folder.path, "s").get_trials()
    assert trial.values == [0.5, 10.0]


def _json(name: str, change: Callable[[Any], object]) -> Callable[[dict[str, bytes]], None]:
    def apply(members: dict[str, bytes]) -> None:
        content = json.loads(members[name])
        change(content)
        members[name] = json.dumps(content).encode()

    return apply


def _trial(**changes: Any) -> Callable[[dict[str, bytes]], None]:
    return _json("study.json", lambda study: study["trials"][0].update(changes))


def _file(name: str, content: bytes) -> Callable[[dict[str, bytes]], None]:
    return lambda members: members.update({name: content})


def _record(**changes: Any) -> Callable[[dict[str, bytes]], None]:
    return _json("study.json", lambda s: s["trials"][0]["user_attrs"][RECORD].update(changes))


FORGED: dict[str, Callable[[dict[str, bytes]], None]] = {
    "a path above": _file("../evil.py", b""),
    "a path from the root": _file("/tmp/evil.py", b""),
    "a path of another system": _file("..\\evil.py", b""),
    "a folder": _file("pretrained/", b""),
    "weights of a strange name": _file("pretrained/x.safetensors", b""),
    "weights that are none": _file(f"pretrained/{'0' * 32}.safetensors", b"no"),
    "an artifact that is none": _file("trial-3.safetensors", b"no"),
    "a row of text": _file("confirm.jsonl", json.dumps({
        "seed": 1, "trial": 0, "params": {}, "val_accuracy": "a", "test_accuracy": 1,
        "evidence": {
            **dict.fromkeys(("taught", "bits"), dict.fromkeys(
                ("expected", "correction", "variance", "changed"), 0.1)),
            "covariance": 0.0, "unseen_variance": 0.0,
        },
    }).encode()),
    "a configuration of text": _file("config.json", b'"x"'),
    "interpolations": _json("config.json", lambda c: c["config"].update(x="${oc.env:HOME}")),
    "code": _json("config.json", lambda c: c["config"]["model"].update(_target_="os.system")),
    "nested code": _json("config.json", lambda c: c["config"]["model"].update(
        hidden={"_target_": _LOAD, "file": "x", "allow_pickle": True})),
    "a summary that is none": _file("summary.json", b"[]"),
    "a summary of text": _file("summary.json", b'{"recommended": {"artifact_path": 3}}'),
    "a name that leaves": _json("study.json", lambda s: s.update(name="../../x")),
    "a name that steers": _json("study.json", lambda s: s.update(name="a\x1b[2J")),
    "a name of numbers": _json("study.json", lambda s: s.update(name=3)),
    "no trials": _json("study.json", lambda s: s.pop("trials")),
    "trials of text": _json("study.json", lambda s: s.update(trials="abc")),
    "attributes of text": _json("study.json", lambda s: s.update(attributes="abc")),
    "seconds of text": _json("study.json", lambda s: s["attributes"].update(wall_seconds="1")),
    "a state that is none": _trial(state="GOOD"),
    "values of text": _trial(values=["a", "b"]),
    "values that are no numbers": _trial(values=[float("nan"), 1.0]),
    "no values": _trial(values=None),
    "one value": _trial(values=[1.0]),
    "values of all digits": _trial(values=[0.5, 10**4000]),
    "a moment that is none": _trial(start="yesterday"),
    "a distribution that is none": _trial(distributions={"p": '{"name": "os.system"}'}),
    "parameters of text": _trial(params={"p": "x"}, distributions={
        "p": '{"name": "CategoricalDistribution", "attributes": {"choices": ["x"]}}'}),
    "no measurement": _trial(user_attrs={}),
    "a measurement of text": _trial(user_attrs={RECORD: "x"}),
    "half a measurement": _trial(user_attrs={RECORD: {"val_accuracy": 0.5}}),
    "an accuracy above 1": _record(val_accuracy=1.5),
    "an accuracy that is no number": _record(val_accuracy=float("nan")),
    "bytes of text": _record(footprint={"resident_bytes": "x"}),
    "a curve of text": _record(curve=[["a", "b"]]),
    "seconds that are no number": _record(finetune_seconds=None),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_bundle_is_one_line_and_leaves_nothing(
    file: Path, tmp_path: Path, name: str
) -> None:
    members = _members(file)
    FORGED[name](members)
    _write(file, members)
    there = tmp_path / "there"
    with pytest.raises(InputError, match=r"study\.zip: ") as error:
        read_bundle(file, there, {})
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 600
    assert str(there) not in str(error.value)
    assert not list(there.rglob("*"))
    assert not (tmp_path / "evil.py").exists()


def test_what_unpacks_to_too_much_is_not_unpacked(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = _members(bundle)
    _write(bundle, {**members, "sensitivities.json": b" " * (8 << 20)})
    monkeypatch.setattr(zipfile.ZipFile, "extract", None)
    with pytest.raises(InputError, match=r"sensitivities\.json unpacks from .* to 8,388,608 bytes"):
        read_bundle(bundle, tmp_path / "there", {})
    _write(bundle, {**members, "trial-1.safetensors": bytes(8 << 20)})
    with pytest.raises(InputError, match=r"trial-1\.safetensors unpacks from"):
        read_bundle(bundle, tmp_path / "there", {})


def test_files_that_share_their_bytes_are_no_bundle(bundle: Path, tmp_path: Path) -> None:
    """As of bombs whose entries all lead to one stream."""
    members = _members(bundle)
    noise = np.random.default_rng(0).bytes(1 << 16)
    for k in range(20):
        members[f"trial-{k}.safetensors"] = noise
    _write(bundle, members)
    raw = bytearray(bundle.read_bytes())
    with zipfile.ZipFile(bundle) as opened:
        first = opened.getinfo("trial-0.safetensors")
        end = opened.start_dir
    # Every entry of the directory leads to the first trial's bytes, and those after it are gone.
    cut = first.header_offset + 30 + len("trial-0.safetensors") + first.compress_size
    directory = bytearray(raw[end:-22])
    place = 0
    while place < len(directory):
        sizes = struct.unpack_from("<HHH", directory, place + 28)
        offset = struct.unpack_from("<I", directory, place + 42)[0]
        if offset > first.header_offset:
            struct.pack_into("<I", directory, place + 42, first.header_offset)
        place += 46 + sum(sizes)
    tail = bytearray(raw[-22:])
    struct.pack_into("<I", tail, 16, cut)
    bundle.write_bytes(bytes(raw[:cut]) + bytes(directory) + bytes(tail))
    with pytest.raises(InputError, match=r"study\.zip: "):
        read_bundle(bundle, tmp_path / "there", {})
    assert not list((tmp_path / "there").rglob("*"))


def test_a_study_that_appears_meanwhile_is_not_replaced(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = StudyFolder.of(tmp_path / "there", "s")
    add_trial = optuna.Study.add_trial

    def appear(self: optuna.Study, trial: Any) -> None:
        there.path.mkdir(parents=True)
        there.config.write_text("mine")
        add_trial(self, trial)

    monkeypatch.setattr(optuna.Study, "add_trial", appear)
    with pytest.raises(InputError, match="there already"):
        read_bundle(bundle, tmp_path / "there", {})
    assert there.config.read_text() == "mine"
