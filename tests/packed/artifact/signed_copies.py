"""Signed copies of an artifact with something changed."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from sgq_auto.packed import load
from sgq_auto.packed.artifact.artifact_file import _checksum
from sgq_auto.packed.backends import NumpyEngine
from sgq_auto.packed.backends.compiled_engine import CompiledEngine

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


def check_engines_agree_on_any_values(
    path: Path, folder: Path, *, turns: int, largest: float
) -> None:
    """Both engines predict the same with random codes and scales of edges in a file.

    Args:
        path: The file.
        folder: Where changed ones go.
        turns: How many are tried.
        largest: The largest step between codes, as a power of 10.
    """
    rng = np.random.default_rng(0)

    def other(_: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
        codes = tensors["edge_weight.values"]
        codes[:] = rng.integers(0, 256, codes.size) & 0x3F
        scales = tensors["edge_weight.scales"]
        scales[:, 0] = 10.0 ** rng.uniform(-3, largest, scales.shape[0])
        scales[:, 1] = rng.normal(size=scales.shape[0]) * scales[:, 0]

    for turn in range(turns):
        model = load(rewritten(path, folder / f"{turn}.safetensors", other))
        found = [replace(model, engine=e).predict() for e in (NumpyEngine(), CompiledEngine())]
        assert np.isfinite(found[0]).all()
        unit = max(1.0, float(np.abs(found[0]).max()))
        assert np.abs(found[0] - found[1]).max() / unit < 1e-4
