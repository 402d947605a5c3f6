"""Full-precision weights, trained once and cached by a fingerprint of all that they depend on."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from sgq_auto.graphs import Graph
from sgq_auto.graphs.store import save_tensors
from sgq_auto.quantize import plain_state, prepare
from sgq_auto.settings.fit_settings import FitSettings
from sgq_auto.training.fit_loop import fit
from sgq_auto.training.graph_batches import batch_size

# Raised whenever training changes in a way that makes older weights incomparable.
_VERSION = 3

ModelBuilder = Callable[[], nn.Module]


@dataclass(frozen=True, eq=False)
class Pretrained:
    """A plain model with trained weights.

    Attributes:
        model: The plain PyG model.
        val_accuracy: Its validation accuracy, 0..1.
    """

    model: nn.Module
    val_accuracy: float


def pretrain(
    build: ModelBuilder,
    graph: Graph,
    settings: FitSettings,
    seed: int,
    *,
    model_config: str,
    cache: Path,
    brought: Path | None = None,
) -> Pretrained:
    """Train a model at full precision, or read it from the cache.

    Args:
        build: Makes the untrained model.
        graph: The graph.
        settings: How to train.
        seed: Seed of initial weights and dropout.
        model_config: Text that determines what ``build`` makes; part of the cache key.
        cache: Folder of cached weights.
        brought: Another folder of such weights, read first and never written.
    """
    torch.manual_seed(seed)
    model = build()
    path = weights_path(graph, settings, seed, model_config=model_config, cache=cache)
    for place in (path,) if brought is None else (brought / path.name, path):
        cached = _read(place, model)
        if cached is not None:
            return Pretrained(model, cached)
    prepared = prepare(model, graph)
    result = fit(prepared, graph, settings, seed)
    state = plain_state(prepared, model)
    model.load_state_dict(state)
    save_tensors(state, path, {"val_accuracy": repr(result.val_accuracy)})
    return Pretrained(model, result.val_accuracy)


def weights_path(
    graph: Graph, settings: FitSettings, seed: int, *, model_config: str, cache: Path
) -> Path:
    """Where :func:`pretrain` keeps the weights that it trains with these arguments."""
    fitting = settings.key
    del fitting["teacher_temperature"]  # There is no teacher.
    size = batch_size(graph, settings)
    if size is not None:
        fitting["batch_graphs"] = size
    key = [_VERSION, model_config, graph.fingerprint, fitting, seed]
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    return cache / f"{digest[:32]}.safetensors"


def _read(path: Path, model: nn.Module) -> float | None:
    """Load cached weights into ``model``; ``None`` where there are none or they are damaged."""
    try:
        with safe_open(path, framework="pt") as file:
            state: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            val_accuracy = float(file.metadata()["val_accuracy"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    # Checked first: a state that does not fit would be loaded in part.
    own = {name: tensor.shape for name, tensor in model.state_dict().items()}
    if own != {name: tensor.shape for name, tensor in state.items()}:
        return None
    model.load_state_dict(state)
    return val_accuracy
