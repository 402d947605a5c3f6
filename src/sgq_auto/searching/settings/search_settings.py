"""What defines a search, checked once, before anything is loaded."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from sgq_auto.errors import InputError
from sgq_auto.graphs import Graph, PreparedData
from sgq_auto.packed.allocation import DEFAULT_LADDER, check_ladder
from sgq_auto.searching.own_model import is_own, own_sources, targets_of
from sgq_auto.searching.settings.model_settings import ModelSettings
from sgq_auto.searching.settings.promise_settings import Promise
from sgq_auto.searching.space.search_space import Granularity
from sgq_auto.settings import (
    Budget,
    ConfirmSettings,
    EngineSettings,
    FitSettings,
    FootprintSettings,
    RootSettings,
    StorageSettings,
    TuneSettings,
)

NOTHING_TRAINED = (
    "pretrain.epochs=0: nothing would be trained; give the weights of a trained model as "
    "model.checkpoint=PATH, or 1 epoch or more"
)
TRAINED_ALREADY = (
    "model.checkpoint: the reference is the model of that file, which is not trained any further; "
    "leave out pretrain.epochs, or set it to 0"
)
# Raised whenever a change makes older trials incomparable with new ones.
_VERSION = 6


@dataclass(frozen=True, kw_only=True)
class SearchSettings(RootSettings):
    """Everything that a search needs besides its graph.

    Attributes:
        dataset: The dataset's name.
        model: The model.
        granularity: Which sites share bits.
        sampler_name: The sampler's name.
        sampler: Its ``_target_`` and arguments.
        pretrain: Training at full precision; ``None`` where the model has a checkpoint, so that
            nothing is trained.
        tune: Whether that is tuned first.
        finetune: Fine-tuning of each trial.
        storage: Where the study lives.
        engine: What runs its workers.
        budget: Bounds on bytes and accuracy.
        confirm: The confirm stage.
        footprint: At which graph the sizes of a model for many graphs are.
        config: The configuration that these settings were made from; kept with the study.
        brought: Folder of weights that came with the study from elsewhere; they count for this
            study alone.
    """

    dataset: str
    model: ModelSettings
    granularity: Granularity
    sampler_name: str
    sampler: Mapping[str, Any]
    pretrain: FitSettings | None
    finetune: FitSettings
    ladder: tuple[int, ...] = DEFAULT_LADDER
    storage: StorageSettings = field(default_factory=StorageSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    budget: Budget = field(default_factory=Budget)
    confirm: ConfirmSettings = field(default_factory=ConfirmSettings)
    footprint: FootprintSettings = field(default_factory=FootprintSettings)
    tune: TuneSettings = field(default_factory=TuneSettings)
    config: Mapping[str, Any] = field(default_factory=dict)
    brought: Path | None = None

    def __post_init__(self) -> None:
        """Check the values, also against each other.

        Raises:
            InputError: One line that names the value and what is allowed.
        """
        super().__post_init__()
        if (self.pretrain is None) != (self.model.checkpoint is not None):
            raise InputError(NOTHING_TRAINED if self.pretrain is None else TRAINED_ALREADY)
        check_ladder(self.ladder)
        _check_device(self.device)

    def fingerprint(self, data: PreparedData) -> str:
        """Hash of what defines the study; budgets (trials, workers, tolerance) do not."""
        own = {"held_out": data.held_out.fingerprint, "seed": self.seed}
        if data.unseen is not None:
            own["unseen"] = data.unseen.fingerprint
        return _hash({**self._definition(data.graph), **own})

    def family(self, graph: Graph) -> str:
        """Hash that studies share which differ in their seed only, and are searched as long."""
        lengths = {
            "n_trials": self.n_trials,
            "tolerance": self.tolerance,
            "confidence": self.confidence,
        }
        return _hash({**self._definition(graph), **lengths, "confirm": asdict(self.confirm)})

    def _definition(self, graph: Graph) -> dict[str, Any]:
        return {
            "version": _VERSION,
            "graph": graph.fingerprint,
            "model": self.model.key_on(graph),
            "granularity": self.granularity,
            "sampler": dict(self.sampler),
            **self._own_sampler(),
            **self.training,
            "objective": self.objective,
            "budget": self.budget.key,
            **self.footprint.key,
            "seeding": self.seeding,
            "early_stopping": self.early_stopping,
            "remeasuring": self.remeasuring,
            "ladder": self.ladder,
            "ranges": self.ranges,
            "device": torch.device(self.device).type,
        }

    @property
    def training(self) -> dict[str, Any]:
        """What of training defines a study; a model that is trained already is its one teacher."""
        return {
            "pretrain": None if self.pretrain is None else self.pretrain.key,
            "finetune": self.finetune.key,
            "teachers": 1 if self.pretrain is None else self.teachers,
        }

    @property
    def names(self) -> dict[str, str]:
        """What is searched, in four names."""
        return {
            "dataset": self.dataset,
            "model": self.model.name,
            "granularity": self.granularity.value,
            "sampler": self.sampler_name,
        }

    def study_name(self, data: PreparedData) -> str:
        """A readable name that no differently defined study has."""
        return "-".join([*self.names.values(), f"seed{self.seed}", self.fingerprint(data)[:8]])

    def earlier_name(self, data: PreparedData) -> str | None:
        """The name of this study in earlier versions, if it had another one."""
        key = self.model.earlier_key
        if key is None:
            return None
        earlier = replace(self.model, _keys={data.graph.fingerprint: key})
        return replace(self, model=earlier).study_name(data)

    def _own_sampler(self) -> dict[str, Any]:
        """The sources of a sampler that the user has written, if it is one."""
        own = own_sources(target for target in targets_of(self.sampler) if is_own(target))
        return {"sampler_sources": own} if own else {}

    @property
    def allowed_drop(self) -> float:
        """Accuracy that the recommended artifact may lose: ``max_drop``, else the tolerance."""
        return self.tolerance if self.budget.max_drop is None else self.budget.max_drop

    @property
    def promise(self) -> Promise:
        """What is asked of the recommended artifact."""
        return Promise(self.allowed_drop, self.confidence)

    @property
    def pretraining(self) -> FitSettings:
        """Training at full precision; not for a model that has a checkpoint."""
        assert self.pretrain is not None, "a model with a checkpoint is not trained"
        return self.pretrain

    @property
    def cache(self) -> Path:
        """Folder of cached full-precision weights."""
        return self.output_root / "pretrained"


def _hash(key: Mapping[str, Any]) -> str:
    text = json.dumps(key, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _check_device(name: str) -> None:
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"device={name}: choose cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device={name}: choose cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device={name}: torch sees {torch.cuda.device_count()} CUDA devices here; "
            "take device=cpu, or install a CUDA build of torch"
        )
