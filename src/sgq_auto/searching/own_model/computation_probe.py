"""What a model computes, as text: it changes with whatever the model reads, files among it."""

import contextlib
import copy
import hashlib
import io
import json
import random
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from sgq_auto.graphs import Graph
from sgq_auto.quantize import TakesLogits, run_plain

_FEW_NODES = 16
# Graphs of such nodes, where a model predicts graphs.
_FEW_GRAPHS = 3
# Features, edges, their weights if they have some, and the batch of a model of graphs.
Inputs = tuple[Tensor, Tensor, Tensor | None, Tensor | None]
# Elements of the features of a probe: a model with rows for nodes is run on as many as it has.
_MOST_ELEMENTS = 20_000_000
_VALUES = 16
# Of the largest output: far above what two machines round differently.
_DIGITS = 4

Build = Callable[[], nn.Module]


def probe(build: Build, graph: Graph) -> str:
    """A text that two models share if they hold and compute the same.

    Parameters and buffers that do not depend on the seed (node2vec vectors, encodings) count with
    their values, others with their shapes. What the model computes is seen on a few nodes with
    made-up features, at inference and in training; a model that cannot run on those is only looked
    at. Random numbers of the process stay as they are.

    Args:
        build: Makes the untrained model.
        graph: The graph that it is made for.
    """
    with apart():
        held = _held(_seeded(build, 0), _seeded(build, 1))
        return json.dumps([held, _computed(build, graph)])


def said_of_output(model: nn.Module, graph: Graph) -> str | None:
    """What is taken of several tensors that a built model returns; ``None`` for one tensor."""
    takes = TakesLogits.of(model)
    with apart():
        for nodes in node_counts(graph):
            with contextlib.suppress(Exception):  # Of a model that needs another graph.
                inputs = made_up_inputs(nodes, graph.features.num_features, torch.float32, graph)
                run_plain(copy.deepcopy(model).eval(), *inputs)
                break
    return takes.said if takes else None


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Random states, warnings and prints of the models inside do not reach the outside."""
    states = random.getstate(), np.random.get_state()
    with (
        torch.random.fork_rng(devices=[]),
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


def seed_all(seed: int) -> None:
    """Seed the random numbers of torch, Python and numpy."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


def _seeded(build: Build, seed: int) -> nn.Module:
    seed_all(seed)
    return build()


def _held(one: nn.Module, other: nn.Module) -> str:
    """Hash of the tensors of a model: values where two seeds agree, shapes where not."""
    digest = hashlib.sha256()
    others = dict(_tensors(other))
    for name, tensor in _tensors(one):
        if isinstance(tensor, UninitializedParameter | UninitializedBuffer):
            digest.update(f"{name} {tensor.dtype}".encode())
            continue
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        twin = others.get(name)
        if twin is not None and torch.equal(tensor, twin):
            digest.update(_bytes(tensor))
    return digest.hexdigest()


def _tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from model.named_parameters()
    yield from model.named_buffers()


def _bytes(tensor: Tensor) -> Any:
    plain = tensor.detach().cpu()
    plain = plain.to_dense() if plain.layout is not torch.strided else plain
    return plain.contiguous().flatten().view(torch.uint8).numpy().data


def _computed(build: Build, graph: Graph) -> list[float] | None:
    """A few outputs, in the most exact way that the model can be run."""
    for nodes in node_counts(graph):
        for dtype in (torch.float64, torch.float32):
            try:
                once, again = (_outputs(build, nodes, dtype, graph) for _ in range(2))
            except Exception:  # Of a model that needs another graph, or has its own dtype.
                continue
            return once if once == again else None
    return None


def node_counts(graph: Graph) -> list[int]:
    """Numbers of nodes to try: few, then as many as the graph has, if those are not too many."""
    small = graph.num_nodes * graph.features.num_features <= _MOST_ELEMENTS
    return [_FEW_NODES, graph.num_nodes] if small else [_FEW_NODES]


def _outputs(build: Build, nodes: int, dtype: torch.dtype, graph: Graph) -> list[float]:
    num_features = graph.features.num_features
    values: list[float] = []
    for training in (False, True):
        model = _seeded(build, 0).to(dtype).train(training)
        seed_all(0)
        output = run_plain(model, *made_up_inputs(nodes, num_features, dtype, graph))
        values += _summary(output.detach().reshape(-1))
    return values


def made_up_inputs(nodes: int, num_features: int, dtype: torch.dtype, graph: Graph) -> Inputs:
    """Made-up features and a ring of nodes with chords, some of them one-way.

    With weights or features of the edges, if those of ``graph`` have some, and with a batch, if a
    model for it predicts graphs; as :func:`sgq_auto.quantize.run_plain` takes them.
    """
    node, feature = torch.arange(nodes)[:, None], torch.arange(num_features)[None]
    x = ((node * 31 + feature * 17) % 13).to(dtype) / 13
    ring = torch.arange(nodes)
    sources = torch.cat([ring, (ring + 1) % nodes, ring[::3]])
    targets = torch.cat([(ring + 1) % nodes, ring, (ring[::3] + 5) % nodes])
    edges = torch.stack([sources, targets])
    batch = ring * _FEW_GRAPHS // nodes if graph.task.predicts_graphs else None
    if graph.adj_t.weights is None:
        return x, edges, None, batch
    numbers = edges.size(1) * graph.adj_t.num_weights
    weights = (torch.arange(numbers) % 5 + 1).to(dtype) / 3
    return x, edges, weights.view(-1, *graph.adj_t.weights.shape[1:]), batch


def _summary(output: Tensor) -> list[float]:
    """A few values of an output, relative to the largest, rounded; then the largest itself."""
    largest = float(output.abs().max())
    picked = output[torch.linspace(0, output.numel() - 1, _VALUES).long()]
    scale = f"{largest:.{_DIGITS - 1}e}"
    return [*(round(float(v) / (largest or 1.0), _DIGITS) for v in picked), float(scale)]
