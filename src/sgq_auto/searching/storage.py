"""Where a study lives."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, RDBStorage

from sgq_auto.errors import InputError
from sgq_auto.searching.patient_storage import open_patiently
from sgq_auto.searching.whole_journal import CheckedJournalStorage, WholeJournal
from sgq_auto.text.passwords import STORAGE_VARIABLE, mask, reveal


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
        url: Database URL of PostgreSQL, which may be masked; the others are files beside the
            study.
        heartbeat_seconds: Time between two signs of life of a running trial.
        grace_seconds: Without a sign of life for this long, a trial's worker counts as dead.
        patience_seconds: How long a server may be away before a search gives up.
    """

    kind: StorageKind = StorageKind.JOURNAL
    url: str | None = None
    heartbeat_seconds: float = 10.0
    grace_seconds: float = 60.0
    patience_seconds: float = 600.0

    def __post_init__(self) -> None:
        """Check the values, and that PostgreSQL has an address."""
        if not 0 < self.heartbeat_seconds < self.grace_seconds:
            raise InputError(
                f"storage.heartbeat_seconds={self.heartbeat_seconds}: it must be above 0 and below "
                f"storage.grace_seconds={self.grace_seconds}"
            )
        if not self.patience_seconds >= 0:
            raise InputError(
                f"storage.patience_seconds={self.patience_seconds}: it must be 0 or more"
            )
        if self.kind is StorageKind.POSTGRESQL and self.url:
            if not self.url.startswith("postgresql"):
                raise InputError(
                    f"storage.url={mask(self.url)}: it must begin with postgresql+psycopg://"
                )
        elif self.kind is StorageKind.POSTGRESQL:
            raise InputError(
                "storage=postgresql: no server given; add "
                "storage.url=postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
            )

    def open(self, folder: Path, *, patient: bool = False) -> BaseStorage:
        """Open the storage of the study in ``folder``.

        Args:
            folder: Where the study keeps its files.
            patient: Whether a server may be away at the moment.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        match self.kind:
            case StorageKind.JOURNAL:
                return CheckedJournalStorage(WholeJournal(str(folder / "journal.log")))
            case StorageKind.SQLITE:
                return RDBStorage(f"sqlite:///{folder / 'study.db'}")
            case StorageKind.POSTGRESQL:
                patience = self.patience_seconds
                return open_patiently(
                    self.address, patience, opening_seconds=patience if patient else 0.0
                )

    @property
    def address(self) -> str:
        """The URL with its password, if this process or the environment knows it."""
        assert self.url is not None
        return reveal(self.url, STORAGE_VARIABLE)

    @property
    def shared(self) -> bool:
        """Whether commands on several machines may run one study."""
        return self.kind is StorageKind.POSTGRESQL
