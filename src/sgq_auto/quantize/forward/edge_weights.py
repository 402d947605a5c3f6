"""The weights of edges, or their features, as a model's forward pass is given them."""

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
    """The fake-quantized weights of a graph's edges, or their features.

    Attributes:
        pattern: The edges, with one self-loop a node.
        values: fp64 ``[entries]``, or ``[entries, columns]`` of features: what codes stand for, 1
            at self-loops. Coefficients are made of them in fp64, as the packed runtime does, so
            that both round to the same codes.
        was_read: Whether anything has read them so far.
    """

    def __init__(self, pattern: CsrPattern, values: Tensor) -> None:
        self.pattern = pattern
        self.values = values
        self.was_read = False
        self._features: dict[Any, Tensor] = {}

    @classmethod
    def of(cls, pattern: CsrPattern, edges: Tensor) -> Self:
        """From the values of the edges between different nodes.

        Args:
            pattern: The edges, with one self-loop a node.
            edges: fp64 ``[edges]``, or ``[edges, columns]`` of features.
        """
        shape = pattern.num_entries, *edges.shape[1:]
        values = torch.ones(shape, dtype=torch.float64, device=edges.device)
        values[pattern.row != pattern.col] = edges
        return cls(pattern, values)

    @property
    def columns(self) -> int:
        """Numbers that each edge has."""
        return 1 if self.values.dim() == 1 else self.values.size(1)

    def features(self, fill: float | None, *, loops: bool, dtype: torch.dtype) -> Tensor:
        """The features of edges ``[entries, columns]``; made once.

        Args:
            fill: What self-loops have; ``None`` for the mean of the edges into their node, 0
                without any, as in PyG.
            loops: Whether self-loops are among the entries.
            dtype: Of the result.
        """
        key = fill, loops, dtype
        if key not in self._features:
            self._features[key] = self._made_features(fill, loops=loops).to(dtype)
        return self._features[key]

    def _made_features(self, fill: float | None, *, loops: bool) -> Tensor:
        row, is_edge = self.pattern.row, self.pattern.row != self.pattern.col
        values = self.values.reshape(self.pattern.num_entries, self.columns)
        if not loops:
            return values[is_edge]
        values = values.clone()
        if fill is not None:
            values[~is_edge] = fill
            return values
        sums = values.new_zeros(self.pattern.shape[0], self.columns)
        sums.index_add_(0, row[is_edge].long(), values[is_edge])
        counts = (self.pattern.rowptr.diff() - 1).clamp(min=1)
        values[~is_edge] = sums / counts.unsqueeze(1)
        return values

    @property
    def are_negative(self) -> bool:
        """Whether the graph has a weight below 0."""
        weights = self.pattern.weights
        return weights is not None and bool((weights < 0).any())

    @cached_property
    def of_edges(self) -> Tensor:
        """fp32 ``[E]`` or ``[E, columns]``, in the order of PyG's ``edge_index``."""
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

    Or their features ``[E, columns]``. It stays so through what makes a vector of a column or a
    column of a vector, and through what keeps the shape.
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
            edges, columns = args[0].size(0), args[0].weights.columns
            if shape == (edges, columns) or (shape == (edges,) and columns == 1):
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
