"""A trained model in place of training: what the settings of both say together."""

from collections.abc import Sequence
from typing import Any

from sgq_auto.errors import InputError
from sgq_auto.searching.settings.search_settings import TRAINED_ALREADY

_EPOCHS = "pretrain.epochs"


def settle_pretraining(cfg: Any, overrides: Sequence[str]) -> None:
    """Set ``pretrain.epochs`` to 0 where ``model.checkpoint`` is given.

    Args:
        cfg: The checked configuration; changed.
        overrides: What was given, as on the command line.

    Raises:
        InputError: If training was asked for as well.
    """
    if cfg.model.get("checkpoint") is None:
        return
    given = [each.lstrip("+").partition("=") for each in overrides]
    asked = [value.strip() for name, _, value in given if name == _EPOCHS]
    if asked and asked[-1] != "0":
        raise InputError(f"{_EPOCHS}={asked[-1]} beside {TRAINED_ALREADY}")
    cfg.pretrain.epochs = 0
