"""Commands that people are told to run."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sgq_auto.text.passwords import MASK, mask

_DEFAULT_ROOT = Path("outputs")


def repeat_command(config: Mapping[str, Any]) -> str | None:
    """The command that a study's configuration was made by; ``None`` if that was not kept.

    It is shown to people and sent to tracking stores: passwords in it are left out.
    """
    if "overrides" not in config:
        return None
    overrides = map(mask, config["overrides"])
    return shlex.join(["python", "-m", "sgq_auto.search", *overrides])


def has_password(text: str) -> bool:
    """Whether an address in a text holds a password, or held one."""
    return any(mask(line) != line or MASK in line for line in text.splitlines())


def export_command(study: str, output_root: Path) -> str:
    """The command that packs a trial of a study; ``trial=N`` is to be added."""
    return study_command("export", study, output_root)


def study_command(command: str, study: str, output_root: Path) -> str:
    """A command on a study, to be pasted into a shell in the folder that this one runs in."""
    words = ["python", "-m", f"sgq_auto.{command}", f"study={study}"]
    if output_root != _DEFAULT_ROOT:
        words.append(f"output_root={output_root}")
    return shlex.join(words)


def sync_command(study: str, output_root: Path) -> str:
    """The command that brings the tracking store up to date with a study."""
    words = ["python", "-m", "sgq_auto.sync", f"study={study}"]
    if output_root != _DEFAULT_ROOT:
        words.append(f"output_root={output_root}")
    return shlex.join(words)
