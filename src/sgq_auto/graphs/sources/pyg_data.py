"""From PyG's ``Data`` to a graph, and what of it is not supported."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data, HeteroData

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw import MASKS, RawGraph, Split, refuse_edge_values

_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def graph_of_data(data: object, name: str) -> RawGraph:
    """The graph of a ``Data`` for node classification, or of what its ``to_dict()`` gives.

    Args:
        data: ``x`` ``[N, F]`` (dense or a sparse tensor), ``edge_index`` ``[2, E]``, ``y`` ``[N]``
            or ``[N, 1]`` integers (-1 where a node has no class), and optionally ``train_mask``,
            ``val_mask``, ``test_mask`` ``[N]`` and ``class_names``, a string a class.
        name: What messages and the graph are called.

    Raises:
        InputError: If something is missing or not supported; one line that says so.
    """
    if isinstance(data, HeteroData):
        raise InputError(
            f"{name}: a HeteroData; nodes and edges of one kind are supported: "
            "data.to_homogeneous() joins kinds whose features are alike"
        )
    if isinstance(data, Batch) or not isinstance(data, Data | Mapping):
        raise InputError(
            f"{name}: a {type(data).__name__}; it must be the Data of one graph, like dataset[0]"
        )
    fields: Mapping[str, Any] = data.to_dict() if isinstance(data, Data) else data
    fields = {key: value for key, value in fields.items() if value is not None}
    refuse_edge_values(fields, name, "remove it: data.{} = None")
    return RawGraph(
        name=name,
        x=_features(fields, name),
        edge_index=_edge_index(fields, name),
        y=_classes(fields, name),
        split=_split(fields, name),
        class_names=_class_names(fields, name),
    )


def _tensor(fields: Mapping[str, Any], key: str, name: str, advice: str) -> Tensor:
    value = fields.get(key)
    if not isinstance(value, Tensor):
        what = f"no {key}" if value is None else f"{key} is a {type(value).__name__}, no tensor"
        raise InputError(f"{name}: {what}; {advice}")
    return value.detach().cpu()


def _features(fields: Mapping[str, Any], name: str) -> Any:
    advice = "give features x [N, F]; where there are none, T.OneHotDegree makes some"
    x = _tensor(fields, "x", name, advice)
    if x.layout == torch.strided:
        return x.to(torch.float32).numpy()
    coo = x.to_sparse_coo().coalesce()
    values, (rows, columns) = coo.values().to(torch.float32).numpy(), coo.indices().numpy()
    return scipy.sparse.csr_matrix((values, (rows, columns)), shape=tuple(coo.shape))


def _edge_index(fields: Mapping[str, Any], name: str) -> Any:
    advice = "give edge_index [2, E]"
    if "adj_t" in fields:
        advice = "give edge_index [2, E] in place of adj_t: leave T.ToSparseTensor out"
    edges = _tensor(fields, "edge_index", name, advice)
    if edges.dtype not in _INTEGERS:
        raise InputError(f"{name}: edge_index has dtype {edges.dtype}; it must be integer")
    return edges.as_subclass(Tensor).to(torch.int64).numpy()


def _classes(fields: Mapping[str, Any], name: str) -> Any:
    y = _tensor(fields, "y", name, "give classes y [N]")
    if y.dim() == 2 and y.size(1) == 1:
        y = y.squeeze(1)
    if y.dim() == 2:
        raise InputError(
            f"{name}: y has shape {tuple(y.shape)}; a node has one class, [N] (multi-label "
            "classification is not supported)"
        )
    if y.dtype not in _INTEGERS:
        raise InputError(
            f"{name}: y has dtype {y.dtype}; classes are integers (regression is not supported)"
        )
    return y.to(torch.int64).numpy()


def _split(fields: Mapping[str, Any], name: str) -> Split | None:
    given = [key for key in MASKS if key in fields]
    if not given:
        return None
    masks = []
    for key in MASKS:
        mask = _tensor(fields, key, name, f"{given[0]} is there: give all three masks, or none")
        if mask.dim() == 2:
            raise InputError(
                f"{name}: {key} has shape {tuple(mask.shape)}, several splits; choose one: "
                f"data.{key} = data.{key}[:, 0]"
            )
        if mask.dtype != torch.bool or mask.shape != fields["y"].shape[:1]:
            raise InputError(
                f"{name}: {key} is {mask.dtype} {tuple(mask.shape)}; it must be bool "
                f"({fields['y'].size(0)},)"
            )
        masks.append(mask.numpy())
    return Split.from_masks(*masks)


def _class_names(fields: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    names = fields.get("class_names")
    if names is None:
        return None
    if not isinstance(names, list | tuple | np.ndarray):
        raise InputError(f"{name}: class_names is {names!r:.40}; give a list, a string a class")
    return tuple(str(n) if isinstance(n, np.str_) else n for n in names)
