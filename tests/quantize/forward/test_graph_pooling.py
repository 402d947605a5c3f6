"""Pooling by the batch of a prepared model gives what PyG's functions give, gradients too."""

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import example, given, settings
from torch import Tensor
from torch_geometric import nn as pyg

from sgq_auto.compute import engine_for
from sgq_auto.packed.runtime.operations.pooling import Pooling
from sgq_auto.quantize.forward.graph_pooling import GraphOfNode, GraphPooling, NodeGraphs

_POOLS = {
    "add": pyg.global_add_pool,
    "mean": pyg.global_mean_pool,
    "max": pyg.global_max_pool,
    "sum_module": pyg.SumAggregation(),
    "mean_module": pyg.MeanAggregation(),
    "max_module": pyg.MaxAggregation(),
}


class _Batch:
    """A batch that counts how often it pooled."""

    def __init__(self, graph_of_node: Tensor) -> None:
        self.pooled: list[Pooling] = []
        graphs = NodeGraphs(graph_of_node, int(graph_of_node.max()) + 1, engine_for("cpu"))
        self.tensor = GraphOfNode(graph_of_node, graphs, self._pool)

    def _pool(self, pooling: Pooling, x: Tensor, graphs: NodeGraphs) -> Tensor:
        self.pooled.append(pooling)
        pooled: Tensor = GraphPooling(pooling)(x, graphs)
        return pooled


def _embedding(nodes: int, seed: int, levels: int) -> Tensor:
    """Few levels make rows that are equally large, as codes of few bits do.

    None is 0: where a maximum is, torch gives a share of its gradient to the zeros it starts from.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(nodes, 5, generator=generator)
    return (x * levels).round() / levels + 0.25 if levels else x


@pytest.mark.parametrize("pool", list(_POOLS))
@settings(max_examples=40)
@given(
    # In any order, and with numbers that no node has.
    graph_of_node=st.lists(st.integers(0, 9), min_size=1, max_size=40),
    seed=st.integers(0, 1000),
    levels=st.sampled_from([0, 1, 2]),
)
@example(graph_of_node=[0], seed=0, levels=0)
@example(graph_of_node=[3, 0, 3, 0, 1], seed=0, levels=1)
def test_pools_as_pyg_does_on_any_graphs(
    pool: str, graph_of_node: list[int], seed: int, levels: int
) -> None:
    numbers = torch.tensor(graph_of_node)
    given_batch, function = _Batch(numbers), _POOLS[pool]
    plain = _embedding(numbers.numel(), seed, levels).requires_grad_()
    fast = plain.detach().clone().requires_grad_()
    expected, found = function(plain, numbers), function(fast, given_batch.tensor)
    assert len(given_batch.pooled) == 1
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    weights = torch.arange(expected.numel()).view_as(expected) / 7.0
    (expected * weights).sum().backward()
    (found * weights).sum().backward()
    torch.testing.assert_close(fast.grad, plain.grad, atol=1e-5, rtol=1e-5)


def _by_hand(x: Tensor, batch: Tensor) -> Tensor:
    return torch.zeros(3, x.size(1)).index_add_(0, batch, x)


def _new_tensor(x: Tensor, batch: Tensor) -> Tensor:
    return torch.zeros(3, x.size(1)).index_add(dim=0, index=batch, source=x)


def _scatter_by_names(x: Tensor, batch: Tensor) -> Tensor:
    into = torch.zeros(3, x.size(1))
    return torch.scatter_add(into, 0, batch[:, None].expand(-1, x.size(1)), src=x)


def _largest(x: Tensor, batch: Tensor) -> Tensor:
    index = batch.unsqueeze(-1).expand_as(x)
    return x.new_zeros(3, x.size(1)).scatter_reduce(0, index, x, "amax", include_self=False)


_FAST: list[Callable[[Tensor, Tensor], Tensor]]
_FAST = [_by_hand, _new_tensor, _scatter_by_names, _largest]


@pytest.mark.parametrize("function", _FAST)
def test_what_users_write_themselves_pools_too(function: Callable[..., Tensor]) -> None:
    numbers = torch.tensor([2, 0, 1, 0, 2, 2])
    batch, x = _Batch(numbers), _embedding(6, 1, 0)
    torch.testing.assert_close(function(x, batch.tensor), function(x, numbers))
    assert len(batch.pooled) == 1


def _from_ones(x: Tensor, batch: Tensor) -> Tensor:
    return torch.ones(3, x.size(1)).index_add_(0, batch, x)


def _with_factor(x: Tensor, batch: Tensor) -> Tensor:
    return torch.zeros(3, x.size(1)).index_add_(0, batch, x, alpha=2)


def _more_rows(x: Tensor, batch: Tensor) -> Tensor:
    return pyg.global_add_pool(x, batch, size=7)


def _of_some(x: Tensor, batch: Tensor) -> Tensor:
    return pyg.global_add_pool(x[:3], batch[:3], size=3)


def _smallest(x: Tensor, batch: Tensor) -> Tensor:
    return pyg.MinAggregation()(x, batch)


def _zero_too(x: Tensor, batch: Tensor) -> Tensor:
    index = batch.view(-1, 1).expand_as(x)
    return x.new_zeros(3, x.size(1)).scatter_reduce_(0, index, x, "amax")


def _first_column(x: Tensor, batch: Tensor) -> Tensor:
    return torch.zeros(3, x.size(1)).scatter_add_(0, batch.view(-1, 1), x)


def _shares(x: Tensor, batch: Tensor) -> Tensor:
    return pyg.SoftmaxAggregation()(x, batch)


def _sizes(x: Tensor, batch: Tensor) -> Tensor:
    return torch.bincount(batch).float() * x.sum()


def _other(x: Tensor, batch: Tensor) -> Tensor:
    return x + pyg.global_add_pool(x, batch)[batch] + batch.float().mean() + len(batch)


_SLOW = [_from_ones, _with_factor, _more_rows, _of_some, _smallest, _zero_too, _first_column]
_SLOW += [_shares, _sizes, _other]


@pytest.mark.parametrize("function", _SLOW)
def test_everything_else_sees_the_tensor(function: Any) -> None:
    numbers = torch.tensor([2, 0, 1, 0, 2, 2])
    x = _embedding(6, 2, 0)
    torch.testing.assert_close(function(x, _Batch(numbers).tensor), function(x, numbers))
