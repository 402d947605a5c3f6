"""Where a search is tracked, as the configuration says it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrackingConfig:
    """The section ``tracking`` of the configuration; what is ``None`` was not given.

    Attributes:
        uri: MLflow tracking URI, its password hidden.
        artifacts: Folder of files of new experiments, unless a server has them.
        experiment: Experiment name.
        experiment_id: Its ID, where it is known by that.
        patience_seconds: How long the end of a search waits for a store that is away.
    """

    uri: str | None
    artifacts: Path | None
    experiment: str | None
    patience_seconds: float = 60.0
    experiment_id: str | None = None
