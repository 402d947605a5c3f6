"""Whatever a ``_target_`` of the user's own gives, as a graph."""

from typing import Any

from torch_geometric.data import Data, Dataset

from sgq_auto.graphs.raw_graph import RawGraph
from sgq_auto.graphs.sources.pyg.data import graph_of_data
from sgq_auto.graphs.sources.source import GraphSource


def graph_of(made: object, name: str) -> RawGraph:
    """The graph that a function or class of ``dataset.source._target_`` has made.

    Args:
        made: A graph, PyG's ``Data`` or its dictionary, a PyG dataset of one graph, or an object
            whose ``load()`` gives one of these.
        name: What messages call it.

    Raises:
        InputError: If it is anything else, or a graph that is not supported.
    """
    if isinstance(made, RawGraph):
        return made
    # Before the protocol: a dataset has a load() of its own.
    if isinstance(made, Dataset):
        several = len(made) != 1
        return graph_of_data(list(made) if several else _with_split(made), name)
    if isinstance(made, GraphSource):
        return graph_of(made.load(), name)
    return graph_of_data(made, name)


def _with_split(made: Dataset) -> Any:
    """The graph of a dataset with the split that the dataset keeps beside it, as OGB's do."""
    data = made[0]
    if not callable(getattr(made, "get_idx_split", None)) or not isinstance(data, Data):
        return data
    return {**data.to_dict(), "split_idx": made.get_idx_split()}
