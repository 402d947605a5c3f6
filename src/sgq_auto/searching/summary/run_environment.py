"""What a search ran on."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import torch

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


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # Run from a copy that was never installed.
        return "unknown"
