"""From PyG's ``Data`` to a graph, and what of it is not supported."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import scipy.sparse
import torch
from torch import Tensor
from torch_geometric.data import Data, HeteroData

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw_graph import RawGraph
from sgq_auto.graphs.sources.class_numbers import GivenLabels
from sgq_auto.graphs.sources.degree_features import one_hot_degrees
from sgq_auto.graphs.sources.edge_attributes import EDGE_VALUES, taken_as, weights_among
from sgq_auto.graphs.sources.memory_needed import check_memory
from sgq_auto.graphs.sources.pyg.data_list import GRAPH_OF_NODE, joined_fields, listed_graphs
from sgq_auto.graphs.sources.split_fields import is_split_name, splits_of
from sgq_auto.graphs.sources.unread_arrays import first_dimension, left_out

_USED = ("x", "edge_index", "y", "class_names", "num_nodes", "name", *EDGE_VALUES)
_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def graph_of_data(data: object, name: str) -> RawGraph:
    """The graph of a ``Data``, of what its ``to_dict()`` gives, or of a list of these.

    Args:
        data: ``x`` ``[N, F]`` (dense or a sparse tensor), ``edge_index`` ``[2, E]``, ``y`` ``[N]``
            or ``[N, 1]`` whole numbers (-1 where a node has no class), or ``[N, L]`` 0 or 1 for
            each of several labels, or numbers to predict (NaN: none), and optionally a split
            (:mod:`~sgq_auto.graphs.sources.split_fields`), ``class_names``, a string a class, and
            weights of edges: ``edge_weight`` ``[E]``, or ``edge_attr`` of one column; or features
            of edges: ``edge_attr`` ``[E, columns]``.
        name: What messages and the graph are called.

    Raises:
        InputError: If something is missing or not supported; one line that says so.
    """
    fields, graph_of_node = _fields(data, name)
    weights, of_weights = weights_in(fields, name)
    edge_index = edges_in(fields, name)
    if "x" not in fields and graph_of_node is not None:
        x, of_x = _degrees(edge_index, graph_of_node.numel(), name)
    else:
        x, of_x = features_in(fields, name), []
    y = _numbers(_tensor(fields, "y", name, "give classes y [N]"))
    labels = GivenLabels.of(y, _class_names(fields, name), name, name)
    num_rows = int(labels.y.shape[0])
    given = splits_of(_split_arrays(fields), num_rows, name)
    unread = _left_out(fields, given.used, num_rows, edge_index.shape[-1], name)
    return RawGraph(
        name=name,
        x=x,
        edge_index=edge_index,
        y=labels.y,
        numbers=labels.numbers,
        split=given.single,
        splits=given.choices,
        class_names=labels.names,
        edge_weight=weights,
        graph_of_node=None if graph_of_node is None else graph_of_node.numpy().astype(np.int64),
        notes=(*of_x, *of_weights, *labels.notes, *unread),
    )


def _fields(data: object, name: str) -> tuple[dict[str, Any], Tensor | None]:
    """What is given of a graph by name; and the graph of each node, where data is a list."""
    if isinstance(data, HeteroData):
        raise InputError(
            f"{name}: a HeteroData; nodes and edges of one kind are supported: "
            "data.to_homogeneous() joins kinds whose features are alike"
        )
    if isinstance(data, tuple) and len(data) > 1 and data[1] is None:
        data = data[0]  # What InMemoryDataset.save writes of one graph.
    several = listed_graphs(data)
    if several is not None:
        graphs, shared = several
        fields: dict[str, Any] = {**joined_fields(graphs, name), **shared}
        return fields, fields.pop(GRAPH_OF_NODE, None)
    if isinstance(data, Data | Mapping):
        given = data.to_dict() if isinstance(data, Data) else data
        return {key: value for key, value in given.items() if value is not None}, None
    raise InputError(
        f"{name}: a {type(data).__name__}; it must be the Data of one graph, like dataset[0], "
        "or a list of them"
    )


def _left_out(
    fields: Mapping[str, Any], split: Collection[str], num_nodes: int, num_edges: int, name: str
) -> list[str]:
    sizes = {
        key: first_dimension(value)
        for key, value in fields.items()
        if key not in _USED and key not in split and not isinstance(value, str | int | float)
    }
    return left_out(sizes, num_nodes, num_edges, name)


def _split_arrays(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Fields with tensors as arrays, those in dictionaries among them."""

    def plain(value: Any) -> Any:
        if isinstance(value, Tensor):
            return _numbers(value.detach().cpu())
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return value

    return {key: plain(value) for key, value in fields.items() if is_split_name(key)}


