"""Where a study lives."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from sgq_auto.errors import InputError


class StorageKind(StrEnum):
    """Kinds of study storage."""

    JOURNAL = "journal"
    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@dataclass(frozen=True)
class StorageSettings:
    """Which storage a study uses.

    Attributes:
        kind: Journal file (default), SQLite (one worker only) or PostgreSQL.
        url: Database URL of PostgreSQL; the others are files beside the study.
    """

    kind: StorageKind = StorageKind.JOURNAL
    url: str | None = None

    def __post_init__(self) -> None:
        """Check that PostgreSQL has an address."""
        if self.kind is StorageKind.POSTGRESQL and not self.url:
            raise InputError(
                "storage=postgresql: no server given; add "
                "storage.url=postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
            )

    def open(self, folder: Path) -> BaseStorage:
        """Open the storage of the study in ``folder``."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        match self.kind:
            case StorageKind.JOURNAL:
                return JournalStorage(JournalFileBackend(str(folder / "journal.log")))
            case StorageKind.SQLITE:
                return RDBStorage(f"sqlite:///{folder / 'study.db'}")
            case StorageKind.POSTGRESQL:
                assert self.url is not None
                return RDBStorage(self.url)
