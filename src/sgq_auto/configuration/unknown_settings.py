"""Settings that Hydra and OmegaConf refuse: what to say, and what was probably meant."""

import re
from collections.abc import Sequence

from sgq_auto.configuration import ConfTree, chosen_files, conf_dir, no_such_setting
from sgq_auto.errors import InputError

# As Hydra and OmegaConf name a key that they do not know.
_UNKNOWN = re.compile(r"Could not override '([\w.]+)'|not in '\w+'\s+full_key: ([\w.]+)")


def of_hydra(error: BaseException, overrides: Sequence[str]) -> InputError:
    """The one line for an error of Hydra or OmegaConf.

    Args:
        error: What was raised.
        overrides: The command line, whose choices of groups decide which settings there are.
    """
    cause = error.__cause__ or ""
    message = " ".join(f"{error} {'' if str(cause) in str(error) else cause}".split())
    return InputError(unknown_setting(message, overrides) or message)


def unknown_setting(message: str, overrides: Sequence[str]) -> str | None:
    """What to say instead of an error's message; ``None`` where it is of something else.

    Args:
        message: The message of an error of Hydra or OmegaConf.
        overrides: The command line, whose choices of groups decide which settings there are.
    """
    found = _UNKNOWN.search(message)
    if found is None:
        return None
    tree = ConfTree(conf_dir())
    return no_such_setting(found[1] or found[2], tree.settings(chosen_files(overrides, tree)))
