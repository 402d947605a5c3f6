"""Studies that move between machines, and fronts of several, by the real commands."""

import json
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from command_runs import QUICK, SYNTHETIC, call, run, summaries
from sgq_auto.configuration.checked_settings import settings_of_study
from sgq_auto.errors import InputError
from sgq_auto.packed import load
from sgq_auto.searching import Granularity
from sgq_auto.searching.studies.merge_studies import Part, merge_studies
from sgq_auto.searching.studies.study_archive import read_bundle
from sgq_auto.searching.study.study import finished_trials
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.searching.study.study_storage import open_storage
from sgq_auto.searching.trials.standing_trials import standing_trials
from sgq_auto.settings.storage_settings import StorageSettings

pytestmark = [pytest.mark.system, pytest.mark.slow]
SEARCH = (*SYNTHETIC, *QUICK, "n_trials=6", "granularity=lwq")


def study_of(path: Path) -> optuna.Study:
    return optuna.load_study(storage=open_storage(StorageSettings(), path), study_name=path.name)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where three studies that differ in their seed alone were searched."""
    folder = tmp_path_factory.mktemp("home")
    done = run(folder, "-m", *SEARCH, "seed=0,1,2")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def studies(home: Path) -> list[str]:
    found = (home / "outputs" / "studies").glob("synthetic*")
    return sorted(path.name for path in found)


@pytest.fixture(scope="module")
def bundle(home: Path, studies: list[str]) -> Path:
    done = call(home, "export", f"study={studies[0]}")
    assert done.returncode == 0, done.stderr
    return home / f"{studies[0]}.zip"


def test_an_exported_study_goes_on_elsewhere(
    home: Path, studies: list[str], bundle: Path, tmp_path: Path
) -> None:
    done = call(tmp_path, "restore", f"file={bundle}")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(bundle) as content:
        assert b"mlflow.db" not in content.read("config.json")
    there, here = (f / "outputs" / "studies" / studies[0] for f in (home, tmp_path))
    assert finished_trials(study_of(here)) == finished_trials(study_of(there))
    summary = json.loads((here / "summary.json").read_text())
    artifact = Path(summary["recommended"]["artifact_path"])
    assert artifact.parent == here
    assert len(load(artifact).predict()) == 600
    more = run(tmp_path, *SEARCH, "n_trials=8")
    assert more.returncode == 0, more.stderr
    (longer,) = summaries(tmp_path)
    assert sum(longer["trials"].values()) == 8
    assert finished_trials(study_of(here))[:6] == finished_trials(study_of(there))


def test_a_study_that_is_there_is_not_overwritten(bundle: Path, home: Path) -> None:
    with pytest.raises(InputError, match="the study is there already"):
        read_bundle(bundle, home / "outputs", {})


@pytest.mark.parametrize(
    "damage", ["cut", "stranger", "format", "trial", "graph", "missing", "code", "stream"]
)
def test_a_file_that_is_no_sound_study_leaves_nothing(
    bundle: Path, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / "bad.zip"
    if damage == "cut":
        path.write_bytes(bundle.read_bytes()[:5000])
    elif damage == "stream":
        whole = bytearray(bundle.read_bytes())
        whole[200:300] = bytes(100)
        path.write_bytes(whole)
    elif damage != "missing":
        rewrite(bundle, path, damage)
    with pytest.raises((InputError, FileNotFoundError), match=r"bad\.zip") as error:
        read_bundle(path, tmp_path / "outputs", {})
    assert "\n" not in str(error.value)
    assert not [f for f in (tmp_path / "outputs").rglob("*") if f.is_file()]
    assert not list((tmp_path / "outputs" / "studies").glob("*"))


def rewrite(bundle: Path, path: Path, damage: str) -> None:
    """The bundle with something wrong in it."""
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "study.json":
                study = json.loads(content)
                if damage == "format":
                    study["format"] = "sgq-auto study 99"
                if damage == "trial":
                    study["trials"][0]["params"] = {"no": "parameter"}
                content = json.dumps(study).encode()
            if damage == "code" and name == "config.json":
                content = content.replace(b"sgq_auto.models.GCN", b"os.system")
            if damage == "graph" and name == "graph.safetensors":
                content = content[:100]
            new.writestr(name, content)
        if damage == "stranger":
            new.writestr("../evil.py", "print()")


def test_a_merged_study_has_every_measurement_and_its_own_front(
    home: Path, studies: list[str]
) -> None:
    done = call(home, "merge", f"studies={','.join(studies)}")
    assert done.returncode == 0, done.stderr
    (path,) = (home / "outputs" / "studies").glob("merged-*")
    merged = study_of(path)
    own = [r for s in studies for r in finished_trials(study_of(path.with_name(s)))]
    records = finished_trials(merged)
    measured = [r for r in own if r.complete and not r.duplicate]
    assert Counter(r.val_accuracy for r in records) == Counter(r.val_accuracy for r in measured)
    origins = {(r.origin.study, r.origin.trial) for r in records if r.origin}
    assert len(origins) == len(records) == len(standing_trials(merged))
    # Uniform bits were measured in all three: three measurements of one allocation.
    assert Counter(r.repeat for r in records)[2] >= 6 - 1
    summary = json.loads((path / "summary.json").read_text())
    assert summary["n_trials"] == len(records)
    assert max(point["measurements"] for point in summary["front"]) == 3
    assert Path(summary["recommended"]["artifact_path"]).exists()

    parts = [part_of(path.with_name(name)) for name in reversed(studies)]
    assert merge_studies(parts, home / "outputs").path == path


def test_studies_of_other_spaces_are_not_merged(home: Path, studies: list[str]) -> None:
    first, second = (part_of(home / "outputs" / "studies" / name) for name in studies[:2])
    for name, value in {"granularity": Granularity.UNIFORM, "ladder": (2, 4)}.items():
        settings = replace(second.settings, **{name: value})
        with pytest.raises(InputError, match=f"differ in {name};"):
            merge_studies([first, replace(second, settings=settings)], home / "outputs")
    with pytest.raises(InputError, match="two or more"):
        merge_studies([first, first], home / "outputs")


def part_of(path: Path) -> Part:
    folder = StudyFolder(path, path.name)
    return Part(settings_of_study(folder.config), folder)