def _numbers(tensor: Tensor) -> np.ndarray[Any, Any]:
    """A tensor as an array; of half precision, which NumPy lacks in part, as ``float32``."""
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _tensor(fields: Mapping[str, Any], key: str, name: str, advice: str) -> Tensor:
    value = fields.get(key)
    if not isinstance(value, Tensor):
        what = f"no {key}" if value is None else f"{key} is a {type(value).__name__}, no tensor"
        raise InputError(f"{name}: {what}; {advice}")
    # A tensor may be far larger than what is stored of it.
    if value.layout == torch.strided:
        check_memory(value.element_size() * value.numel(), f"{name}: {key}")
    return value.detach().cpu()


def features_in(fields: Mapping[str, Any], name: str) -> Any:
    """The features ``x`` among fields, dense or as a SciPy CSR matrix."""
    advice = "give features x [N, F]; where there are none, T.OneHotDegree makes some"
    x = _tensor(fields, "x", name, advice)
    if x.layout == torch.strided:
        return x.to(torch.float32).numpy()
    coo = x.to_sparse_coo().coalesce()
    values, (rows, columns) = coo.values().to(torch.float32).numpy(), coo.indices().numpy()
    return scipy.sparse.csr_matrix((values, (rows, columns)), shape=tuple(coo.shape))


def _degrees(edge_index: Any, num_nodes: int, name: str) -> tuple[Any, list[str]]:
    """Features of graphs that have none: the degrees of their nodes."""
    x = one_hot_degrees(edge_index, num_nodes)
    said = f"degrees, one column for each from 0 to {x.shape[1] - 1}"
    return x, [f"{name}: nodes have no features x: their features are their {said}"]


def edges_in(fields: Mapping[str, Any], name: str) -> Any:
    """``int64 [2, E]``, the edges among fields."""
    advice = "give edge_index [2, E]"
    if "adj_t" in fields:
        advice = "give edge_index [2, E] in place of adj_t: leave T.ToSparseTensor out"
    edges = _tensor(fields, "edge_index", name, advice)
    if edges.dtype not in _INTEGERS:
        raise InputError(f"{name}: edge_index has dtype {edges.dtype}; it must be integer")
    return edges.as_subclass(Tensor).to(torch.int64).numpy()


def weights_in(fields: Mapping[str, Any], name: str) -> tuple[Any, list[str]]:
    """Weights or features of the edges, if there are any, and what to say of them."""
    shapes = {}
    for key in EDGE_VALUES:
        if key in fields:
            advice = f"give numbers for each edge, or remove it: data.{key} = None"
            shapes[key] = tuple(_tensor(fields, key, name, advice).shape)
    taken = weights_among(shapes, name, "remove it: data.{} = None")
    if taken is None:
        return None, []
    weights = _numbers(_tensor(fields, taken, name, ""))
    return weights, [f"{name}: {taken} is taken for {taken_as(shapes[taken])}"]


def _class_names(fields: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    names = fields.get("class_names")
    if names is None:
        return None
    if not isinstance(names, list | tuple | np.ndarray):
        raise InputError(f"{name}: class_names is {names!r:.40}; give a list, a string a class")
    return tuple(str(n) if isinstance(n, np.str_) else n for n in names)
