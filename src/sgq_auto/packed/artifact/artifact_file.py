"""Artifacts: one safetensors file a packed model, checked before anything large is made.

Tensors: ``edges.high`` and ``edges.low`` (one triangle where the graph is symmetric),
``bucket_map``, ``features.bitmap`` or ``features.high`` and ``features.low``, ``features.values``,
``features.mean`` and ``features.factor`` (fp32) where columns are scaled, and for each layer
``NAME.weight`` and others that its kind has, like ``NAME.root_weight`` (codes ``[in, out]``),
``NAME.bias`` and other fp32 tensors of its kind, like ``NAME.source_vectors`` or ``NAME.eps``, and
``NAME.scales`` (fp32 step and offset of every scale group: inputs, transformed embeddings,
attention, weight channels). The metadata holds the header as text and the SHA-256 of
the header and all tensors.
"""

import hashlib
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from sgq_auto.errors import ArtifactError
from sgq_auto.files.atomic_file import whole_file
from sgq_auto.packed.artifact import header
from sgq_auto.packed.artifact.memory_cost import needed_bytes
from sgq_auto.packed.artifact.model_reader import model_from_tensors
from sgq_auto.packed.artifact.tensor_shapes import expected_tensors, tensors_of
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.runtime.packed_model import PackedModel
from sgq_auto.text.safe_text import one_line

__all__ = ["ArtifactError", "load", "save"]

_HEADER, _CHECKSUM = "sgq_auto", "sha256"
_MAX_HEADER_BYTES = 1 << 24
_LONGEST_MESSAGE = 300
# What a file may make the runtime take: many times its own size, and always this much. An fp32
# embedding of a thousand columns beside features and edges of a few bits is still within it.
_ALWAYS_ALLOWED, _GROWTH = 1 << 26, 256


def save(model: PackedModel, path: Path) -> None:
    """Write a model, whole or not at all."""
    text, tensors = header.describe(model), tensors_of(model)
    with whole_file(path) as scratch:
        save_file(tensors, scratch, {_HEADER: text, _CHECKSUM: _checksum(text, tensors)})


def load(path: str | Path, *, max_bytes: int | None = None) -> PackedModel:
    """Read a model.

    Args:
        path: An artifact.
        max_bytes: What loading the model and predicting all its nodes may take; by default 256
            times the file's size, and at least 64 MiB.

    Raises:
        ArtifactError: If the file is missing, damaged, of another version, contradicts itself, or
            would need more memory than allowed. Nothing large is allocated before that.
    """
    path = Path(path)
    try:
        return _load(path, max_bytes)
    except OSError as error:
        raise ArtifactError(f"{path}: {error.strerror or error}") from error
    except (ArtifactError, SafetensorError, ValueError, KeyError, struct.error) as error:
        # Names of layers, skip connections and tensors are the file's: they must steer no terminal.
        raise ArtifactError(f"{path}: {one_line(error)[:_LONGEST_MESSAGE]}") from error


def _load(path: Path, max_bytes: int | None) -> PackedModel:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
    if len(start) < 8 or struct.unpack("<Q", start)[0] > min(size - 8, _MAX_HEADER_BYTES):
        raise ArtifactError("this is no artifact, or it is cut short")
    with safe_open(path, framework="np") as file:
        metadata = file.metadata() or {}
        if _HEADER not in metadata or _CHECKSUM not in metadata:
            raise ArtifactError("this safetensors file holds no packed model")
        parsed = header.parse(metadata[_HEADER])
        _check_shapes(file, expected_tensors(parsed))
        _check_cost(
            parsed, max(_ALWAYS_ALLOWED, _GROWTH * size) if max_bytes is None else max_bytes
        )
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if metadata[_CHECKSUM] != _checksum(metadata[_HEADER], tensors):
        raise ArtifactError("the checksum is wrong: the file is damaged")
    return model_from_tensors(parsed, tensors)


def _check_cost(parsed: header.Header, allowed: int) -> None:
    needed = needed_bytes(parsed)
    if needed > allowed:
        raise ArtifactError(
            f"it would take {needed} bytes to load and predict; {allowed} are allowed; "
            f"give max_bytes={needed} to load or infer for a file that you trust"
        )


def _check_shapes(file: Any, expected: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
    found = {}
    for name in file.keys():  # noqa: SIM118
        part = file.get_slice(name)
        found[name] = (part.get_dtype(), tuple(part.get_shape()))
    for name in sorted(expected.keys() | found.keys()):
        if found.get(name) != expected.get(name):
            raise ArtifactError(
                f"tensor {name} is {found.get(name, 'missing')}; "
                f"the header says {expected.get(name, 'there is none')}"
            )


def _checksum(text: str, tensors: Mapping[str, Array]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()
