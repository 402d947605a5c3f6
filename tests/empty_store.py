"""A tracking store without a run, made once: MLflow takes seconds to make one."""

import tempfile
from functools import cache
from pathlib import Path

from sgq_auto.tracking import TrackingSettings
from sgq_auto.tracking.stores import open_store


def empty_store() -> Path:
    """The SQLite file of the store, for tests to copy."""
    return Path(_folder().name) / "mlflow.db"


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="store")
    uri = f"sqlite:///{folder.name}/mlflow.db"
    open_store(TrackingSettings(uri, Path(folder.name) / "artifacts", "unused"))
    return folder
