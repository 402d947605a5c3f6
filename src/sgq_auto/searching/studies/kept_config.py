"""The configuration that a study keeps, read as far as whoever wrote it can be trusted."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sgq_auto.errors import InputError
from sgq_auto.searching.studies.allowed_code import check_code, check_interpolations
from sgq_auto.searching.study.study_signature import is_signed
from sgq_auto.settings.storage_settings import StorageKind

# What files of configuration groups are called, which names of studies are made of.
_CHOICE = re.compile(r"\w[\w./+-]*", re.ASCII)
_POSTGRESQL = StorageKind.POSTGRESQL.value


@dataclass(frozen=True)
class KeptConfig:
    """What a study's ``config.json`` holds.

    Attributes:
        choices: The chosen file of every configuration group.
        config: The configuration, plain values only.
        overrides: What the command line changed, if that is known.
        is_own: Whether a search or command of this user left it like this.
    """

    choices: Mapping[str, str]
    config: Mapping[str, Any]
    overrides: tuple[str, ...] | None
    is_own: bool

    @classmethod
    def read(cls, path: Path, *, own_code: bool = False) -> "KeptConfig":
        """Read a configuration; nothing that it names has been called.

        Args:
            path: The file.
            own_code: Whether it may name anybody's code, and a database, though it is not this
                user's own.

        Raises:
            InputError: If the file is missing or is no configuration, has interpolations, or is
                somebody else's and names what ``own_code`` is for.
        """
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            found = cls.of(kept, is_own=is_signed(kept))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(
                f"{path}: no configuration of a study is there ({type(error).__name__})"
            ) from error
        found.check(path, own_code=own_code or found.is_own)
        return found

    @classmethod
    def of(cls, kept: Mapping[str, Any], *, is_own: bool) -> "KeptConfig":
        """From the content of the file, not checked yet.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: If it is no configuration.
        """
        choices, config = dict(kept["choices"].items()), dict(kept["config"].items())
        given = kept.get("overrides")
        overrides = None if given is None else tuple(map(str, given))
        if not all(isinstance(choice, str | None) for choice in choices.values()):
            raise ValueError("choices are names")
        return cls(choices, config, overrides, is_own)

    @property
    def has_checkpoint(self) -> bool:
        """Whether the study's reference is a model that its user had trained."""
        model = self.config.get("model")
        return isinstance(model, Mapping) and model.get("checkpoint") is not None

    def check(self, where: object, *, own_code: bool) -> None:
        """Check what it names.

        Raises:
            InputError: See :meth:`read`.
        """
        check_interpolations({"choices": self.choices, **self.config}, where)
        if own_code:
            return
        check_code(self.config, where)
        for group, choice in self.choices.items():
            if choice is not None and not (_CHOICE.fullmatch(choice) and ".." not in choice):
                raise InputError(f"{where}: {group}={choice!a:.60} names no file of a group")
        storage = self.config.get("storage")
        if isinstance(storage, Mapping) and storage.get("kind") == _POSTGRESQL:
            raise InputError(
                f"{where}: the study is in a database, and no search of yours on this machine made "
                "it; if you trust the file, add own_code=true"
            )
