"""A graph that no model saw: models trained on Twitch's German users predict the English ones.

Whether a user streams for adults (``mature``), from 3,170 features of games, places and habits
(Rozemberczki et al. 2021, "Multi-scale Attributed Node Embedding"). Four fifths of the German users
train, one fifth validates, and all 7,126 English ones are tested; the search never reads their
graph. Drops are points of ROC-AUC from full precision, of the one model that is shipped. The file
has weights, scales and ranges. ``resident`` counts the larger graph too, which a device must hold
to predict it: edges, features, and all embeddings.

Needs ``SGQ_AUTO_DATA``, a folder with ``Twitch/`` in it.
"""

import csv
import json
import os
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected

from report import Row, arguments, finish
from sgq_auto.models import GCN, SAGE
from shipped_model import searched, shipped_row

_MODELS = {"SAGE": SAGE, "GCN": GCN}
_FEATURES = 3170


def main() -> None:
    """A row for each model."""
    options = arguments(__doc__)
    warnings.simplefilter("ignore")
    folder = Path(os.environ["SGQ_AUTO_DATA"]) / "Twitch"
    names = ["SAGE"] if options.quick else list(_MODELS)
    graphs = two_countries(folder)
    finish([_row(name, graphs, quick=options.quick) for name in names], options.json)


def two_countries(folder: Path) -> list[Data]:
    """The German graph, which trains and validates, and the English one, which is tested."""
    seen, unseen = (_country(folder / name) for name in ("DE", "ENGB"))
    draw = np.random.default_rng(0).permutation(seen.num_nodes)
    validated = len(draw) // 5
    _split(seen, train=draw[validated:], val=draw[:validated], test=draw[:0])
    _split(unseen, train=draw[:0], val=draw[:0], test=np.arange(unseen.num_nodes))
    return [seen, unseen]


def _split(data: Data, **parts: np.ndarray) -> None:
    for name, nodes in parts.items():
        mask = torch.zeros(data.num_nodes, dtype=torch.bool)
        mask[torch.from_numpy(nodes)] = True
        data[f"{name}_mask"] = mask


def _country(folder: Path) -> Data:
    listed = json.loads((folder / "features.json").read_text())
    with (folder / "target.csv").open(newline="") as file:
        mature = {int(row["new_id"]): row["mature"] == "True" for row in csv.DictReader(file)}
    edges = np.loadtxt(folder / "edges.csv", dtype=np.int64, delimiter=",", skiprows=1).T
    y = torch.tensor([int(mature[node]) for node in range(len(listed))])
    return Data(x=_features(listed), y=y, edge_index=to_undirected(torch.from_numpy(edges)))


def _features(listed: dict[str, list[int]]) -> Tensor:
    rows = [(int(node), column) for node, columns in listed.items() for column in set(columns)]
    index = torch.tensor(rows).T
    shape = (len(listed), _FEATURES)
    return torch.sparse_coo_tensor(index, torch.ones(len(rows)), shape).to_dense()


def _row(name: str, graphs: list[Data], *, quick: bool) -> Row:
    with searched(_MODELS[name], graphs, 16, quick=quick, metric="roc_auc") as found:
        return {"model": name} | shipped_row(found.summary)


if __name__ == "__main__":
    main()
