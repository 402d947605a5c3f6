"""The library's configuration: the command's files, with what ``search`` is called with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from sgq_auto.configuration import conf_dir, with_own_arguments
from sgq_auto.configuration.checkpoint_settings import settle_pretraining
from sgq_auto.configuration.schema import checked
from sgq_auto.configuration.unknown_settings import unknown_setting
from sgq_auto.errors import InputError
from sgq_auto.library.given_model import ModelToSearch
from sgq_auto.text.passwords import hide_in_override
from sgq_auto.tracking.tracking_settings import TrackingSettings, local_artifacts

DATA_NAME = "data"


def configuration(
    model: ModelToSearch, output_root: Path, overrides: Sequence[str]
) -> tuple[Any, dict[str, str]]:
    """The checked configuration of the command with a model, and its choices of groups.

    Raises:
        InputError: If a setting is unknown or malformed, or asks to train a trained model.
    """
    hidden = map(hide_in_override, overrides)
    given = with_own_arguments(["model=custom", "dataset=npz", *hidden])
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            cfg = compose("config", given, return_hydra_config=True)
        made, choices = _complete(cfg, model, output_root)
    except (HydraException, OmegaConfBaseException) as error:
        message = " ".join(f"{error} {error.__cause__ or ''}".split())
        raise InputError(unknown_setting(message, given) or message) from error
    settle_pretraining(made, overrides)
    return made, choices


def _complete(
    cfg: DictConfig, model: ModelToSearch, output_root: Path
) -> tuple[Any, dict[str, str]]:
    choices = {**cfg.hydra.runtime.choices, "dataset": DATA_NAME}
    with open_dict(cfg):
        del cfg["hydra"]
        # Hydra knows no launch folder here.
        cfg.tracking.artifacts = str(local_artifacts())
        cfg.tracking.update(TrackingSettings.of(cfg.tracking).as_config())
        cfg.output_root = str(output_root)
        cfg.dataset.source.path = DATA_NAME
        cfg.model.update({**model.arguments, "_target_": model.target})
        if model.checkpoint is not None:
            cfg.model.checkpoint = str(model.checkpoint)
    return checked(cfg), choices
