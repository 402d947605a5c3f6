"""Signed copies of an artifact with something changed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from sgq_auto.packed.artifact.artifact_file import _checksum

# Changes a header and the tensors of a file, in place.
Damage = Callable[[dict[str, Any], dict[str, np.ndarray]], object]


def rewritten(whole: Path, path: Path, damage: Damage) -> Path:
    """A signed copy with something changed."""
    with safe_open(whole, framework="np") as file:
        root = json.loads(file.metadata()["sgq_auto"])
    tensors = {name: tensor.copy() for name, tensor in load_file(whole).items()}
    damage(root, tensors)
    text = json.dumps(root)
    save_file(tensors, path, {"sgq_auto": text, "sha256": _checksum(text, tensors)})
    return path
