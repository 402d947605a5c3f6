"""Types of the configuration; OmegaConf refuses values that do not fit."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Fit:
    """Training."""

    epochs: int
    learning_rate: float
    weight_decay: float
    evaluate_every: int = 1
    range_learning_rate: float = 0.01
    schedule: str = "constant"
    keep: str = "best"
    distillation: float = 0.0
    teacher_temperature: float = 1.0
    dropout: float | None = None


@dataclass
class Buckets:
    """Degree buckets."""

    split_points: list[int] = field(default_factory=list)
    quantiles: list[float] | None = None


@dataclass
class Confirm:
    """The confirm stage."""

    seeds: int
    max_points: int
    refinements: int


@dataclass
class Storage:
    """Where studies live."""

    kind: str
    url: str | None
    # Studies of earlier versions keep a configuration without these.
    heartbeat_seconds: float = 10.0
    grace_seconds: float = 60.0
    patience_seconds: float = 600.0


@dataclass
class Engine:
    """What runs workers."""

    kind: str = "local"
    address: str | None = None
    cluster: str = "slurm"
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass
class Tracking:
    """Where results are tracked."""

    uri: str | None
    artifacts: str
    experiment: str | None
    patience_seconds: float = 60.0
    experiment_id: str | None = None


@dataclass
class Schema:
    """The root configuration."""

    dataset: dict[str, Any]
    model: dict[str, Any]
    granularity: dict[str, Any]
    sampler: dict[str, Any]
    storage: Storage
    engine: Engine
    pretrain: Fit
    finetune: Fit
    buckets: Buckets
    confirm: Confirm
    tracking: Tracking
    seed: int
    n_trials: int
    workers: int
    device: str
    tolerance: float
    teachers: int
    max_kib: float | None
    max_drop: float | None
    seeding: int
    early_stopping: bool
    remeasuring: float
    objective: str
    ladder: list[int]
    ranges: str
    data_root: str
    output_root: str
