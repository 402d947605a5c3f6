"""A whole study as one file: its trials, its graph and all that it has found.

The file is a zip of JSON and safetensors. What comes out of it lives in a journal, whatever storage
it had where it came from.
"""

import json
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from safetensors import SafetensorError, safe_open

from sgq_auto.errors import InputError
from sgq_auto.files.atomic_file import whole_file
from sgq_auto.graphs.store import load_graph
from sgq_auto.node_files.node_ids import load_node_ids
from sgq_auto.packed import load
from sgq_auto.searching.confirming.confirm import model_seeds
from sgq_auto.searching.confirming.confirm_rows import check_rows
from sgq_auto.searching.measuring.reference_models import model_path
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.studies.archive_members import ARTIFACT, FILES, STUDY, WEIGHTS, extract
from sgq_auto.searching.studies.kept_config import KeptConfig
from sgq_auto.searching.study.study import new_study, open_study
from sgq_auto.searching.study.study_folder import StudyFolder
from sgq_auto.searching.study.study_storage import open_storage
from sgq_auto.searching.study.tested_graphs import TestedGraphs
from sgq_auto.searching.summary.summary_entries import write_summary
from sgq_auto.searching.trials.trial_checks import check_study_attrs, check_trial
from sgq_auto.searching.trials.trial_json import trial_from_json, trial_to_json
from sgq_auto.settings.storage_settings import StorageSettings
from sgq_auto.settings.worker_settings import EngineSettings
from sgq_auto.text.safe_text import one_line

_FORMAT = "sgq-auto study 1"
_NAME = re.compile(r"\w[\w.+-]{0,200}", re.ASCII)
# What damaged, encrypted or forged files raise where they are read.
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, SafetensorError),
    *(ArithmeticError, AttributeError, LookupError, NotImplementedError, TypeError, ValueError),
)
# A bundle keeps no address of a tracking store.
_NOWHERE = {"uri": "", "artifacts": ""}


def write_bundle(settings: SearchSettings, folder: StudyFolder, path: Path) -> None:
    """Write a study into one file, whole or not at all.

    Trials that run at the moment are left to those who run them. The address of the study's
    database stays at home.

    Raises:
        InputError: If the study's storage cannot be read.
        OSError: If the file cannot be written.
    """
    study = open_study(settings, folder.path, folder.name)
    content = {
        "format": _FORMAT,
        "name": folder.name,
        "attributes": study.user_attrs,
        "trials": [trial_to_json(trial) for trial in study.get_trials(deepcopy=False)],
    }
    with (
        whole_file(path) as scratch,
        zipfile.ZipFile(scratch, "w", zipfile.ZIP_DEFLATED) as bundle,
    ):
        bundle.writestr(STUDY, json.dumps(content))
        bundle.writestr("config.json", json.dumps(local_config(settings.config, {}, _NOWHERE)))
        for name, source in _files(settings, folder):
            bundle.write(source, name)


def read_bundle(
    path: Path, output_root: Path, tracking: Mapping[str, str], *, own_code: bool = False
) -> StudyFolder:
    """Put the study of a file under ``output_root``, whole or not at all.

    Args:
        path: What :func:`write_bundle` wrote.
        output_root: Folder of studies and cached weights.
        tracking: ``uri`` and ``artifacts`` of this machine's tracking store.
        own_code: Whether the study may name classes and functions of anybody's, which commands on
            it will call.

    Raises:
        InputError: If the file is damaged or no study, the study is there already, or it names
            code of somebody's own without ``own_code``.
        OSError: If it cannot be read, or nothing can be written.
    """
    try:
        with zipfile.ZipFile(path) as bundle, TemporaryDirectory(dir=_made(output_root)) as scratch:
            extract(bundle, path, Path(scratch))
            content = json.loads((Path(scratch) / STUDY).read_text(encoding="utf-8"))
            folder = _new_folder(content, path, output_root)
            found = StudyFolder(Path(scratch), folder.name)
            config = json.loads(found.config.read_text(encoding="utf-8"))
            config = local_config(config, {"output_root": str(output_root)}, tracking)
            kept = KeptConfig.of(config, is_own=False)
            kept.check(path, own_code=own_code)
            if kept.has_checkpoint and not found.checkpoint.exists():
                raise InputError(
                    f"{path}: the weights of its trained model, {found.checkpoint.name}, are not "
                    "in it"
                )
            found.keep_config(config)
            with _named_as_in(path, found.path):
                _build(found, content)
                _find_artifact(found, folder.path)
            _move(found.path, folder)
            return folder
    except InputError:
        raise
    except _UNREADABLE as error:
        raise InputError(
            f"{path}: no study that was exported, or a damaged one ({one_line(error):.200})"
        ) from None


