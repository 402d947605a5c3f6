"""Which storage a study uses."""

from dataclasses import dataclass
from enum import StrEnum

from sgq_auto.errors import InputError
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

    @property
    def address(self) -> str:
        """The URL with its password, if this process or the environment knows it."""
        assert self.url is not None
        return reveal(self.url, STORAGE_VARIABLE)

    @property
    def shared(self) -> bool:
        """Whether commands on several machines may run one study."""
        return self.kind is StorageKind.POSTGRESQL
