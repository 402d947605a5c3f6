"""Datasets of many small graphs from TUDataset (Morris et al. 2020), from their raw text files."""

from pathlib import Path
from typing import Any

from torch_geometric.datasets import TUDataset

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw_graph import RawGraph
from sgq_auto.graphs.sources.pyg.data import graph_of_data
from sgq_auto.graphs.sources.pyg.raw_files import has_files, scratch_root

_FAMILY = "TUDataset"


class TuSource:
    """A dataset of TUDataset under ``root``, in the folders that PyG makes.

    Only missing raw files are written there (downloaded). Labels of nodes are features, one column
    each, and so are labels of edges, for models that read features of edges. Nodes without labels
    have their degrees as features.

    Args:
        name: The dataset's name, like ``PROTEINS``.
        root: The data root; the files are in ``TUDataset/NAME/raw``.
        node_attributes: Whether the numbers that nodes have are features, too; they may differ in
            size, and are taken as they are.
        edge_attributes: Whether the numbers that edges have are features, too.
    """

    def __init__(
        self,
        name: str | None,
        root: str,
        *,
        node_attributes: bool = False,
        edge_attributes: bool = False,
    ) -> None:
        if not name:
            raise InputError("dataset=tu: no dataset named; add dataset.source.name=PROTEINS")
        self.name, self.root = name, Path(root)
        self.node_attributes = node_attributes
        self.edge_attributes = edge_attributes

    @property
    def raw_folder(self) -> Path:
        """Where PyG keeps the raw files of this dataset, and downloads them to."""
        return self.root / _FAMILY / self.name / "raw"

    def load(self) -> RawGraph:
        """Read the graphs, downloading their files if they are missing.

        Raises:
            InputError: If there are no files, or they cannot be read.
        """
        return graph_of_data(self._read(), self.name)

    def _read(self) -> list[Any]:
        present = has_files(self.raw_folder)
        try:
            with scratch_root(self.root, self.raw_folder) as scratch:
                folder = str(scratch / _FAMILY)
                own = self.node_attributes, self.edge_attributes
                graphs = TUDataset(folder, self.name, use_node_attr=own[0], use_edge_attr=own[1])
                return list(graphs)
        except Exception as error:
            what = f"({type(error).__name__}: {error})"
            if present:
                raise InputError(
                    f"dataset {self.name}: the files in {self.raw_folder} cannot be read {what}; "
                    f"there must be {self.name}_A.txt, {self.name}_graph_indicator.txt and "
                    f"{self.name}_graph_labels.txt"
                ) from error
            raise InputError(
                f"dataset {self.name}: no files in {self.raw_folder} and the download failed "
                f" ({type(error).__name__}); put {self.name}_A.txt and its other files there"
            ) from error
