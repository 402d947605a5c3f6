"""Graphs that PyTorch Geometric's own dataset classes read."""

from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from torch_geometric.datasets import Amazon, Coauthor, Planetoid, Reddit

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw_graph import RawGraph, Split
from sgq_auto.graphs.sources.pyg.raw_files import has_files, scratch_root


class PygFamily(StrEnum):
    """Families of datasets; each is a folder under the data root."""

    PLANETOID = "Planetoid"
    AMAZON = "Amazon"
    COAUTHOR = "Coauthor"
    REDDIT = "Reddit"


class PygSource:
    """A PyG dataset under ``root``, in the folders that PyG makes: ``Planetoid/Cora/raw``.

    Only missing raw files are written there (downloaded); the processed form goes to a temporary
    folder, so that the data root may be read-only and never goes stale.

    Args:
        family: ``Planetoid``, ``Amazon``, ``Coauthor`` or ``Reddit``.
        name: The dataset's name inside the family, like ``Cora``; unused for Reddit.
        root: The data root.
    """

    def __init__(self, family: str, name: str, root: str) -> None:
        if family not in list(PygFamily):
            choices = ", ".join(PygFamily)
            raise InputError(f"dataset.source.family={family}: choose one of {choices}")
        self.family = PygFamily(family)
        self.name = name
        self.root = Path(root)

    @property
    def raw_folder(self) -> Path:
        """Where PyG keeps the raw files of this dataset, and downloads them to."""
        family = self.root / self.family
        return (family if self.family is PygFamily.REDDIT else family / self.name) / "raw"

    def load(self) -> RawGraph:
        """Load the graph, downloading its raw files if they are missing."""
        data = self._read()
        split = None
        if "train_mask" in data:
            masks = (data.train_mask, data.val_mask, data.test_mask)
            split = Split.from_masks(*(mask.numpy() for mask in masks))
        return RawGraph(
            name=self.name,
            x=data.x.numpy(),
            edge_index=data.edge_index.numpy(),
            y=data.y.numpy().astype(np.int64),
            split=split,
        )

    def _read(self) -> Any:
        present = has_files(self.raw_folder)
        try:
            with scratch_root(self.root, self.raw_folder) as scratch:
                return self._dataset(scratch / self.family)[0]
        except Exception as error:
            if present:
                raise InputError(
                    f"dataset {self.name}: the files in {self.raw_folder} cannot be read "
                    f"({type(error).__name__}: {error}); remove them to download them again"
                ) from error
            raise InputError(
                f"dataset {self.name}: no files in {self.raw_folder} and the download failed "
                f"({type(error).__name__}); put {self._expected()} there, or set data_root= or "
                "SGQ_AUTO_DATA to a folder that has them, or use dataset=embedded_cora"
            ) from error

    def _dataset(self, root: Path) -> Any:
        match self.family:
            case PygFamily.PLANETOID:
                return Planetoid(str(root), self.name)
            case PygFamily.AMAZON:
                return Amazon(str(root), self.name)
            case PygFamily.COAUTHOR:
                return Coauthor(str(root), self.name)
            case PygFamily.REDDIT:
                return Reddit(str(root))

    def _expected(self) -> str:
        name = self.name.lower()
        match self.family:
            case PygFamily.PLANETOID:
                parts = "x, tx, allx, y, ty, ally, graph, test.index"
                return f"ind.{name}.{{{parts}}}"
            case PygFamily.AMAZON:
                return f"amazon_electronics_{name}.npz"
            case PygFamily.COAUTHOR:
                return f"ms_academic_{name}.npz"
            case PygFamily.REDDIT:
                return "reddit_data.npz and reddit_graph.npz"
