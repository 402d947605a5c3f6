"""Several labels a node: how far a protein graph with weighted edges is compressed, at what cost.

HumanGo (3,106 proteins, 14 labels of which a protein may have several, 32 features, edges with 21
scores each; Zhao et al. 2023, "Multi-label Node Classification On Graph-Structured Data"). An edge
weighs what the highest of its scores is. The split is the one that comes with the data. Drops are
points of macro average precision from full precision, of the one model that is shipped; ratios are
against what PyG holds in fp32, and against fp32 with int32 CSR.

Needs ``SGQ_AUTO_DATA``, a folder with ``HumanGo/`` in it.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data
from torch_geometric.utils import remove_self_loops, to_undirected

from report import Row, arguments, finish
from sgq_auto.models import GCN, SAGE
from shipped_model import searched, shipped_row

_MODELS = {"GCN": GCN, "SAGE": SAGE}


def main() -> None:
    """A row for each model."""
    options = arguments(__doc__)
    warnings.simplefilter("ignore")
    folder = Path(os.environ["SGQ_AUTO_DATA"]) / "HumanGo"
    names = ["GCN"] if options.quick else list(_MODELS)
    finish([_row(name, human_go(folder), quick=options.quick) for name in names], options.json)


def human_go(folder: Path) -> Data:
    """The graph, with the data's own split as masks."""
    x, y = (_table(folder / f"{name}.csv") for name in ("features", "labels"))
    edges = np.loadtxt(folder / "edge_list.csv", delimiter=",", skiprows=1)
    ends = torch.from_numpy(edges[:, :2].T.astype(np.int64))
    weights = torch.from_numpy(edges[:, 2:].max(axis=1).astype(np.float32))
    edge_index, edge_weight = to_undirected(*remove_self_loops(ends, weights), reduce="max")
    split = torch.load(folder / "split.pt", weights_only=True)
    masks = {name: torch.zeros(len(y), dtype=torch.bool) for name in split}
    for name, nodes in split.items():
        masks[name][torch.as_tensor(nodes).long()] = True
    return Data(x=x, y=y, edge_index=edge_index, edge_weight=edge_weight, **masks)


def _row(name: str, data: Data, *, quick: bool) -> Row:
    if name == "SAGE":
        data = data.clone()
        data.edge_weight = None  # Its layers read none.
    with searched(_MODELS[name], data, 64, quick=quick) as found:
        return {"model": name} | shipped_row(found.summary)


def _table(path: Path) -> torch.Tensor:
    return torch.from_numpy(np.loadtxt(path, delimiter=",", dtype=np.float32))


if __name__ == "__main__":
    main()
