"""The node features and the edges as a model's forward pass is given them."""

from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from sgq_auto.graphs import CsrPattern
from sgq_auto.graphs.feature_matrix import FeatureMatrix
from sgq_auto.quantize.forward.lazy_tensor import LazyTensor


class QuantizedFeatures:
    """The fake-quantized node features, each of their forms made once.

    Attributes:
        matrix: What products use.
        shape: ``(N, F)``.
    """

    def __init__(self, matrix: FeatureMatrix, shape: tuple[int, int]) -> None:
        self.matrix = matrix
        self.shape = shape

    @cached_property
    def dense(self) -> Tensor:
        """``[N, F]``, where a model does more with them than a quantized layer can."""
        return self.matrix.dense()

    @property
    def made(self) -> Tensor | None:
        """The dense tensor, if anything needed it yet."""
        return self.dense if "dense" in self.__dict__ else None


class NodeFeatures(LazyTensor):
    """The node features ``[N, F]``: a matrix for quantized layers, a tensor for all else."""

    @staticmethod
    def __new__(cls, features: QuantizedFeatures) -> Self:
        """A tensor of the features' shape without values: most models never need them dense."""
        values = features.matrix.values
        return LazyTensor.__new__(cls, features.shape, values.dtype, values.device)

    def __init__(self, features: QuantizedFeatures) -> None:
        self.features = features

    @property
    def matrix(self) -> FeatureMatrix:
        """The matrix that quantized layers multiply, sparse where the features are."""
        return self.features.matrix

    @property
    def tensor(self) -> Tensor:
        """The dense tensor, made when something other than a quantized layer reads it."""
        return self.features.dense


class Edges(LazyTensor):
    """The graph's edges: a CSR pattern for quantized layers, an ``edge_index`` for all else.

    The pattern has one self-loop a node, the ``edge_index`` ``[2, E]`` none.
    """

    @staticmethod
    def __new__(cls, pattern: CsrPattern) -> Self:
        """A tensor of the edges' shape without values: quantized layers read the pattern."""
        edges = pattern.num_entries - pattern.shape[0]
        return LazyTensor.__new__(cls, (2, edges), torch.int64, pattern.col.device)

    def __init__(self, pattern: CsrPattern) -> None:
        self.pattern = pattern

    @property
    def tensor(self) -> Tensor:
        """The edges as PyG's own layers take them."""
        return self.pattern.edge_index
