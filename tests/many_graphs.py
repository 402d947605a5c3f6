"""Several graphs as one block-diagonal one, drawn or read from TU files; models that pool them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse
import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from sgq_auto.graphs import BucketSettings, PreparedData, RawGraph, Split, prepare_graph
from sgq_auto.graphs.labels.labelled_nodes import LabelledNodes
from sgq_auto.task import Task

Array = npt.NDArray[np.int64]
Pool = Callable[..., Tensor]


@dataclass(frozen=True, eq=False)
class Graphs:
    """Graphs as users have them.

    Attributes:
        x: fp32 ``[N, F]``.
        edge_index: ``[2, E]``.
        graph_of_node: ``[N]``.
        labels: ``[graphs]``.
    """

    x: npt.NDArray[np.float32]
    edge_index: Array
    graph_of_node: Array
    labels: Array

    @property
    def num_graphs(self) -> int:
        """How many they are."""
        return self.labels.size

    def prepared(self, task: Task = Task.GRAPH_CLASSIFICATION) -> PreparedData:
        """The graphs laid out for training, four fifths of them to train on."""
        nodes, classes = np.arange(len(self.x)), int(self.labels.max()) + 1
        thirds = Split(nodes[::3], nodes[1::3], nodes[2::3])
        x = scipy.sparse.csr_matrix(self.x)
        raw = RawGraph("graphs", x, self.edge_index, nodes // 3 % classes, thirds)
        data = prepare_graph(raw, thirds, BucketSettings(), normalize_rows=False)
        graph = data.graph
        numbers, labels = torch.arange(self.num_graphs), torch.from_numpy(self.labels)
        train, val = numbers % 5 != 0, numbers % 5 == 0
        return replace(
            data,
            graph=replace(
                graph,
                task=task,
                graph_of_node=torch.from_numpy(self.graph_of_node)[graph.node_order],
                train=LabelledNodes(numbers[train], labels[train]),
                val=LabelledNodes(numbers[val], labels[val]),
            ),
        )

    def only(self, number: int) -> "Graphs":
        """One of them, its nodes counted from 0."""
        nodes = np.flatnonzero(self.graph_of_node == number)
        kept = np.isin(self.edge_index[0], nodes)
        edges = np.searchsorted(nodes, self.edge_index[:, kept])
        own = self.labels[number : number + 1]
        return Graphs(self.x[nodes], edges, np.zeros(nodes.size, dtype=np.int64), own)


def drawn(count: int = 12, features: int = 7, seed: int = 0, largest: int = 14) -> Graphs:
    """Random undirected graphs of 2 to ``largest`` nodes, of two classes."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, largest + 1, count)
    ends = []
    for start, size in zip(np.cumsum(sizes) - sizes, sizes, strict=True):
        source, target = rng.integers(0, size, (2, 2 * size)) + start
        ends.append(np.stack([source, target])[:, source != target])
    edges = np.concatenate(ends, axis=1)
    x = rng.normal(size=(int(sizes.sum()), features)).astype(np.float32)
    x[rng.random(x.shape) < 0.6] = 0
    x[:, 0] = 1
    both = np.unique(np.concatenate([edges, edges[::-1]], axis=1), axis=1)
    return Graphs(x, both, np.repeat(np.arange(count), sizes), np.arange(count) % 2)


def tu(folder: Path) -> Graphs:
    """The graphs of a TU raw folder, node labels one-hot."""
    name = folder.parent.name

    def numbers(part: str) -> Array:
        lines = (folder / f"{name}_{part}.txt").read_text().replace(",", " ").split()
        return np.array(lines, dtype=np.int64)

    edges = numbers("A").reshape(-1, 2).T - 1
    labels, found = numbers("node_labels"), np.unique(numbers("node_labels"))
    x = (labels[:, None] == found).astype(np.float32)
    of_graphs = np.unique(numbers("graph_labels"), return_inverse=True)[1]
    return Graphs(x, edges[::-1].copy(), numbers("graph_indicator") - 1, of_graphs)


