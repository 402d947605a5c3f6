"""The study that a command names."""

from collections.abc import Mapping
from pathlib import Path

import torch

from sgq_auto.commands.arguments import as_path, takes_own_code
from sgq_auto.configuration.checked_settings import settings_of_study
from sgq_auto.reporting import quiet_libraries
from sgq_auto.searching import SearchSettings
from sgq_auto.searching.studies.reopen_study import study_folder
from sgq_auto.searching.study.study_folder import StudyFolder


def named_study(given: Mapping[str, str]) -> tuple[SearchSettings, StudyFolder]:
    """The settings and the folder of ``study=`` (under ``output_root=``); sets this process up.

    Raises:
        InputError: If there is no such study.
    """
    return open_named(given["study"], given)


def open_named(study: str, given: Mapping[str, str]) -> tuple[SearchSettings, StudyFolder]:
    """The settings and the folder of one study by its name or folder; sets this process up.

    Raises:
        InputError: If there is no such study.
    """
    torch.set_num_threads(1)
    quiet_libraries()
    folder = study_folder(str(as_path(study)), as_path(given.get("output_root", "outputs")))
    return settings_of_study(folder.config, own_code=takes_own_code(given)), folder


def names_in(text: str, output_root: Path) -> list[str]:
    """The names or folders of studies between the commas of a text.

    A folder may have commas in its own name: the longest piece that is a study there is taken.
    """
    parts, names = text.split(","), []
    while parts:
        pieces = [",".join(parts[:length]) for length in range(len(parts), 0, -1)]
        name = next((p for p in pieces if _is_study(p.strip(), output_root)), parts[0])
        names.append(name.strip())
        parts = parts[name.count(",") + 1 :]
    return [name for name in names if name]


def _is_study(name: str, output_root: Path) -> bool:
    return bool(name) and (
        as_path(name).is_dir() or StudyFolder.of(output_root, name).path.is_dir()
    )
