"""From Hydra's configuration to checked settings."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from sgq_auto.graphs import PreparedData, RawGraph, prepare_graph
from sgq_auto.graphs.many_graphs.divide import divided
from sgq_auto.graphs.sources import graph_of
from sgq_auto.searching import Granularity, ModelSettings, SearchSettings
from sgq_auto.searching.studies.kept_config import KeptConfig
from sgq_auto.searching.study.study_folder import StudyFolder, settings_in
from sgq_auto.settings import (
    BucketSettings,
    Budget,
    ConfirmSettings,
    EngineSettings,
    FitSettings,
    FootprintSettings,
    RootSettings,
    StorageSettings,
    TuneSettings,
)
from sgq_auto.settings.setting_fields import choice, field_values, settings_from
from sgq_auto.settings.standardize import Standardize
from sgq_auto.task import Metric, Task

_T = TypeVar("_T")
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
    values = _plain(cfg)
    pretrain = values["pretrain"]
    return SearchSettings(
        **field_values(RootSettings, values),
        budget=settings_from(Budget, values),
        pretrain=None if pretrain["epochs"] == 0 else _section(FitSettings, values, "pretrain"),
        tune=_section(TuneSettings, values, "pretrain"),
        finetune=_section(FitSettings, values, "finetune"),
        confirm=_section(ConfirmSettings, values, "confirm"),
        footprint=_section(FootprintSettings, values, "footprint"),
        storage=_section(StorageSettings, values, "storage"),
        engine=_section(EngineSettings, values, "engine"),
        dataset=choices["dataset"],
        model=ModelSettings.of(choices["model"], values["model"]),
        granularity=choice(Granularity, values["granularity"].get("name"), "granularity.name"),
        sampler_name=choices["sampler"],
        sampler=values["sampler"],
        config={"choices": dict(choices), "config": values}
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
    buckets = settings_from(BucketSettings, _plain(cfg.buckets), "buckets")
    task, metric = cfg.get("task"), cfg.get("metric")
    raw = raw.for_task(
        None if task is None else choice(Task, task, "task"),
        None if metric is None else choice(Metric, metric, "metric"),
    )
    raw.check()
    split = _instantiate(cfg.dataset["split"], "dataset.split").split(raw)
    normalize = cfg.dataset["normalize_rows"]
    data = prepare_graph(
        raw, split, buckets, normalize_rows=normalize, standardize=_standardize(cfg)
    )
    return divided(data)


def _standardize(cfg: Any) -> Standardize:
    """Whether features are scaled. A model that is trained already knows them as they are."""
    wanted = choice(Standardize, cfg.dataset.get("standardize", False), "dataset.standardize")
    is_trained = "model" not in cfg or cfg.model.get("checkpoint") is not None
    return Standardize.OFF if wanted is Standardize.AUTO and is_trained else wanted


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


def _section(kind: type[_T], values: Mapping[str, Any], name: str) -> _T:
    return settings_from(kind, values[name], name)


def _plain(node: Any) -> dict[str, Any]:
    return OmegaConf.to_container(node, resolve=True)  # type: ignore[return-value]