def moved_statistics(model: nn.Module) -> None:
    """Give batch norms means and variances that are not those they start with."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d) and module.running_mean is not None:
            module.running_mean.uniform_(-0.5, 0.5, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)


POOLS: dict[str, Pool] = {
    "sum": pyg.global_add_pool,
    "mean": pyg.global_mean_pool,
    "max": pyg.global_max_pool,
}


def _conv(kind: str, inputs: int, outputs: int) -> nn.Module:
    match kind:
        case "gin":
            network = nn.Sequential(
                *(nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()),
                nn.Linear(outputs, outputs),
            )
            return pyg.GINConv(network, train_eps=True)
        case "gat":
            return pyg.GATConv(inputs, outputs // 2, heads=2)
        case "sage":
            return pyg.SAGEConv(inputs, outputs)
        case _:
            return pyg.GCNConv(inputs, outputs)


class PooledNet(nn.Module):
    """Two convolutions, pooled, and an MLP over graphs with a batch norm and dropout."""

    def __init__(self, kind: str, pool: Pool, features: int, classes: int = 2) -> None:
        super().__init__()
        self.conv1, self.conv2 = _conv(kind, features, 8), _conv(kind, 8, 8)
        self.pool = pool
        self.lin1, self.norm, self.lin2 = nn.Linear(8, 6), nn.BatchNorm1d(6), pyg.Linear(6, classes)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        x = self.conv1(x, edge_index).relu()
        x = self.pool(self.conv2(x, edge_index).relu(), batch)
        x = self.norm(self.lin1(x)).relu()
        x = nn.functional.dropout(x, 0.5, training=self.training)
        out: Tensor = self.lin2(x)
        return out


class EveryLayer(nn.Module):
    """Each of three layers is pooled; what is pooled is added up or put side by side (GIN)."""

    def __init__(
        self, kind: str, pool: Pool, features: int, classes: int = 2, *, add: bool = False
    ) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_conv(kind, i, 8) for i in (features, 8, 8))
        self.norms = nn.ModuleList(nn.BatchNorm1d(8) for _ in range(3))
        self.pool, self.add = pool, add
        self.lin = nn.Linear(8 if add else 24, classes)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor | None = None) -> Tensor:
        pooled = []
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(conv(x, edge_index)).relu()
            pooled.append(self.pool(x, batch))
        read = pooled[0] + pooled[1] + pooled[2] if self.add else torch.cat(pooled, dim=1)
        out: Tensor = self.lin(read)
        return out


class OwnReadouts(nn.Module):
    """A head for each layer, also for the features; the heads' outputs are added (GIN's paper)."""

    def __init__(self, kind: str, pool: Pool, features: int, classes: int = 2) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_conv(kind, i, 8) for i in (features, 8))
        self.heads = nn.ModuleList(nn.Linear(i, classes) for i in (features, 8, 8))
        self.pool = pool

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        out = self.heads[0](self.pool(x, batch))
        for conv, head in zip(self.convs, list(self.heads)[1:], strict=True):
            x = conv(x, edge_index).relu()
            out = out + head(self.pool(x, batch))
        return out  # type: ignore[no-any-return]


class OfData(nn.Module):
    """A forward pass of one ``data``, pooled by modules of aggregation, side by side."""

    def __init__(self, features: int, classes: int = 2) -> None:
        super().__init__()
        self.conv = pyg.SAGEConv(features, 8)
        self.sum, self.max = pyg.SumAggregation(), pyg.MaxAggregation()
        self.mean = pyg.MeanAggregation()
        self.lin = nn.Linear(24, classes)

    def forward(self, data: Any) -> Tensor:
        x = self.conv(data.x, data.edge_index).tanh()
        pooled = [pool(x, data.batch) for pool in (self.sum, self.mean, self.max)]
        out: Tensor = self.lin(torch.cat(pooled, dim=-1))
        return out
