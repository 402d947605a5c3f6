"""Graphs that a program holds as PyG's ``Data``."""

import numpy as np
from torch_geometric.data import Data

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw import RawGraph, Split

_MASKS = ("train_mask", "val_mask", "test_mask")


class DataSource:
    """A PyG ``Data`` with ``x``, ``edge_index``, ``y``, and masks if it has a split of its own.

    Args:
        data: The graph.
        name: What it is called in results.
    """

    def __init__(self, data: Data, name: str = "data") -> None:
        missing = [key for key in ("x", "edge_index", "y") if data.get(key) is None]
        if missing:
            raise InputError(f"{name}: the Data has no {missing[0]}; it needs x, edge_index and y")
        if data.get("edge_weight") is not None:
            raise InputError(f"{name}: the Data has edge_weight; edges must have no weights")
        self.data = data
        self.name = name

    def load(self) -> RawGraph:
        """The graph as arrays."""
        data = self.data
        masks = [data.get(key) for key in _MASKS]
        split = None
        if all(mask is not None for mask in masks):
            split = Split.from_masks(*(mask.cpu().numpy() for mask in masks))
        return RawGraph(
            name=self.name,
            x=data.x.detach().cpu().numpy(),
            edge_index=data.edge_index.cpu().numpy().astype(np.int64),
            y=data.y.cpu().numpy().astype(np.int64).reshape(-1),
            split=split,
        )
