"""Types of the configuration; OmegaConf refuses values that do not fit."""

from dataclasses import dataclass, field
from typing import Any

from sgq_auto.text.passwords import hide

# Values of settings that are closed choices: told to people before the types are imported.
CHOICES: dict[str, tuple[str, ...]] = {
    "objective": ("resident_bytes", "stored_bytes", "peak_bytes", "sgquant_bytes"),
    "ranges": ("minmax", "learned"),
    "pretrain.tune": ("off", "auto", "wide"),
    **{f"{fit}.schedule": ("constant", "cosine") for fit in ("pretrain", "finetune")},
    **{f"{fit}.keep": ("best", "last") for fit in ("pretrain", "finetune")},
}


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
class Pretrain(Fit):
    """Training at full precision."""

    # Studies of earlier versions keep a configuration without these.
    tune: str = "off"
    tune_share: float = 0.25


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
    pretrain: Pretrain
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
    # Studies of earlier versions keep a configuration without it.
    confidence: float = 0.9


def checked(cfg: Any) -> Any:
    """The configuration, its types checked, its interpolations resolved, its passwords hidden.

    Raises:
        OmegaConfBaseException: If a value does not fit.
    """
    from omegaconf import OmegaConf  # Not for who only asks which settings there are.

    merged = OmegaConf.merge(OmegaConf.structured(Schema), cfg)
    OmegaConf.resolve(merged)
    for group, name in ((merged.tracking, "uri"), (merged.storage, "url")):
        if group[name] is not None:
            group[name] = hide(group[name])
    return merged
