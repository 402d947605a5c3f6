"""Settings that do not exist: what was probably meant."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from sgq_auto.config import conf_dir
from sgq_auto.errors import did_you_mean

# As Hydra and OmegaConf name a key that they do not know.
_UNKNOWN = re.compile(r"Could not override '([\w.]+)'|not in '\w+'\s+full_key: ([\w.]+)")


def unknown_setting(message: str, overrides: Sequence[str]) -> str | None:
    """What to say instead of an error's message; ``None`` where it is of something else.

    Args:
        message: The message of an error of Hydra or OmegaConf.
        overrides: The command line, whose choices of groups decide which settings there are.
    """
    found = _UNKNOWN.search(message)
    if found is None:
        return None
    name = found[1] or found[2]
    known = list(_names(_composed(overrides)))
    group, _, own = name.rpartition(".")
    beside = [k.rpartition(".")[2] for k in known if k.rpartition(".")[0] == group]
    hint = did_you_mean(own, beside) if beside else did_you_mean(name, known)
    if beside and not hint:
        hint = f"; there are {', '.join(beside)}"
    return f"{name}: there is no such setting{hint}"


def _composed(overrides: Sequence[str]) -> Any:
    groups = {path.name for path in conf_dir().iterdir() if path.is_dir()}
    choices = [o for o in overrides if o.partition("=")[0] in groups and "," not in o]
    GlobalHydra.instance().clear()  # The command ends with this error.
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return OmegaConf.to_container(compose("config", overrides=choices), resolve=False)


def _names(node: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Every setting by its whole name, groups among them."""
    for key, value in node.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _names(value, f"{prefix}{key}.")
