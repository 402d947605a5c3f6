"""Commands that people are told to run."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# In addresses like postgresql+psycopg://USER:PASSWORD@HOST/DATABASE (a password may hold an @) or
# postgresql+psycopg://HOST/DATABASE?password=PASSWORD.
_PASSWORD = re.compile(r"(://[^:/@\s]*:).*(@)|([?&]password=)[^&\s\"']*()")
_DEFAULT_ROOT = Path("outputs")


def repeat_command(config: Mapping[str, Any]) -> str | None:
    """The command that a study's configuration was made by; ``None`` if that was not kept.

    It is shown to people and sent to tracking stores: passwords in it are left out.
    """
    if "overrides" not in config:
        return None
    overrides = (masked(override) for override in config["overrides"])
    return shlex.join(["python", "-m", "sgq_auto.search", *overrides])


def masked(text: str) -> str:
    """A text that may be shown: passwords of addresses in it are left out."""
    return _PASSWORD.sub(r"\1\3***\2\4", text)


def has_password(text: str) -> bool:
    """Whether an address in a text holds a password."""
    return _PASSWORD.search(text) is not None


def export_command(study: str, output_root: Path) -> str:
    """The command that packs a trial of a study; ``trial=N`` is to be added."""
    words = ["python", "-m", "sgq_auto.export", f"study={study}"]
    if output_root != _DEFAULT_ROOT:
        words.append(f"output_root={output_root}")
    return shlex.join(words)


def sync_command(study: str, output_root: Path) -> str:
    """The command that brings the tracking store up to date with a study."""
    words = ["python", "-m", "sgq_auto.sync", f"study={study}"]
    if output_root != _DEFAULT_ROOT:
        words.append(f"output_root={output_root}")
    return shlex.join(words)
