"""What of a graph's arrays is not read, by name: values of edges, values of nodes."""

from collections.abc import Mapping
from typing import Any

from sgq_auto.graphs.first_lines import listed

_MOST = 50


def left_out(
    sizes: Mapping[str, int | None], num_nodes: int, num_edges: int, name: str
) -> list[str]:
    """Lines that name the arrays which are not used.

    Args:
        sizes: First dimension of each, ``None`` where it has none.
        num_nodes: Nodes of the graph.
        num_edges: Edges as the graph lists them.
        name: What the lines call the graph.
    """
    kinds: dict[str, list[str]] = {"edge": [], "node": [], "": []}
    for key, size in sizes.items():
        edge = size == num_edges and (size != num_nodes or "edge" in key)
        kinds["edge" if edge else "node" if size == num_nodes else ""].append(key)
    said = {
        "edge": "weights of edges are called edge_weight here and their features edge_attr, so "
        "this is not used, which is given for each edge: ",
        "node": "what is given for each node beside features and class is not used: ",
        "": "also not used: ",
    }
    return [f"{name}: {said[k]}{listed(keys, _MOST)}" for k, keys in kinds.items() if keys]


def first_dimension(value: Any) -> int | None:
    """Length of the first dimension of an array, a tensor or a list."""
    if isinstance(value, list | tuple):
        return len(value)
    shape = getattr(value, "shape", None)
    return int(shape[0]) if shape else None
