"""Where a study keeps its files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sgq_auto.files.atomic_file import whole_file
from sgq_auto.graphs import PreparedData
from sgq_auto.node_files.node_ids import IDS_FILE
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study.command_lines import has_password
from sgq_auto.searching.study.study_signature import signed

CHECKPOINT_FILE = "checkpoint.safetensors"
_STUDIES = "studies"


@dataclass(frozen=True)
class StudyFolder:
    """Where a study keeps its files.

    Attributes:
        path: The folder.
        name: The study's name.
    """

    path: Path
    name: str

    @classmethod
    def of(cls, output_root: Path, name: str) -> "StudyFolder":
        """The folder of the study ``name`` under an output folder."""
        return cls(output_root.resolve() / _STUDIES / name, name)

    @staticmethod
    def all_under(output_root: Path) -> "list[StudyFolder]":
        """The folders of all studies under an output folder, by name."""
        found = sorted(path for path in (output_root / _STUDIES).glob("*") if path.is_dir())
        return [StudyFolder.of(output_root, path.name) for path in found]

    @property
    def graph(self) -> Path:
        """The prepared graph, without test labels."""
        return self.path / "graph.safetensors"

    @property
    def held_out(self) -> Path:
        """The test labels; only the confirm stage opens it."""
        return self.path / "held_out.safetensors"

    @property
    def unseen(self) -> Path:
        """The graphs that are only tested, without labels; only the confirm stage opens it.

        Missing where the tested nodes are of the graph that is searched on.
        """
        return self.path / "unseen.safetensors"

    @property
    def node_ids(self) -> Path:
        """What the nodes are called, where their source says it."""
        return self.path / IDS_FILE

    @property
    def config(self) -> Path:
        """The configuration of the search, from which the study is reopened."""
        return self.path / "config.json"

    def keep_config(self, config: Mapping[str, Any]) -> None:
        """Write the configuration, signed as this user's; what holds a password is private."""
        text = json.dumps(signed(config), indent=1) + "\n"
        with whole_file(self.config) as scratch:
            scratch.touch(mode=0o600 if has_password(text) else 0o666)
            scratch.write_text(text, encoding="utf-8")

    @property
    def weights(self) -> Path:
        """Full-precision weights that came with the study from elsewhere."""
        return self.path / "pretrained"

    @property
    def checkpoint(self) -> Path:
        """The study's copy of the weights that the user has trained."""
        return self.path / CHECKPOINT_FILE

    def root(self, named: Path) -> Path:
        """The output folder that this folder is in; as it was ``named``, if that is the one."""
        root = self.path.parents[1] if self.path.parent.name == _STUDIES else self.path
        return named if named.resolve() == root else root

    @property
    def sensitivities(self) -> Path:
        """What each group loses at each bit-width."""
        return self.path / "sensitivities.json"

    def distilled(self, seed: int) -> Path:
        """What full precision that was distilled with a fresh seed answers."""
        return self.path / "distilled" / f"{seed}.safetensors"

    @property
    def tuning(self) -> Path:
        """What tuning found before the search, if it was tuned."""
        return self.path / "tuning.json"

    @property
    def summary(self) -> Path:
        """What the study's last search found; missing until one has ended."""
        return self.path / "summary.json"

    @property
    def confirmed(self) -> Path:
        """Rows of the confirm stage, one JSON object a line."""
        return self.path / "confirm.jsonl"


def settings_in(folder: StudyFolder, settings: SearchSettings) -> SearchSettings:
    """The settings with the weights that lie in a study's folder.

    That is those which the study brought, if it did, and its copy of the user's checkpoint,
    whatever has become of the file itself.
    """
    brought = folder.weights if folder.weights.is_dir() else settings.brought
    if settings.model.checkpoint is None:
        return replace(settings, brought=brought)
    model = replace(settings.model, checkpoint=folder.checkpoint)
    return replace(settings, brought=brought, model=model)


def search_notes(settings: SearchSettings, data: PreparedData) -> tuple[str, ...]:
    """What a person should know of the model and the study before a search, a line each."""
    notes, earlier = settings.model.notes(data.graph), settings.earlier_name(data)
    if earlier is None or not StudyFolder.of(settings.output_root, earlier).path.is_dir():
        return notes
    return (
        *notes,
        f"{earlier} is a study of this search by an earlier version, which did not notice all "
        "edits of a model's code; a new study begins",
    )
