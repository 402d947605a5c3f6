"""Where runs are tracked: what was given, else MLflow's own variables, else a file of this folder.

The variables are those that MLflow itself reads; an empty one counts as not set.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from sgq_auto.settings.tracking_config import TrackingConfig
from sgq_auto.text.passwords import hide

URI = "MLFLOW_TRACKING_URI"
EXPERIMENT = "MLFLOW_EXPERIMENT_NAME"
EXPERIMENT_ID = "MLFLOW_EXPERIMENT_ID"
_DEFAULT_EXPERIMENT = "sgq_auto"
_SQLITE = "sqlite:///"
_RUNS = "mlruns"


@dataclass(frozen=True)
class TrackingSettings(TrackingConfig):
    """Where runs are tracked: what the configuration leaves open is chosen.

    Attributes:
        experiment: Experiment name; empty for whatever ``experiment_id`` is called.
        variables: Variables of MLflow that said so.
    """

    uri: str
    artifacts: Path
    experiment: str
    variables: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: Mapping[str, Any], default_experiment: str = "") -> "TrackingSettings":
        """From the section ``tracking`` of a configuration, of which parts may be missing.

        Args:
            config: The section; what is ``None`` there was not given.
            default_experiment: The experiment where nothing says which.
        """
        known = {each.name for each in fields(TrackingConfig)}
        if isinstance(config, DictConfig):
            config = OmegaConf.to_container(config)  # type: ignore[assignment]
        given = {k: v for k, v in config.items() if k in known and v not in (None, "")}
        variables = [] if "uri" in given or not _variable(URI) else [URI]
        uri = given.get("uri") or default_store()
        name, number = given.get("experiment"), given.get("experiment_id")
        if name is None and number is None:
            name, number = _variable(EXPERIMENT), _variable(EXPERIMENT_ID)
            variables += [v for v in (EXPERIMENT, EXPERIMENT_ID) if _variable(v)]
        if name is None and number is None:
            name = default_experiment or _DEFAULT_EXPERIMENT
        chosen = {
            "uri": hide(_absolute(uri)),
            "artifacts": Path(given.get("artifacts") or local_artifacts()),
            "experiment": name or "",
            "experiment_id": number,
            "variables": tuple(variables),
        }
        return cls(**given | chosen)

    def as_config(self) -> dict[str, Any]:
        """What the section ``tracking`` of a study keeps, so that it is found again anywhere."""
        values = {each.name: getattr(self, each.name) for each in fields(TrackingConfig)}
        return {
            **values,
            "artifacts": str(self.artifacts),
            "experiment": self.experiment or None,
        }


def default_store() -> str:
    """The store where none is given: that of ``MLFLOW_TRACKING_URI``, else this folder's own."""
    return _variable(URI) or local_store()


def local_store() -> str:
    """The store of this folder, ``mlruns/mlflow.db``: used where nobody names another."""
    return f"{_SQLITE}{_launch_folder() / _RUNS / 'mlflow.db'}"


def local_artifacts() -> Path:
    """The folder of that store's artifacts; a server has a place of its own for them."""
    return _launch_folder() / _RUNS / "artifacts"


def _launch_folder() -> Path:
    """Where the command was started; Hydra may have changed the folder since."""
    return Path(HydraConfig.get().runtime.cwd) if HydraConfig.initialized() else Path.cwd()


def _variable(name: str) -> str | None:
    return os.environ.get(name) or None


def _absolute(uri: str) -> str:
    """An address that means the same in every folder."""
    path = uri.removeprefix(_SQLITE)
    relative = path != uri and path not in ("", ":memory:") and not path.startswith(("/", "file:"))
    return f"{_SQLITE}{_launch_folder() / path}" if relative else uri
