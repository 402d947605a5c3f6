"""Models of graphs are probed, copied and given their sizes with a batch."""

import json
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg

from many_graphs import drawn
from sgq_auto.searching.own_model.computation_probe import probe
from sgq_auto.searching.own_model.lazy_layers import initialise


class _NeedsBatch(nn.Module):
    """Cannot run without a batch."""

    def __init__(self, features: int = 7, factor: float = 1.0) -> None:
        super().__init__()
        self.conv, self.factor = pyg.SAGEConv(features, 4), factor
        self.lin = pyg.Linear(-1, 2) if features < 0 else nn.Linear(4, 2)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        graphs = int(batch.max()) + 1
        pooled = torch.zeros(graphs, 4, dtype=x.dtype)
        pooled = pooled.index_add_(0, batch, self.conv(x, edge_index))
        out: Tensor = self.lin(pooled * self.factor)
        return out


def _computed(**options: Any) -> Any:
    graph = drawn().prepared().graph
    return json.loads(probe(lambda: _NeedsBatch(**options), graph))[1]


def test_what_a_model_of_graphs_computes_is_part_of_what_it_is() -> None:
    assert _computed() is not None
    assert _computed() == _computed() != _computed(factor=2.0)


def test_layers_learn_their_sizes_where_a_model_needs_a_batch() -> None:
    model = _NeedsBatch(-1)
    initialise(model, drawn().prepared().graph)
    assert model.conv.lin_l.weight.shape == (4, 7)
    assert model.lin.weight.shape == (2, 4)
