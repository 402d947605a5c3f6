"""Artifacts that lie: random models whose headers and tensors are changed, and signed again.

Each must be refused with one line, or mean the same to every engine.
``benchmarks/mutated_artifacts.py`` asks 20,000 of them.
"""

import contextlib
import json
import time
import tracemalloc
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from agreement import TOLERANCE, always_neighborhoods
from featured_models import featured
from guarded_kernels import guarded_engine
from header_changes import change, copied, text_of
from mutated_tensors import fitting
from other_graphs import drawn_graph, without_graph
from pooled_models import pooled
from program_changes import change_program, repair
from random_models import RandomModels
from rounding_noise import NoisyEngine
from safetensors import safe_open
from safetensors.numpy import save_file
from weighted_models import weighted

from sgq_auto.packed import ArtifactError, PackedModel, load
from sgq_auto.packed.artifact import header
from sgq_auto.packed.artifact.artifact_file import _checksum
from sgq_auto.packed.artifact.memory_cost import needed_bytes
from sgq_auto.packed.artifact.stage_headers import describe_program
from sgq_auto.packed.artifact.tensor_shapes import tensors_of
from sgq_auto.packed.backends import NumpyEngine
from sgq_auto.packed.backends.compiled_engine import CompiledEngine

_NODES = (2, 3, 6, 6, 12, 12, 24, 80)
# numpy needs seconds for a graph with every edge at many bits.
_SECONDS = 60.0
# A share of the models holds no graph, and predicts one that it is given.
_FOR_OTHER_GRAPHS = 0.25
# What numpy, Python and each thread hold besides what a header is told to need.
_SLACK_BYTES = 24 << 20
# Differences that fp64 rounding explains, as a multiple of what it was seen to make.
_ROUNDING = 30
_NEAR_TIE = 1e-6


