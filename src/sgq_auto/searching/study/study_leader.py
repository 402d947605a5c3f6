"""Which of the commands that run one study leads it: it tracks, confirms and sums up.

Whoever takes a lock first leads. A lock goes with its process, its machine or its connection, so
that another command can take over.
"""

import hashlib
import time
from pathlib import Path
from typing import Protocol

import optuna
import sqlalchemy
from filelock import FileLock, Timeout
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from sgq_auto.errors import InputError
from sgq_auto.searching.settings.search_settings import SearchSettings
from sgq_auto.searching.study.retrying_storage import CONNECTION
from sgq_auto.searching.study_attributes import CONFIRMING, own_attributes
from sgq_auto.settings.storage_settings import StorageKind, StorageSettings

# The server drops a leader that it cannot reach for half a minute.
_SERVER_KEEPALIVES = {
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 4,
}
_POLL_SECONDS = 0.5


class Lead(Protocol):
    """Who leads one study: a lock that one command has at a time."""

    def take(self) -> bool:
        """Whether this command leads now; takes the lead if nobody has it.

        Raises:
            InputError: If a study of this kind has room for one command only.
        """

    def release(self) -> None:
        """Let another command lead; done by the leader when it ends, even by an error."""


def lead_of(storage: StorageSettings, folder: Path, study_name: str) -> Lead:
    """The lead of the study ``study_name`` in ``folder``."""
    if storage.kind is StorageKind.POSTGRESQL:
        return DatabaseLead(storage.address, study_name)
    return FileLead(folder)


def leads_to_the_end(
    lead: Lead, study: optuna.Study, settings: SearchSettings, confirming: int | None
) -> bool:
    """Whether this command leads the study to its end; the leader may have gone meanwhile.

    Args:
        lead: The study's lead.
        study: The study.
        settings: The search.
        confirming: The total that was being confirmed when this command began.
    """
    deadline = time.monotonic() + settings.storage.grace_seconds
    while True:
        now = own_attributes(study.user_attrs).get(CONFIRMING)
        if now != confirming and now == settings.n_trials:
            return False  # Another command does that, or has done it.
        if lead.take():
            break
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    study.set_user_attr(CONFIRMING, settings.n_trials)
    return True


class FileLead:
    """A lock on the study's folder: one command runs it, others are refused."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FileLock(folder / "running.lock")

    def take(self) -> bool:
        """Lock the folder; a second command on the same study is refused."""
        if self._lock.is_locked:
            return True
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise InputError(
                f"another command is running this study ({self._folder}); wait for it, or give "
                "this one another seed"
            ) from error
        return True

    def release(self) -> None:
        """Unlock the folder, so that a later command on the study may run."""
        self._lock.release(force=True)


class DatabaseLead:
    """An advisory lock of PostgreSQL, which lasts as long as the connection that took it."""

    def __init__(self, url: str, study_name: str) -> None:
        self._url = url
        digest = hashlib.sha256(study_name.encode()).digest()
        self._key = int.from_bytes(digest[:8], "big", signed=True)
        self._connection: sqlalchemy.Connection | None = None

    def take(self) -> bool:
        """Ask the server for the lock, again if the connection that had it was lost."""
        if self._connection is not None:
            try:
                self._connection.execute(sqlalchemy.text("SELECT 1"))
            except SQLAlchemyError:
                self.release()
            else:
                return True
        try:
            return self._connect()
        except SQLAlchemyError:
            return False  # The server is away: nobody knows who leads.

    def _connect(self) -> bool:
        connection = sqlalchemy.create_engine(
            self._url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=CONNECTION
        ).connect()
        for name, value in _SERVER_KEEPALIVES.items():
            connection.execute(sqlalchemy.text(f"SET {name} = {value}"))
        query = sqlalchemy.text("SELECT pg_try_advisory_lock(:key)")
        if connection.execute(query, {"key": self._key}).scalar():
            self._connection = connection
            return True
        connection.close()
        return False

    def release(self) -> None:
        """Close the connection, which gives the lock back."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
