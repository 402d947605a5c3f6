"""Node classification graphs of the Open Graph Benchmark (Hu et al. 2020), from their raw files."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw_graph import UNLABELLED, RawGraph, Split

_RAW = ("edge", "node-feat", "node-label")
_SPLITS = ("train", "valid", "test")


class OgbSource:
    """Reads ``ROOT/ogbn_arxiv/raw/*.csv.gz`` and ``split/NAME/*.csv.gz``, where ``ogb`` puts them.

    Args:
        name: The dataset's name, like ``ogbn-arxiv``.
        root: The data root.
        split: Name of its split, like ``time``.
        undirected: Whether an edge joins both ways, as in OGB's own examples.
    """

    def __init__(self, name: str, root: str, split: str, *, undirected: bool) -> None:
        self.name = name
        self.folder = Path(root) / name.replace("-", "_")
        self.split = split
        self.undirected = undirected

    def load(self) -> RawGraph:
        """Read the files, with the data's own split; none is downloaded.

        Raises:
            InputError: If a file is missing or damaged, with where to get it.
        """
        edges, x, y = (self._read(Path("raw") / f"{part}.csv.gz") for part in _RAW)
        train, val, test = (
            self._read(Path("split") / self.split / f"{p}.csv.gz").ravel().astype(np.int64)
            for p in _SPLITS
        )
        edge_index = edges.T.astype(np.int64)
        if self.undirected:
            edge_index = np.concatenate([edge_index, edge_index[::-1]], axis=1)
        return RawGraph(
            name=self.name,
            x=x.astype(np.float32),
            edge_index=edge_index,
            y=np.where(np.isnan(y), UNLABELLED, y).astype(np.int64).ravel(),
            split=Split(train, val, test, f"the data's own ({self.split})"),
        )

    def _read(self, file: Path) -> np.ndarray[Any, Any]:
        path = self.folder / file
        if not path.is_file():
            archive = self.name.removeprefix("ogbn-")
            raise InputError(
                f"dataset {self.name}: there is no {path}; unpack "
                f"http://snap.stanford.edu/ogb/data/nodeproppred/{archive}.zip as {self.folder}, "
                "or set data_root= or SGQ_AUTO_DATA to a folder that has it"
            )
        try:
            return np.asarray(pd.read_csv(path, header=None))
        except (ValueError, OSError, EOFError, zlib.error) as error:
            raise InputError(f"dataset {self.name}: {path} cannot be read ({error})") from error
