"""An undirected graph whose edges join any classes, and whose weights say which of them tell."""

import numpy as np
import torch
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected

_CLASSES, _FEATURES = 4, 16
_NEIGHBORS = 12
# Means of the logarithms of weights, inside a class and between two.
_INSIDE, _BETWEEN, _SPREAD = 0.7, -1.6, 0.5
_SIGNAL = 0.35


def weighted_graph(seed: int, nodes: int = 1200, *, weights: bool = True) -> Data:
    """The graph as PyG's ``Data``, with masks of 20 training and 30 validation nodes a class.

    Ends of edges are drawn whatever their classes are. A weight is log-normal, and larger where
    both ends are of one class: about ten times. Features tell a little of the class.

    Args:
        seed: What it is drawn with.
        nodes: Number of nodes.
        weights: Whether the weights are given; the graph is the same without.
    """
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(nodes) % _CLASSES)
    source, target = rng.integers(nodes, size=(2, nodes * _NEIGHBORS // 2))
    apart = source != target
    source, target = source[apart], target[apart]
    means = np.where(y[source] == y[target], _INSIDE, _BETWEEN)
    drawn = torch.from_numpy(np.exp(rng.normal(means, _SPREAD)).astype(np.float32))
    edges = torch.from_numpy(np.stack([source, target]))
    edges, both = to_undirected(edges, drawn, num_nodes=nodes)
    centres = rng.normal(size=(_CLASSES, _FEATURES))
    x = _SIGNAL * centres[y] + rng.normal(size=(nodes, _FEATURES))
    data = Data(x=torch.from_numpy(x.astype(np.float32)), edge_index=edges, y=torch.from_numpy(y))
    if weights:
        data.edge_weight = both
    places = np.empty(nodes, dtype=np.int64)
    for k in range(_CLASSES):
        of_class = np.flatnonzero(y == k)
        places[of_class] = np.arange(of_class.size)
    for name, first, last in (("train", 0, 20), ("val", 20, 50), ("test", 50, nodes)):
        data[f"{name}_mask"] = torch.from_numpy((places >= first) & (places < last))
    return data