class Outcome(StrEnum):
    """What came of a mutant."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    ROUNDING = "decided by rounding"
    FAULT = "fault"
    DIFFERENCE = "difference"


@dataclass(frozen=True)
class Found:
    """What came of one mutant, and a line about it."""

    outcome: Outcome
    message: str = ""

    @property
    def is_fine(self) -> bool:
        return self.outcome not in (Outcome.FAULT, Outcome.DIFFERENCE)


def write_mutant(seed: int, path: Path) -> np.random.Generator:
    """The artifact of a random model, changed; where chance comes from after that."""
    random = np.random.default_rng([7, seed])
    spread = float(random.choice([0.0, 0.0, 0.0, 2.0, 12.0]))
    model = RandomModels(random, spread, _NODES).model()
    if random.random() < 0.3:
        model = weighted(model, random)
    # Chance of its own, so that other seeds stay what they are.
    of_graphs = np.random.default_rng([11, seed])
    if of_graphs.random() < 0.3:
        model = pooled(model, of_graphs)
    of_edges = np.random.default_rng([12, seed])
    if model.graph.weights is None and of_edges.random() < 0.3:
        model = featured(model, of_edges)
    kind = np.random.default_rng([8, seed]).random()
    if kind < _FOR_OTHER_GRAPHS:
        model = without_graph(model, fixed=kind < _FOR_OTHER_GRAPHS / 3)
    root, tensors = json.loads(header.describe(model)), tensors_of(model)
    if root["version"] == 2 and random.random() < 0.7:
        _say_a_program(root, model)
    _change(root, random)
    text = text_of(root)
    # What cannot be read keeps its tensors: it must be refused.
    with contextlib.suppress(Exception):
        renewed, extreme = random.choice([0.0, 0.1, 0.5, 1.0]), random.choice([0.0, 0.1, 0.5, 1.0])
        fresh = fitting(header.parse(text), tensors, random, renewed, extreme)
        tensors = fresh or tensors
    # What no file can hold.
    tensors = {n: t for n, t in tensors.items() if n.isascii() and n.isprintable()}
    save_file(tensors, path, {"sgq_auto": text, "sha256": _checksum(text, tensors)})
    return random


def _say_a_program(root: dict[str, Any], model: PackedModel) -> None:
    """Make a header of version 3 of one of version 2, in place."""
    root["version"] = 3
    for layer in root["layers"]:
        del layer["activation"]
    root |= copied(describe_program(model.program, model.skips))


def outcome_of(seed: int, folder: Path) -> Found:
    """Write a mutant, load it, and predict by both engines, all nodes and some of them."""
    path = folder / "mutant.safetensors"
    random = write_mutant(seed, path)
    measured = seed % 8 == 0
    start = time.perf_counter()
    if measured:
        tracemalloc.start()
    try:
        model = load(path)
        found = _predicted(model, seed, random)
        peak = tracemalloc.get_traced_memory()[1] if measured else 0
    except ArtifactError as error:
        lines = len(str(error).splitlines())
        return Found(Outcome.REFUSED if lines == 1 else Outcome.FAULT, _line(error))
    except Exception as error:
        return Found(Outcome.FAULT, _line(error))
    finally:
        tracemalloc.stop()
    taken = time.perf_counter() - start
    if taken > _SECONDS:
        return Found(Outcome.FAULT, f"it took {taken:.1f} s")
    allowed = 2 * _needed(path) + _SLACK_BYTES
    if peak > allowed:
        return Found(Outcome.FAULT, f"it took {peak} bytes, where {allowed} were allowed")
    return found


def _change(root: dict[str, Any], random: np.random.Generator) -> None:
    kind = random.random()
    if kind < 0.75:
        for _ in range(int(random.choice([1, 1, 2, 3, 6, 10]))):
            with contextlib.suppress(Exception):
                change_program(root, random)
        if random.random() < 0.9:
            repair(root)
    if kind > 0.65:
        for _ in range(int(random.choice([1, 1, 1, 2, 4]))):
            change(root, random)


def _predicted(model: PackedModel, seed: int, random: np.random.Generator) -> Found:
    """Whether engines agree on a model that was accepted."""
    plain = replace(model, engine=NumpyEngine())
    guarded = replace(model, engine=guarded_engine(at_end=seed % 4 != 3))
    compiled = replace(model, engine=CompiledEngine())
    given = {} if model.holds_features else drawn_graph(model, random)
    num_nodes = len(given["x"]) if given else model.num_nodes
    nodes = random.integers(0, num_nodes, int(random.integers(1, 5)))
    with np.errstate(all="ignore"), always_neighborhoods():
        expected = plain.predict(**given)
        pairs = {
            "compiled": (guarded.predict(**given), expected),
            "two threads": (compiled.predict(threads=2, **given), expected),
        }
        if not model.program.predicts_graphs:
            pairs["some nodes, compiled"] = guarded.predict(nodes, **given), expected[nodes]
            pairs["some nodes, numpy"] = plain.predict(nodes, **given), expected[nodes]
        if not np.isfinite(expected).all():
            return Found(Outcome.DIFFERENCE, "logits are not finite")
        worst = {name: _difference(*pair) for name, pair in pairs.items()}
        name = max(worst, key=worst.__getitem__)
        if worst[name] <= TOLERANCE:
            return Found(Outcome.ACCEPTED)
        engines = (NoisyEngine(np.random.default_rng(k)) for k in range(6))
        noisy = [replace(model, engine=engine).predict(**given) for engine in engines]
        noise = max(_difference(logits, expected) for logits in noisy)
        far, noisy_far = (
            max(_distance(*each) for each in both)
            for both in (pairs.values(), [(logits, expected) for logits in noisy])
        )
    line = f"{name} by {worst[name]:.1e}, rounding makes {noise:.1e}"
    # Other classes alone explain nothing: distances must be alike, too.
    explained = worst[name] <= _ROUNDING * noise and far <= _ROUNDING * noisy_far
    return Found(Outcome.ROUNDING if explained else Outcome.DIFFERENCE, line)


def _difference(logits: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative above 1; infinite for another class."""
    wide, other = expected.astype(np.float64), logits.astype(np.float64)
    # Of classes that are as likely, but for fp32 rounding, either may be the first.
    chosen = wide[np.arange(len(wide)), other.argmax(axis=1)]
    lost = wide.max(axis=1) - chosen > _NEAR_TIE * np.abs(wide).max(axis=1)
    return np.inf if lost.any() else _distance(logits, expected)


def _distance(logits: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, as a share of the largest logit where that is above 1."""
    wide, other = expected.astype(np.float64), logits.astype(np.float64)
    unit = max(1.0, float(np.abs(wide).max(initial=0.0)))
    return float(np.nan_to_num(np.abs(wide - other) / unit, nan=np.inf).max(initial=0.0))


def _needed(path: Path) -> int:
    with safe_open(path, framework="np") as file:
        return needed_bytes(header.parse(file.metadata()["sgq_auto"]))


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
