"""A PyG graph that the user has saved with ``torch.save``."""

import pickle
import re
import struct
from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import HeteroData
from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
from torch_geometric.data.storage import BaseStorage, EdgeStorage, GlobalStorage, NodeStorage

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw_graph import RawGraph
from sgq_auto.graphs.sources.pyg.data import graph_of_data

# What a Data is made of beside tensors. PyG allows Data itself; of a HeteroData's parts, so that
# it is refused by its name.
_SAFE = [DataEdgeAttr, DataTensorAttr, BaseStorage, GlobalStorage]
_SAFE += [HeteroData, NodeStorage, EdgeStorage]
_REFUSED = re.compile(r"GLOBAL (\S+)")
# What torch raises for files that hold more, are of another kind, cut short or damaged.
_UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    EOFError,
    OSError,
    struct.error,
    ValueError,
    LookupError,
)


class PygFileSource:
    """Reads a ``Data``, or the dictionary of its ``to_dict()``, from a file of ``torch.save``.

    Only tensors, plain Python values and PyG's own containers are read; a file that wants any
    other code to run is refused.

    Args:
        path: The file.
    """

    def __init__(self, path: str | None) -> None:
        if not path:
            raise InputError("dataset=pyg_file: no file given; add dataset.source.path=GRAPH.pt")
        self.path = Path(path)

    def load(self) -> RawGraph:
        """Read the file and convert what is in it."""
        if not self.path.is_file():
            raise InputError(f"dataset=pyg_file: there is no file {self.path}")
        return graph_of_data(self.read(), self.path.stem)

    def read(self) -> Any:
        """What is in the file, of plain values and PyG's containers.

        Raises:
            InputError: If it cannot be read without running code.
        """
        try:
            with torch.serialization.safe_globals(_SAFE):
                return torch.load(self.path, map_location="cpu", weights_only=True)
        except _UNREADABLE as error:
            refused = _REFUSED.search(str(error))
            reason = refused[1] if refused else type(error).__name__
            raise InputError(
                f"{self.path}: cannot be read ({reason}): tensors, numbers and strings are, and "
                "code from a file is not run; write it with torch.save(data.to_dict(), path), or "
                "write an npz file"
            ) from error
