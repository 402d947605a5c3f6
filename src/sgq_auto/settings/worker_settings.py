"""What runs the workers of a command."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class EngineKind(StrEnum):
    """Engines that run workers."""

    LOCAL = "local"
    RAY = "ray"
    SUBMITIT = "submitit"


@dataclass(frozen=True)
class EngineSettings:
    """Which engine runs the workers of a command.

    Attributes:
        kind: Processes of this machine (default), tasks of a Ray cluster, or jobs by submitit.
        address: Ray's cluster, as ``ray.init`` takes it; ``None`` for one of this machine's own.
        cluster: What submitit submits to: ``slurm``, or ``local`` for processes.
        parameters: Of submitit's executor, like ``timeout_min`` or ``slurm_partition``.
    """

    kind: EngineKind = EngineKind.LOCAL
    address: str | None = None
    cluster: str = "slurm"
    parameters: Mapping[str, Any] = field(default_factory=dict)
