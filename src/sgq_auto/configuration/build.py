"""From Hydra's configuration to checked settings."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import hydra.utils
import torch
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sgq_auto.configuration import conf_dir as conf_dir
from sgq_auto.configuration import with_own_arguments as with_own_arguments
from sgq_auto.configuration.checkpoint_settings import settle_pretraining
from sgq_auto.configuration.schema import checked as checked
from sgq_auto.errors import InputError
from sgq_auto.errors.user_code import described, is_ours
from sgq_auto.graphs import BucketSettings, PreparedData, RawGraph, prepare_graph
from sgq_auto.graphs.sources import graph_of
from sgq_auto.packed import Objective
from sgq_auto.quantize import RangeMode
from sgq_auto.searching import (
    Budget,
    ConfirmSettings,
    EngineKind,
    EngineSettings,
    Granularity,
    ModelSettings,
    SearchSettings,
    StorageKind,
    StorageSettings,
)
from sgq_auto.searching.settings.tune_settings import TuneMode, TuneSettings
from sgq_auto.searching.studies.kept_config import KeptConfig
from sgq_auto.searching.study.folder import StudyFolder, settings_in
from sgq_auto.training import FitSettings, Keep, Schedule

_E = TypeVar("_E", bound=StrEnum)
# What lines of these raise beside InputError is a fault of this project's.
_OWN_SOURCES = "sgq_auto."


def search_settings(
    cfg: Any, choices: Mapping[str, str], overrides: Sequence[str] | None = None
) -> SearchSettings:
    """Search settings from a checked configuration.

    Args:
        cfg: What :func:`checked` returned.
        choices: The chosen file of every configuration group.
        overrides: What the command line changed, if that is known; kept with the study.

    Raises:
        InputError: One line that names a bad value and what is allowed.
    """
    settle_pretraining(cfg, overrides or ())
    untrained = cfg.pretrain.epochs == 0
    return SearchSettings(
        dataset=choices["dataset"],
        model=ModelSettings.of(choices["model"], _plain(cfg.model)),
        granularity=choice(Granularity, cfg.granularity.get("name"), "granularity.name"),
        sampler_name=choices["sampler"],
        sampler=_plain(cfg.sampler),
        pretrain=None if untrained else _fit_settings(cfg.pretrain, "pretrain"),
        tune=_tune_settings(cfg.pretrain),
        finetune=_fit_settings(cfg.finetune, "finetune"),
        output_root=Path(cfg.output_root),
        storage=_storage_settings(cfg.storage),
        engine=_engine_settings(cfg.engine),
        seed=cfg.seed,
        n_trials=cfg.n_trials,
        workers=cfg.workers,
        tolerance=cfg.tolerance,
        confidence=cfg.confidence,
        teachers=cfg.teachers,
        budget=Budget(cfg.max_kib, cfg.max_drop),
        seeding=cfg.seeding,
        early_stopping=cfg.early_stopping,
        remeasuring=cfg.remeasuring,
        objective=choice(Objective, cfg.objective, "objective"),
        ladder=tuple(cfg.ladder),
        ranges=choice(RangeMode, cfg.ranges, "ranges"),
        confirm=ConfirmSettings(**_plain(cfg.confirm)),
        device=cfg.device,
        config={"choices": dict(choices), "config": _plain(cfg)}
        | ({} if overrides is None else {"overrides": list(overrides)}),
    )


def settings_of_study(config: Path, *, own_code: bool = False) -> SearchSettings:
    """The settings of a study from the configuration that it keeps.

    Args:
        config: The file.
        own_code: Whether it may name anybody's code although no search of this user made it.

    Raises:
        InputError: If the file is missing or is no configuration, or names what it may not.
    """
    kept = KeptConfig.read(config, own_code=own_code)
    try:
        cfg = checked(OmegaConf.create(dict(kept.config)))
        if not torch.cuda.is_available():
            cfg.device = "cpu"  # A study may have been searched on another machine.
        settings = search_settings(cfg, kept.choices, kept.overrides)
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OmegaConfBaseException) as error:
        raise InputError(
            f"{config}: no configuration of a study is there ({type(error).__name__})"
        ) from error
    folder = StudyFolder(config.parent.resolve(), config.parent.name)
    if not kept.is_own:
        settings = replace(settings, output_root=folder.root(settings.output_root))
    return settings_in(folder, settings)


def load_data(cfg: Any) -> PreparedData:
    """Load, split and prepare the dataset of a checked configuration.

    Raises:
        InputError: If it cannot be had or is malformed.
    """
    return prepare_raw(_load_graph(cfg.dataset["source"]), cfg)


def prepare_raw(raw: RawGraph, cfg: Any) -> PreparedData:
    """Split and prepare a graph as a checked configuration says.

    Raises:
        InputError: If it is malformed.
    """
    buckets = _plain(cfg.buckets)
    quantiles = buckets["quantiles"]
    settings = BucketSettings(
        tuple(buckets["split_points"]), None if quantiles is None else tuple(quantiles)
    )
    raw.check()
    split = _instantiate(cfg.dataset["split"], "dataset.split").split(raw)
    return prepare_graph(raw, split, settings, normalize_rows=cfg.dataset["normalize_rows"])


def _load_graph(node: Any) -> RawGraph:
    if OmegaConf.is_missing(node, "_target_"):
        raise InputError(
            "dataset=custom: no function given; add dataset.source._target_=PACKAGE.FUNCTION"
        )
    made = _instantiate(node, "dataset.source")
    target = str(node["_target_"])
    try:
        return graph_of(made, target)
    except InputError:
        raise
    except Exception as error:
        if target.startswith(_OWN_SOURCES) and is_ours(error):
            raise
        # A source that the user has written, or a library that cannot read the user's file.
        raise InputError(f"dataset.source: {described(error)}") from error


def _instantiate(node: Any, name: str) -> Any:
    try:
        # Lists reach it as lists, not as OmegaConf's.
        return hydra.utils.instantiate(node, _convert_="all")
    except HydraException as error:
        cause = error.__cause__ or error
        if isinstance(cause, InputError):
            raise cause from error
        if is_ours(cause):
            raise
        raise InputError(f"{name}: {described(cause)}") from error


def _engine_settings(cfg: Any) -> EngineSettings:
    fields = _plain(cfg)
    return EngineSettings(choice(EngineKind, fields.pop("kind"), "engine.kind"), **fields)


def _storage_settings(cfg: Any) -> StorageSettings:
    fields = _plain(cfg)
    return StorageSettings(choice(StorageKind, fields.pop("kind"), "storage.kind"), **fields)


def _tune_settings(node: Any) -> TuneSettings:
    # YAML reads a plain off as false.
    mode = "off" if node.tune in ("False", "none") else node.tune
    return TuneSettings(choice(TuneMode, mode, "pretrain.tune"), node.tune_share)


def _fit_settings(node: Any, name: str) -> FitSettings:
    values = {k: v for k, v in _plain(node).items() if not k.startswith("tune")}
    schedule = choice(Schedule, values.pop("schedule"), f"{name}.schedule")
    keep = choice(Keep, values.pop("keep"), f"{name}.keep")
    try:
        return FitSettings(**values, schedule=schedule, keep=keep)
    except InputError as error:
        raise InputError(f"{name}.{error}") from error


def _plain(node: Any) -> dict[str, Any]:
    return OmegaConf.to_container(node, resolve=True)  # type: ignore[return-value]


def choice(kind: type[_E], value: Any, name: str) -> _E:
    """A member of an enum.

    Raises:
        InputError: If there is none of this value.
    """
    try:
        return kind(value)
    except ValueError as error:
        choices = ", ".join(member.value for member in kind)
        raise InputError(f"{name}={value}: choose one of {choices}") from error
