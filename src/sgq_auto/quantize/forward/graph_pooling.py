"""The batch of a forward pass: which graph each node belongs to, and what pools by it.

PyG's ``global_add_pool``, ``global_mean_pool``, ``global_max_pool`` and its aggregations all add up
or compare rows by an index (``scatter_add_``, ``scatter_reduce_``). Where that index is the batch,
the same is computed by products with a CSR matrix, whatever order the nodes are in.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor, nn

from sgq_auto.compute import Engine, FixedMatrix
from sgq_auto.graphs import CsrPattern, Graph
from sgq_auto.packed.runtime.operations.pooling import Pooling
from sgq_auto.quantize.forward.lazy_tensor import LazyTensor, plain

# What keeps a batch a batch: reshapes to a column, and copies of it along columns.
_KEEPING = frozenset(
    {
        *(Tensor.view, Tensor.reshape, Tensor.squeeze, Tensor.unsqueeze, Tensor.expand),
        *(Tensor.contiguous, Tensor.to, Tensor.long, Tensor.detach, Tensor.flatten),
        *(Tensor.__getitem__, torch.reshape, torch.squeeze, torch.unsqueeze, torch.flatten),
    }
)
# What adds or compares rows by an index, and whether it changes its first argument.
_SUMS: dict[Any, bool] = {
    Tensor.scatter_add_: True,
    Tensor.scatter_add: False,
    torch.scatter_add: False,
    Tensor.index_add_: True,
    Tensor.index_add: False,
    torch.index_add: False,
}
_REDUCES: dict[Any, bool] = {
    Tensor.scatter_reduce_: True,
    Tensor.scatter_reduce: False,
    torch.scatter_reduce: False,
}
_POOLS = _SUMS | _REDUCES
# By what torch calls them.
_REDUCTIONS = {"sum": Pooling.SUM, "amax": Pooling.MAX}
# What these call their arguments, by position.
_ARGUMENTS = ("input", "dim", "index", "src", "reduce")


class NodeGraphs:
    """Which graph each node belongs to, in the forms that pooling needs.

    Attributes:
        graph_of_node: ``int64 [N]``.
        num_graphs: How many graphs there are.
    """

    def __init__(self, graph_of_node: Tensor, num_graphs: int, engine: Engine) -> None:
        self.graph_of_node = graph_of_node
        self.num_graphs = num_graphs
        self._engine = engine

    @classmethod
    def of(cls, graph: Graph) -> Self:
        """The graphs that a prepared graph is the blocks of; itself, if it is one."""
        own = graph.graph_of_node
        if own is None:
            own = torch.zeros(graph.num_nodes, dtype=torch.int64, device=graph.device)
        return cls(own, graph.num_graphs, graph.engine)

    @cached_property
    def pattern(self) -> CsrPattern:
        """``[graphs, N]``, the nodes of each graph."""
        counts = torch.bincount(self.graph_of_node, minlength=self.num_graphs)
        rowptr = torch.cat([counts.new_zeros(1), counts.cumsum(0)]).int()
        col = torch.argsort(self.graph_of_node, stable=True).int()
        return CsrPattern(rowptr, col, (self.num_graphs, col.numel()), self._engine)

    @cached_property
    def sums(self) -> FixedMatrix:
        """The matrix of ones at the entries of :attr:`pattern`."""
        ones = torch.ones(self.graph_of_node.numel(), device=self.graph_of_node.device)
        return self.pattern.fixed_matrix(ones)


class _SumOfNodes(torch.autograd.Function):
    """Each node's gradient is its graph's, which is gathered in less time than multiplied."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, graphs: NodeGraphs) -> Tensor:
        ctx.graphs = graphs
        return graphs.sums.multiply(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad.index_select(0, ctx.graphs.graph_of_node), None


class GraphPooling(nn.Module):
    """One way of pooling: a module, so that a forward pass that is recorded shows it as one step.

    A mean is a sum that is divided by the numbers of nodes, as in PyG.
    """

    def __init__(self, pooling: Pooling) -> None:
        super().__init__()
        self.pooling = pooling

    def forward(self, x: Tensor, graphs: NodeGraphs) -> Tensor:
        """``[N, features]`` to ``[graphs, features]``; 0 for a graph without nodes, as in PyG."""
        if self.pooling is Pooling.MAX:
            return graphs.pattern.row_max(x)
        summed: Tensor = _SumOfNodes.apply(x, graphs)
        return summed


# Pools ``[N, features]`` to ``[graphs, features]``.
Pool = Callable[[Pooling, Tensor, NodeGraphs], Tensor]


class GraphOfNode(LazyTensor):
    """A batch ``[N]``, or the same as a column or as equal columns; pools where it is the index.

    Everything else sees the tensor.
    """

    @staticmethod
    def __new__(cls, tensor: Tensor, graphs: NodeGraphs, pool: Pool) -> Self:
        """A tensor of the same shape; ``pool`` does what pooling by it means."""
        del graphs, pool
        return LazyTensor.__new__(cls, tensor.shape, tensor.dtype, tensor.device)

    def __init__(self, tensor: Tensor, graphs: NodeGraphs, pool: Pool) -> None:
        self._tensor = tensor
        self.graphs = graphs
        self.pool = pool

    @property
    def tensor(self) -> Tensor:
        """The numbers of graphs, ``int64``."""
        return self._tensor

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Stay a batch where only the shape changes; pool where this is the index."""
        kwargs, first = kwargs or {}, args[0] if args else None
        if isinstance(first, cls) and function is Tensor.expand_as:
            return first._like(first.tensor.expand(args[1].shape))
        if isinstance(first, cls) and function in _KEEPING:
            return first._like(function(*plain(args), **plain(kwargs)))
        if function in _POOLS:
            pooled = _pooled(function, args, kwargs)
            if pooled is not None:
                return pooled
        return super().__torch_function__(function, types, args, kwargs)

    def _like(self, made: Tensor) -> Tensor:
        """A reshaped tensor as a batch again, if each node still has its number in every column."""
        nodes = self.graphs.graph_of_node.numel()
        sides = zip(made.shape[1:], made.stride()[1:], strict=True)
        is_batch = made.dim() > 0 and made.size(0) == nodes and made.dtype is torch.int64
        if is_batch and all(size == 1 or stride == 0 for size, stride in sides):
            return type(self)(made, self.graphs, self.pool)
        return made


def _pooled(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Tensor | None:
    """What a reduction by the batch makes; ``None`` where it is none that a pooling does."""
    given = dict(zip(_ARGUMENTS, args, strict=False)) | dict(kwargs)
    given["src"] = given.get("src", given.pop("source", None))
    index, into, x = given.get("index"), given["input"], given["src"]
    if not isinstance(index, GraphOfNode) or not _fits(index, into, x, given):
        return None
    pooling = Pooling.SUM if function in _SUMS else _REDUCTIONS.get(str(given.get("reduce")))
    # Of a sum the first argument is part, so that it must be 0; a maximum must leave it out.
    if pooling is None or (pooling is Pooling.MAX and given.get("include_self", True)):
        return None
    if function not in _SUMS and pooling is Pooling.SUM and not given.get("include_self", True):
        return None
    if bool(into.any()):
        return None
    made = index.pool(pooling, plain(x), index.graphs)
    return into.copy_(made) if _POOLS[function] else made


def _fits(index: GraphOfNode, into: Any, x: Any, given: Mapping[str, Any]) -> bool:
    """Whether rows of all nodes are reduced to rows of all graphs."""
    if not isinstance(into, Tensor) or not isinstance(x, Tensor) or x.dim() != 2:
        return False
    if set(given) - {*_ARGUMENTS, "include_self"} or given.get("dim") not in (0, -2):
        return False
    graphs = index.graphs
    shapes = into.shape == (graphs.num_graphs, x.size(1)) and index.shape in (x.shape, x.shape[:1])
    nodes = x.size(0) == graphs.graph_of_node.numel()
    return shapes and nodes and {into.dtype, x.dtype} == {torch.float32}
