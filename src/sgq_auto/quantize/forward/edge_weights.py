"""The weights of edges as a model's forward pass is given them."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor

from sgq_auto.graphs import CsrPattern
from sgq_auto.quantize.forward.lazy_tensor import LazyTensor

# What people do to a column of numbers to have a vector, or the other way round, and casts.
_RESHAPES = frozenset(
    {
        *(Tensor.view, Tensor.reshape, Tensor.flatten, Tensor.ravel, Tensor.squeeze),
        *(Tensor.unsqueeze, Tensor.__getitem__, Tensor.contiguous, Tensor.float, Tensor.detach),
        *(torch.flatten, torch.reshape, torch.squeeze, torch.unsqueeze, torch.ravel),
    }
)

# Indices that keep every edge in its place.
_ALL = slice(None)
_WHOLE = (
    *(_ALL, ..., (_ALL,), (_ALL, 0), (_ALL, -1)),
    *((_ALL, None), (_ALL, _ALL), (..., 0), (..., None)),
)


class QuantizedEdgeWeights:
    """The fake-quantized weights of a graph's edges.

    Attributes:
        pattern: The edges, with one self-loop a node.
        values: fp64 ``[entries]``: what codes stand for, 1 at self-loops. Coefficients are made of
            them in fp64, as the packed runtime does, so that both round to the same codes.
        was_read: Whether anything has read them so far.
    """

    def __init__(self, pattern: CsrPattern, values: Tensor) -> None:
        self.pattern = pattern
        self.values = values
        self.was_read = False

    @classmethod
    def of(cls, pattern: CsrPattern, edges: Tensor) -> Self:
        """From the values of the edges between different nodes, fp64 ``[edges]``."""
        values = torch.ones(pattern.num_entries, dtype=torch.float64, device=edges.device)
        values[pattern.row != pattern.col] = edges
        return cls(pattern, values)

    @property
    def are_negative(self) -> bool:
        """Whether the graph has a weight below 0."""
        weights = self.pattern.weights
        return weights is not None and bool((weights < 0).any())

    @cached_property
    def of_edges(self) -> Tensor:
        """fp32 ``[E]``, in the order of PyG's ``edge_index``."""
        pattern = self.pattern
        values = self.values[pattern.row != pattern.col]
        return values[pattern.without_loops.transposed_order.long()].float()

    @cached_property
    def normalized(self) -> Tensor:
        """fp64 ``[entries]``, GCN's ``w_ij / sqrt(d_i d_j)`` with weighted degrees ``d``."""
        pattern = self.pattern
        degrees = torch.zeros(pattern.shape[0], dtype=torch.float64, device=self.values.device)
        degrees.index_add_(0, pattern.row.long(), self.values)
        # fp32, as the packed runtime holds them; 0 where there is no root, as in PyG.
        roots = torch.where(degrees > 0, degrees.rsqrt(), 0).float().double()
        return roots[pattern.row.long()] * self.values * roots[pattern.col.long()]


class EdgeWeights(LazyTensor):
    """Weights of edges ``[E]`` or ``[E, 1]``: values for quantized layers, a tensor for all else.

    It stays so through what makes a vector of a column or a column of a vector.
    """

    @staticmethod
    def __new__(cls, weights: QuantizedEdgeWeights, shape: tuple[int, ...]) -> Self:
        """A tensor of the weights' shape without values: quantized layers read the entries."""
        return LazyTensor.__new__(cls, shape, torch.float32, weights.values.device)

    def __init__(self, weights: QuantizedEdgeWeights, shape: tuple[int, ...]) -> None:
        del shape
        self.weights = weights

    @property
    def tensor(self) -> Tensor:
        """The weights as PyG's own layers take them."""
        self.weights.was_read = True
        return self.weights.of_edges.view(self.shape)

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Reshape without making the tensor; apply every other function to it."""
        if function in _RESHAPES and isinstance(args[0], cls):
            shape = _shape_after(function, args, kwargs or {})
            edges = args[0].numel()
            if shape in ((edges,), (edges, 1)):
                return cls(args[0].weights, shape)
        return super().__torch_function__(function, types, args, kwargs)


def _shape_after(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[int, ...] | None:
    """The shape that a function gives a tensor of the first argument's shape.

    ``None`` where the other arguments are tensors, or the function fails on this shape.
    """
    if any(isinstance(value, Tensor | list) for value in (*args[1:], *kwargs.values())):
        return None
    try:
        if function is Tensor.__getitem__ and args[1] not in _WHOLE:
            return None  # Other edges, or a part of them.
        return tuple(function(torch.empty(args[0].shape, device="meta"), *args[1:], **kwargs).shape)
    except (RuntimeError, IndexError, TypeError):
        return None
