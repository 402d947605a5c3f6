"""A model that is made and trained already: what it was made with, and whether that is all."""

import copy
import inspect
from collections.abc import Mapping
from itertools import starmap
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from sgq_auto.errors import InputError
from sgq_auto.graphs import PreparedData
from sgq_auto.quantize import TakesLogits, run_plain
from sgq_auto.searching.own_model.computation_probe import (
    Inputs,
    apart,
    made_up_inputs,
    node_counts,
    seed_all,
)

# Largest difference of two outputs that are the same, relative to the largest (at least 1).
_TOLERANCE = 1e-5
# PyG's models read dense features: larger ones than 1 GiB are not made.
_MOST_FEATURES = 1 << 28
# Of a tensor that a model keeps as what it was made with, like a histogram of degrees.
_MOST_VALUES = 10_000
# What layers of PyG keep of the edges that they saw.
_CACHES = ("_cached_edge_index", "_cached_adj_t", "_cached_x")
_NONE = object()


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside ``torch.compile`` and ``DataParallel``."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(
            model, nn.DataParallel | nn.parallel.DistributedDataParallel
        ):
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner


def arguments_of(model: nn.Module, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a model was made with, by its attributes that are called like arguments of its class.

    Arguments without such an attribute are left out: their defaults, or the sizes of the graph, may
    be right, which :func:`check_rebuilt` finds out.

    Args:
        model: The model.
        given: Arguments that are known; they come first.
    """
    parameters = inspect.signature(type(model)).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found = {p.name: _kept(model, p.name) for p in parameters if p.kind in named}
    return {**{name: value for name, value in found.items() if value is not _NONE}, **given}


def _kept(model: nn.Module, name: str) -> Any:
    """The plain value that a model keeps under a name; ``_NONE`` where it keeps none."""
    hparams = getattr(model, "hparams", None)  # Lightning's.
    places = [hparams] if isinstance(hparams, Mapping) else []
    for place in (*places, vars(model), model._buffers, model._modules):
        if name in place:
            return _plain(place[name])
    return _NONE


def _plain(value: Any) -> Any:
    if isinstance(value, _DropoutNd):
        return value.p
    if isinstance(value, Tensor) and not value.is_complex() and value.numel() <= _MOST_VALUES:
        return value.detach().cpu().tolist()
    if isinstance(value, Mapping):
        parts = {key: _plain(part) for key, part in value.items()}
        return _NONE if any(part is _NONE for part in parts.values()) else parts
    if isinstance(value, list | tuple):
        members = [_plain(part) for part in value]
        return _NONE if any(part is _NONE for part in members) else members
    known = value is None or isinstance(value, bool | int | float | str)
    return value if known else _NONE


def check_rebuilt(given: nn.Module, rebuilt: nn.Module, data: PreparedData) -> None:
    """Check that a model which was made anew computes what the given one does, in training too.

    Args:
        given: The user's own; it is copied, and not changed.
        rebuilt: A model of the same class with the same weights.
        data: The graph to run both on.

    Raises:
        InputError: If their outputs differ, or cannot be compared.
    """
    kind = type(given).__name__
    with apart():
        for inputs in _inputs(data):
            try:
                expected = _outputs(given, inputs, data.graph.num_classes)
            except Exception as error:  # It needs as many nodes as the graph has.
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                continue
            found = _outputs(rebuilt, inputs, data.graph.num_classes)
            if not _same(expected[0], found[0]):
                raise InputError(f"a {kind} made with that gives other outputs")
            again = _outputs(given, inputs, data.graph.num_classes)
            if _same(expected[1], again[1]) and not _same(expected[1], found[1]):
                raise InputError(
                    f"a {kind} made with that gives other outputs in training, as with another "
                    "dropout"
                )
            return
    raise InputError(f"{kind} cannot be copied and run as plain PyG on the graph ({reason:.200})")


def _inputs(data: PreparedData) -> list[Inputs]:
    """The graph in the user's order; made-up ones in place of a large one."""
    graph = data.graph
    if graph.num_nodes * graph.features.num_features > _MOST_FEATURES or data.edge_index is None:
        width = graph.features.num_features
        return [made_up_inputs(nodes, width, torch.float32, graph) for nodes in node_counts(graph)]
    x = torch.empty(graph.num_nodes, graph.features.num_features)
    x[graph.node_order] = graph.features.dense()
    weights = None if data.edge_weight is None else torch.from_numpy(data.edge_weight)
    batch = None
    if graph.task.predicts_graphs:
        batch = torch.zeros(graph.num_nodes, dtype=torch.int64)
        if graph.graph_of_node is not None:
            batch[graph.node_order] = graph.graph_of_node
    return [(x, torch.from_numpy(data.edge_index), weights, batch)]


def _outputs(model: nn.Module, inputs: Inputs, classes: int) -> list[Any]:
    """What a copy returns at inference and, always with the same random numbers, in training."""
    outputs = []
    for training in (False, True):
        copied = _copied(model).cpu().float().train(training)
        TakesLogits.attach(copied, classes)
        seed_all(0)
        x, edges, weights, batch = copy.deepcopy(inputs)
        outputs.append(run_plain(copied, x, edges, weights, batch))
    return outputs


def _copied(model: nn.Module) -> nn.Module:
    """A copy without what layers keep of an earlier pass."""
    kept = [value for module in model.modules() for value in vars(module).values()]
    # Tensors that a pass computed cannot be copied with their gradients.
    memo = {id(v): v.detach() for v in kept if isinstance(v, Tensor) and not v.is_leaf}
    copied = copy.deepcopy(model, memo)
    for module in copied.modules():
        for name in _CACHES:
            if getattr(module, name, None) is not None:
                setattr(module, name, None)
    return copied


def _same(one: Any, other: Any) -> bool:
    """Whether two outputs have the same tensors, as far as numbers tell."""
    pairs = list(zip(_tensors(one), _tensors(other), strict=False))
    return len(_tensors(one)) == len(_tensors(other)) and all(starmap(_close, pairs))


def _tensors(output: Any) -> list[Tensor]:
    if isinstance(output, Tensor):
        return [output]
    parts = output.values() if isinstance(output, Mapping) else output
    several = isinstance(output, Mapping | tuple | list)
    return [tensor for part in parts for tensor in _tensors(part)] if several else []


def _close(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    one, other = one.double().nan_to_num(), other.double().nan_to_num()
    if not one.numel():
        return True
    return float((one - other).abs().max() / other.abs().max().clamp(min=1)) <= _TOLERANCE
