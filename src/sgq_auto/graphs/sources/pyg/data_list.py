"""From many of PyG's ``Data``, one for each graph, to the fields of one block-diagonal graph."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.data.separate import separate

from sgq_auto.errors import InputError
from sgq_auto.graphs.sources.edge_attributes import EDGE_VALUES
from sgq_auto.graphs.sources.split_fields import is_mask_name

# Where joined fields say which graph a node belongs to, as in PyG's batches.
GRAPH_OF_NODE = "batch"
_JOINED = ("x", "edge_index", "y", *EDGE_VALUES)


def listed_graphs(made: object) -> tuple[Sequence[object], Mapping[str, Any]] | None:
    """The graphs of what holds several, and what it says of all of them together.

    Read are a list of ``Data``; a ``Batch``; what ``InMemoryDataset.save`` writes; and a dictionary
    whose ``graphs`` are such a list, beside which a split and ``class_names`` may stand.

    Returns:
        ``None`` for what is no list of graphs.
    """
    if isinstance(made, Batch):
        return made.to_data_list(), {}
    if isinstance(made, Mapping) and isinstance(made.get("graphs"), list | tuple):
        return made["graphs"], {key: value for key, value in made.items() if key != "graphs"}
    if isinstance(made, tuple) and len(made) > 1 and isinstance(made[1], Mapping):
        return _collated(*made[:2]), {}
    return (made, {}) if isinstance(made, list | tuple) else None


def joined_fields(graphs: Sequence[object], name: str) -> dict[str, Any]:
    """The fields of all graphs as those of one, whose blocks they are.

    Args:
        graphs: A ``Data`` each, or its dictionary, all with features of one width.
        name: What messages call them.

    Returns:
        ``x``, ``edge_index``, ``y``, weights of edges and masks, each concatenated, and
        :data:`GRAPH_OF_NODE`, ``int64 [N]``. ``y`` has a row a graph where each graph has one.

    Raises:
        InputError: If one of them is no graph, or they do not go together; a line that names it.
    """
    if not graphs:
        raise InputError(f"{name}: a list without a graph; it must hold some")
    fields = [_fields(graph, number, name) for number, graph in enumerate(graphs)]
    first = fields[0]
    for number, own in enumerate(fields):
        missing = first.keys() ^ own.keys()
        if missing:
            key = min(missing)
            has, lacks = (0, number) if key in first else (number, 0)
            raise InputError(
                f"{name}: graph {has} has {key}, and graph {lacks} has none; all graphs must have "
                "the same fields"
            )
        _check(own, number, first, name)
    _check_labels(fields, name)
    joined: Batch = Batch.from_data_list([Data(**own) for own in fields])
    return {key: joined[key] for key in (*first, GRAPH_OF_NODE)}


def _collated(data: object, slices: Mapping[str, Any]) -> list[Data]:
    """The graphs of a dataset that is stored in one piece."""
    whole = Data.from_dict(dict(data)) if isinstance(data, Mapping) else data
    count = min(len(ends) for ends in slices.values()) - 1
    return [
        separate(cls=Data, batch=whole, idx=k, slice_dict=slices, decrement=False)
        for k in range(count)
    ]


def _fields(graph: object, number: int, name: str) -> dict[str, Any]:
    if not isinstance(graph, Data | Mapping):
        raise InputError(
            f"{name}: graph {number} is a {type(graph).__name__}; it must be PyG's Data"
        )
    given = graph.to_dict() if isinstance(graph, Data) else graph
    own = {k: v for k, v in given.items() if v is not None and (k in _JOINED or is_mask_name(k))}
    nodes = own["x"].size(0) if isinstance(own.get("x"), Tensor) else given.get("num_nodes")
    if nodes == 0:
        raise InputError(f"{name}: graph {number} has no node; leave it out")
    if "x" not in own and isinstance(nodes, int):
        own["num_nodes"] = nodes
    if "y" in own:
        y = torch.as_tensor(own["y"])
        own["y"] = y[None] if y.dim() == 0 else y
    return own


def _check(own: Mapping[str, Any], number: int, first: Mapping[str, Any], name: str) -> None:
    for key, value in own.items():
        if key == "num_nodes":
            continue
        if not isinstance(value, Tensor):
            raise InputError(
                f"{name}: {key} of graph {number} is a {type(value).__name__}; it must be a tensor"
            )
        # Edges are as many as a graph has; everything else has rows of one shape.
        same = value.dim() == first[key].dim() and value.shape[1:] == first[key].shape[1:]
        if key != "edge_index" and not same:
            raise InputError(
                f"{name}: {key} of graph {number} has shape {list(value.shape)}, that of graph 0 "
                f"{list(first[key].shape)}; a row must be as wide in all graphs"
            )
    edges, nodes = own.get("edge_index"), _num_nodes(own)
    if edges is not None and nodes is not None and edges.numel():
        least, largest = int(edges.min()), int(edges.max())
        if least < 0 or largest >= nodes:
            raise InputError(
                f"{name}: edge_index of graph {number} holds nodes {least} to {largest}; its "
                f"{nodes} nodes are 0 to {nodes - 1}"
            )


def _check_labels(fields: Sequence[Mapping[str, Any]], name: str) -> None:
    """Numbers of a graph that lie in a vector would be taken for those of as many graphs."""
    labels = [own["y"] for own in fields if "y" in own]
    counts = {len(y) for y in labels}
    if len(counts) != 1 or labels[0].dim() != 1 or counts == {1}:
        return
    (count,) = counts
    if any(_num_nodes(own) != count for own in fields):
        raise InputError(
            f"{name}: y of a graph has shape [{count}]; labels of nodes are one for each of its "
            f"nodes, and {count} numbers of a graph are a row, y [1, {count}]"
        )


def _num_nodes(own: Mapping[str, Any]) -> int | None:
    if own.get("num_nodes") is not None:
        return int(own["num_nodes"])
    return own["x"].size(0) if "x" in own else None
