"""What a packed model has for pooling, and what is said where it has nothing."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg
from torch_geometric.utils import degree

from many_graphs import PooledNet, drawn
from sgq_auto.packed.runtime.operations.pooling import Pool, Pooling
from sgq_auto.quantize import prepare, trace_model
from sgq_auto.training import predict


class _Spread(PooledNet):
    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        x = self.conv1(x, edge_index)
        x = self.conv2(x + pyg.global_mean_pool(x, batch)[batch], edge_index)
        out: Tensor = self.lin2(self.lin1(pyg.global_add_pool(x, batch)))
        return out


class _Centred(PooledNet):
    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        pooled = pyg.global_add_pool(self.conv1(x, edge_index).relu(), batch)
        out: Tensor = self.lin2(self.lin1(pooled - pooled.mean(0, keepdim=True)))
        return out


class _Smallest(PooledNet):
    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        out: Tensor = self.lin2(self.lin1(pyg.MinAggregation()(self.conv1(x, edge_index), batch)))
        return out


class _StatisticsOfGraphs(PooledNet):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.norm = nn.BatchNorm1d(6, track_running_stats=False)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (_Spread, "index after conv1: "),
        (_Centred, "mean after conv1: it reduces something else"),
        (_Smallest, "the packed runtime has no such operation"),
        (_StatisticsOfGraphs, "it takes its statistics from all graphs together"),
    ],
)
def test_what_cannot_be_packed_is_prepared_all_the_same(
    model: type[PooledNet], reason: str
) -> None:
    graph = drawn().prepared().graph
    prepared = prepare(model("gcn", pyg.global_add_pool, 7), graph)
    assert predict(prepared, graph).shape == (graph.num_graphs, 2)
    assert reason in trace_model(prepared, graph).unpackable


class _DividedSums(PooledNet):
    """Means as people write them: a sum over the degree of the batch."""

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        summed = pyg.global_add_pool(self.conv1(x, edge_index), batch)
        mean = summed / degree(batch).clamp(min=1).unsqueeze(1)
        out: Tensor = self.lin2(self.lin1(mean - torch.zeros_like(mean)))
        return out


class _DividedLater(PooledNet):
    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor) -> Tensor:
        summed = pyg.global_add_pool(self.conv1(x, edge_index), batch).relu()
        out: Tensor = self.lin2(self.lin1(summed / torch.bincount(batch)[:, None]))
        return out


def test_a_sum_over_numbers_of_nodes_is_a_mean_however_they_are_counted() -> None:
    graph = drawn().prepared().graph
    program = trace_model(prepare(_DividedSums("gcn", None, 7), graph), graph).program
    assert program is not None
    kept = [op for stage in program.stages for op in stage.operations if isinstance(op, Pool)]
    assert [op.pooling for op in kept] == [Pooling.MEAN]
    other = trace_model(prepare(_DividedLater("gcn", None, 7), graph), graph)
    assert other.unpackable == (
        "div after conv1: it divides by the numbers of nodes what is no sum of their rows"
    )
