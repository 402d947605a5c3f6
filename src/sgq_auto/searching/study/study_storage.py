"""Opens the storage of a study."""

from pathlib import Path

import optuna
from optuna.storages import BaseStorage, RDBStorage

from sgq_auto.searching.study.atomic_journal import CheckedJournalStorage, WholeJournal
from sgq_auto.searching.study.retrying_storage import open_patiently
from sgq_auto.settings.storage_settings import StorageKind, StorageSettings


def open_storage(settings: StorageSettings, folder: Path, *, patient: bool = False) -> BaseStorage:
    """Open the storage of the study in ``folder``; it is made where there is none.

    Args:
        settings: Which storage.
        folder: Where the study keeps its files.
        patient: Whether a server may be away at the moment.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    match settings.kind:
        case StorageKind.JOURNAL:
            return CheckedJournalStorage(WholeJournal(str(folder / "journal.log")))
        case StorageKind.SQLITE:
            return RDBStorage(f"sqlite:///{folder / 'study.db'}")
        case StorageKind.POSTGRESQL:
            patience = settings.patience_seconds
            return open_patiently(
                settings.address, patience, opening_seconds=patience if patient else 0.0
            )
