"""Where a search is tracked, as the configuration says it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sgq_auto.errors import InputError

# How the names of tags begin that MLflow and this project set.
_TAKEN = ("mlflow.", "sgq_auto.")


@dataclass(frozen=True)
class TrackingConfig:
    """The section ``tracking`` of the configuration; what is ``None`` was not given.

    Attributes:
        uri: MLflow tracking URI, its password hidden.
        artifacts: Folder of files of new experiments, unless a server has them.
        experiment: Experiment name.
        experiment_id: Its ID, where it is known by that.
        patience_seconds: How long the end of a search waits for a store that is away.
        tags: More tags of the study's run, by name; one with dots is given as nested ones.
    """

    uri: str | None
    artifacts: Path | None
    experiment: str | None
    patience_seconds: float = 60.0
    experiment_id: str | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the names of tags.

        Raises:
            InputError: If one is MLflow's own, or this project's.
        """
        for name in self.named_tags:
            if not name or name.startswith(_TAKEN):
                raise InputError(
                    f"tracking.tags: {name!r} is not for you to set; take a name that does not "
                    f"begin with {' or '.join(_TAKEN)}"
                )

    @property
    def named_tags(self) -> dict[str, str]:
        """The tags by their whole names."""
        return dict(_named(self.tags))


def _named(tags: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in tags.items():
        if isinstance(value, Mapping):
            yield from _named(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)
