"""The study that a command names."""

from collections.abc import Mapping
from pathlib import Path

import torch

from sgq_auto.config import settings_of_study
from sgq_auto.errors import InputError
from sgq_auto.searching import SearchSettings
from sgq_auto.searching.folder import StudyFolder
from sgq_auto.searching.reopen import study_folder
from sgq_auto.tracking import quiet_libraries


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
    folder = study_folder(study, Path(given.get("output_root", "outputs")))
    return settings_of_study(folder.config, own_code=takes_own_code(given)), folder


def takes_own_code(given: Mapping[str, str]) -> bool:
    """Whether ``own_code=true`` was given: the study may call code that its files name.

    Raises:
        InputError: If it is something else than true or false.
    """
    value = given.get("own_code", "false")
    if value not in ("true", "false"):
        raise InputError(f"own_code={value}: it must be true or false")
    return value == "true"
