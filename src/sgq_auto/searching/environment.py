"""What a search ran on, and the command that repeats it."""

import os
import platform
import re
import shlex
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

# In addresses like postgresql+psycopg://USER:PASSWORD@HOST/DATABASE; a password may hold an @.
_PASSWORD = re.compile(r"(://[^:/@]*:).*(@)")
# Those whose versions can change what a search finds, or how fast.
_PACKAGES = ("sgq-auto", "torch", "torch-geometric", "numba", "numpy", "optuna", "mlflow")


def describe_environment(device: str) -> dict[str, str]:
    """Versions, machine and device, by name.

    Args:
        device: Where models train, as torch names it.
    """
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    found = {"python": platform.python_version(), "machine": machine, "device": device}
    if device.startswith("cuda"):
        found["device"] = f"{device}, {torch.cuda.get_device_name(device)}"
    return found | {package: _version(package) for package in _PACKAGES}


def repeat_command(config: Mapping[str, Any]) -> str | None:
    """The command that a study's configuration was made by; ``None`` if that was not kept.

    It is shown to people and sent to tracking stores: passwords in it are left out.
    """
    if "overrides" not in config:
        return None
    overrides = (_PASSWORD.sub(r"\1***\2", override) for override in config["overrides"])
    return shlex.join(["python", "-m", "sgq_auto.search", *overrides])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # Run from a copy that was never installed.
        return "unknown"
