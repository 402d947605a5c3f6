"""Graphs that PyTorch Geometric's own dataset classes read."""

import contextlib
import os
import shutil
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from torch_geometric.datasets import Amazon, Coauthor, Planetoid, Reddit

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw_graph import RawGraph, Split


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
        with tempfile.TemporaryDirectory(prefix="sgq-auto-") as scratch:
            folder = Path(scratch) / self.raw_folder.relative_to(self.root).parent
            folder.mkdir(parents=True)
            if self._has_files():
                (folder / "raw").symlink_to(self.raw_folder.resolve(), target_is_directory=True)
            data = self._read(Path(scratch), folder)
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

    def _has_files(self) -> bool:
        return self.raw_folder.is_dir() and any(self.raw_folder.iterdir())

    def _read(self, scratch: Path, folder: Path) -> Any:
        present = self._has_files()
        try:
            with (
                Path(os.devnull).open("w", encoding="utf-8") as quiet,
                contextlib.redirect_stderr(quiet),
            ):
                data = self._dataset(scratch / self.family)[0]
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
        if not present:
            self._keep(folder / "raw")
        return data

    def _keep(self, downloaded: Path) -> None:
        # A data root that cannot be written costs a second download, not the run.
        with contextlib.suppress(OSError):
            shutil.copytree(downloaded, self.raw_folder, dirs_exist_ok=True)

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
