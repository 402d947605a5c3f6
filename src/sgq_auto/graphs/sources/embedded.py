"""Cora without a download: the citation graph that ships inside the graphdatascience wheel."""

import importlib.util
from pathlib import Path

import numpy as np
import pyarrow.parquet
import scipy.sparse

from sgq_auto.errors import InputError
from sgq_auto.graphs.raw_graph import RawGraph

# The files hold numbers; these are their meanings in serialize_cora.py, the package's script that
# wrote the files.
_SUBJECTS = (
    "Neural_Networks",
    "Rule_Learning",
    "Reinforcement_Learning",
    "Probabilistic_Methods",
    "Theory",
    "Genetic_Algorithms",
    "Case_Based",
)


class EmbeddedCora:
    """Cora's 2,708 papers, 1,433 words and 5,429 citations, read as undirected edges.

    The files are read directly; the package itself (Apache-2.0) is not imported, since its loader
    wants a database.
    """

    def load(self) -> RawGraph:
        """Read the two parquet files.

        Raises:
            InputError: If the installed package does not contain them.
        """
        folder = self._folder()
        nodes = pyarrow.parquet.read_table(folder / "cora_nodes.parquet.gzip")
        citations = pyarrow.parquet.read_table(folder / "cora_rels.parquet.gzip")
        ids = nodes["nodeId"].to_numpy()
        words = nodes["features"].combine_chunks()
        x = words.flatten().to_numpy().reshape(len(ids), -1)
        by_id = np.argsort(ids)
        ends = [
            by_id[np.searchsorted(ids, citations[column].to_numpy(), sorter=by_id)]
            for column in ("sourceNodeId", "targetNodeId")
        ]
        edges = np.stack(ends).astype(np.int64)
        return RawGraph(
            name="embedded_cora",
            x=scipy.sparse.csr_matrix(x, dtype=np.float32),
            edge_index=np.concatenate([edges, edges[::-1]], axis=1),
            y=nodes["subject"].to_numpy().astype(np.int64),
            class_names=_SUBJECTS,
        )

    @staticmethod
    def _folder() -> Path:
        spec = importlib.util.find_spec("graphdatascience")
        folder = Path(spec.origin).parent / "resources" / "cora" if spec and spec.origin else None
        if folder is None or not folder.is_dir():
            raise InputError(
                "dataset=embedded_cora: the package graphdatascience with its resources/cora "
                "files is missing; run: pip install 'graphdatascience<3'"
            )
        return folder
