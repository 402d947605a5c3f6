"""A whole study as one file: its trials, its graph and all that it has found.

The file is a zip of JSON and safetensors. What comes out of it lives in a journal, whatever storage
it had where it came from.
"""

import json
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from safetensors import SafetensorError

from sgq_auto.errors import InputError
from sgq_auto.graphs.store import load_graph, load_labels
from sgq_auto.node_ids import load_node_ids
from sgq_auto.packed.whole_file import whole_file
from sgq_auto.searching.confirm import model_seeds
from sgq_auto.searching.engine import EngineSettings
from sgq_auto.searching.folder import StudyFolder
from sgq_auto.searching.settings import SearchSettings
from sgq_auto.searching.storage import StorageSettings
from sgq_auto.searching.study import new_study, open_study
from sgq_auto.searching.trial_json import trial_from_json, trial_to_json
from sgq_auto.searching.workbench import model_path

_FORMAT = "sgq-auto study 1"
_STUDY = "study.json"
_WEIGHTS = "pretrained"
# Everything that a file may hold besides the trials; nothing else is written to a disk.
_FILES = re.compile(
    r"(graph|held_out|node_ids|trial-\d+)\.safetensors|(config|sensitivities|summary)\.json|confirm\.jsonl"
    rf"|{_WEIGHTS}/[0-9a-f]{{32}}\.safetensors"
)
_NEEDED = {_STUDY, "config.json", "graph.safetensors", "held_out.safetensors"}
_NAME = re.compile(r"\w[\w.+-]*", re.ASCII)
# What damaged, encrypted or forged files raise where they are read.
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, SafetensorError),
    *(ValueError, KeyError, TypeError),
)
# A bundle keeps no address of a tracking store.
_NOWHERE = {"uri": "", "artifacts": ""}
# Whatever else a configuration names to be called, somebody has written.
_KNOWN_CODE = ("sgq_auto.", "torch_geometric.nn.", "optuna.samplers.")


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
        bundle.writestr(_STUDY, json.dumps(content))
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
            _extract(bundle, path, Path(scratch))
            content = json.loads((Path(scratch) / _STUDY).read_text())
            folder = _new_folder(content, path, output_root)
            found = StudyFolder(Path(scratch), folder.name)
            config = json.loads(found.config.read_text())
            if not own_code:
                _check_code(config["config"], path)
            found.keep_config(local_config(config, {"output_root": str(output_root)}, tracking))
            _build(found, content)
            _find_artifact(found, folder.path)
            _move(found.path, folder, output_root)
            return folder
    except _UNREADABLE as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path}: no study that was exported, or a damaged one ({error})"
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


def _check_code(config: Mapping[str, Any], path: Path) -> None:
    """Refuse a configuration that calls code of somebody's own."""
    for target in _targets(config):
        if not target.startswith(_KNOWN_CODE):
            raise InputError(
                f"{path}: the study calls {target}; if you know whose code that is and trust the "
                "file, add own_code=true"
            )


def _targets(node: Any) -> Iterator[str]:
    """Everything that a configuration names to be called."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield str(node["_target_"])
        node = list(node.values())
    if isinstance(node, list):
        for value in node:
            yield from _targets(value)


def _files(settings: SearchSettings, folder: StudyFolder) -> Iterator[tuple[str, Path]]:
    """Names in the bundle and files of the study, weights of every seed among them."""
    for file in sorted(folder.path.iterdir()):
        if _FILES.fullmatch(file.name) and file.name != "config.json":
            yield file.name, file
    graph = load_graph(folder.graph)
    for seed in model_seeds(settings):
        file = model_path(settings, graph, seed)
        if file.exists():
            yield f"{_WEIGHTS}/{file.name}", file


def _extract(bundle: zipfile.ZipFile, path: Path, scratch: Path) -> None:
    """Write the files of a bundle, none of an unknown name and none beyond the disk."""
    names = bundle.namelist()
    strange = [name for name in names if name != _STUDY and not _FILES.fullmatch(name)]
    if strange or len(set(names)) < len(names) or not set(names) >= _NEEDED:
        raise InputError(f"{path}: no study that was exported")
    size, free = sum(i.file_size for i in bundle.infolist()), shutil.disk_usage(scratch).free
    if size > free:
        raise InputError(f"{path}: it unpacks to {size:,} bytes, and {free:,} are free")
    for name in names:
        bundle.extract(name, scratch)


def _new_folder(content: Mapping[str, Any], path: Path, output_root: Path) -> StudyFolder:
    """Where the study of a bundle goes."""
    if content["format"] != _FORMAT or not _NAME.fullmatch(content["name"]):
        raise InputError(f"{path}: {content['format']} is unknown; this version reads {_FORMAT}")
    folder = StudyFolder.of(output_root, content["name"])
    if folder.path.exists():
        raise InputError(f"{folder.path}: the study is there already; give another output_root")
    return folder


def _build(scratch: StudyFolder, content: Mapping[str, Any]) -> None:
    """Make extracted files a study, their trials in a journal."""
    graph = load_graph(scratch.graph)
    load_labels(scratch.held_out)
    if scratch.node_ids.exists():
        load_node_ids(scratch.node_ids, scratch.name, graph.num_nodes)
    study = new_study(StorageSettings().open(scratch.path), scratch.name)
    for name, value in content["attributes"].items():
        study.set_user_attr(name, value)
    for trial in content["trials"]:
        study.add_trial(trial_from_json(trial))
    (scratch.path / _STUDY).unlink()


def _find_artifact(scratch: StudyFolder, new: Path) -> None:
    """Let the summary name the recommended model where it will be."""
    if not scratch.summary.exists():
        return
    summary = json.loads(scratch.summary.read_text())
    recommended = summary["recommended"]
    if recommended and recommended["artifact_path"]:
        recommended["artifact_path"] = str(new / Path(recommended["artifact_path"]).name)
        scratch.summary.write_text(json.dumps(summary, indent=2) + "\n")


def _move(scratch: Path, folder: StudyFolder, output_root: Path) -> None:
    """Put the weights where weights are kept, and the rest where the study belongs."""
    weights = _made(output_root / _WEIGHTS)
    for file in (scratch / _WEIGHTS).glob("*"):
        file.replace(weights / file.name)
    shutil.rmtree(scratch / _WEIGHTS, ignore_errors=True)
    _made(folder.path.parent)
    scratch.replace(folder.path)
    scratch.mkdir()  # Its owner removes it.


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