def local_config(
    config: Mapping[str, Any],
    changes: Mapping[str, Any],
    tracking: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A configuration of a study that lives in a journal, and runs where its command does.

    Args:
        config: The configuration that a study keeps.
        changes: Other settings.
        tracking: Settings of its tracking that change, if any.
    """
    kinds = {"storage": StorageSettings().kind, "engine": EngineSettings().kind}
    own = {
        "storage": {"kind": kinds["storage"], "url": None},
        "engine": {"kind": kinds["engine"]},
        "tracking": {**config["config"]["tracking"], **(tracking or {})},
    }
    return {
        "choices": {**config["choices"], **kinds},
        "config": {**config["config"], **own, **changes},
    }


def _files(settings: SearchSettings, folder: StudyFolder) -> Iterator[tuple[str, Path]]:
    """Names in the bundle and files of the study, weights of every seed among them."""
    for file in sorted(folder.path.iterdir()):
        if FILES.fullmatch(file.name) and file.name != "config.json":
            yield file.name, file
    if settings.model.checkpoint is not None:
        return  # It is among the files above.
    graph = load_graph(folder.graph)
    for seed in model_seeds(settings):
        file = model_path(settings, graph, seed)
        if file.exists():
            yield f"{WEIGHTS}/{file.name}", file


def _new_folder(content: Mapping[str, Any], path: Path, output_root: Path) -> StudyFolder:
    """Where the study of a bundle goes."""
    if content["format"] != _FORMAT or not _NAME.fullmatch(content["name"]):
        raise InputError(f"{path}: {content['format']} is unknown; this version reads {_FORMAT}")
    folder = StudyFolder.of(output_root, content["name"])
    if folder.path.exists():
        raise _is_there(folder)
    return folder


@contextmanager
def _named_as_in(path: Path, scratch: Path) -> Iterator[None]:
    """Let errors name a bundle and a file in it, not where that was unpacked."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {str(error).replace(f'{scratch}{os.sep}', '')}") from error


def _build(scratch: StudyFolder, content: Mapping[str, Any]) -> None:
    """Make extracted files a study, their trials in a journal; every file is checked."""
    graph = load_graph(scratch.graph)
    TestedGraphs.load(scratch, graph)
    if scratch.node_ids.exists():
        load_node_ids(scratch.node_ids, scratch.name, graph.num_nodes)
    check_rows(scratch.confirmed)
    for artifact in scratch.path.glob("trial-*.safetensors"):
        load(artifact)
    for file in (*scratch.weights.glob("*"), *scratch.path.glob(scratch.checkpoint.name)):
        with safe_open(file, framework="numpy") as weights:
            weights.keys()
    check_study_attrs(content["attributes"])
    study = new_study(open_storage(StorageSettings(), scratch.path), scratch.name)
    for name, value in content["attributes"].items():
        study.set_user_attr(name, value)
    for number, entry in enumerate(content["trials"]):
        trial = trial_from_json(entry)
        try:
            check_trial(trial)
        except ValueError as error:
            raise ValueError(f"trial {number}: {error}") from error
        study.add_trial(trial)
    (scratch.path / STUDY).unlink()


def _find_artifact(scratch: StudyFolder, new: Path) -> None:
    """Let the summary name the recommended model where it will be, if it came along."""
    if not scratch.summary.exists():
        return
    summary = json.loads(scratch.summary.read_text(encoding="utf-8"))
    recommended = summary["recommended"]
    if recommended and recommended["artifact_path"]:
        name = Path(recommended["artifact_path"]).name
        there = ARTIFACT.fullmatch(name) and (scratch.path / name).exists()
        recommended["artifact_path"] = str(new / name) if there else None
        write_summary(summary, scratch.summary)


def _move(scratch: Path, folder: StudyFolder) -> None:
    """Put the study where it belongs, with its weights; nothing that is there is replaced."""
    folder.path.parent.mkdir(parents=True, exist_ok=True)
    if folder.path.exists():
        raise _is_there(folder)
    scratch.rename(folder.path)
    scratch.mkdir()  # Its owner removes it.


def _is_there(folder: StudyFolder) -> InputError:
    return InputError(f"{folder.path}: the study is there already; give another output_root")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
