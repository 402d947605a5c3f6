"""Node features as they are stored, and as a model's first product uses them."""

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from sgq_auto.graphs.csr_products import CsrPattern
from sgq_auto.packed.runtime.graphs.feature_scaling import FeatureScaling


class FeatureMatrix(Protocol):
    """A fixed feature matrix ``[N, F]``, ready for products.

    Layers see features only through it, so that they need not know whether zeros are stored.
    """

    @property
    def values(self) -> Tensor:
        """The stored values, fp32: ``[entries]`` if sparse, ``[N, F]`` if dense."""

    def linear(self, weight: Tensor) -> Tensor:
        """``X @ weight.T`` for a weight of shape ``[out, F]``; differentiable in the weight."""

    def with_values(self, values: Tensor) -> "FeatureMatrix":
        """The matrix with other values in the stored places, of the shape of :attr:`values`.

        Dropout is applied so: zeros that are not stored would stay zero anyway.
        """

    def dense(self) -> Tensor:
        """The matrix as a tensor ``[N, F]``, for what only takes tensors; may be large."""


class Features(Protocol):
    """Node features as a graph stores them, before row normalisation.

    :class:`SparseFeatures` and :class:`DenseFeatures` are the two kinds. A quantizer changes
    :attr:`values`, and :meth:`matrix` makes of the result what a layer multiplies with.
    """

    @property
    def values(self) -> Tensor:
        """The stored values, nodes in order: what is quantized."""

    @property
    def bucket_values(self) -> tuple[int, ...]:
        """Rows of ``values`` in each degree bucket, which are the scale groups of a quantizer."""

    @property
    def normalize_rows(self) -> bool:
        """Whether :meth:`matrix` divides each row by its sum, as GCN's and GAT's authors do."""

    @property
    def scaling(self) -> FeatureScaling | None:
        """What columns were scaled by to become :attr:`values`, if they were."""

    @property
    def num_features(self) -> int:
        """Columns of the matrix."""

    @property
    def shape(self) -> tuple[int, int]:
        """``(N, F)``."""

    def matrix(self, values: Tensor) -> FeatureMatrix:
        """The matrix that holds ``values`` in place of the stored ones, rows normalised."""

    def dense(self) -> Tensor:
        """The full-precision matrix as PyG sees it, ``[N, F]`` fp32."""

    def to(self, device: torch.device) -> "Features":
        """The features on a device, for training there."""


@dataclass(frozen=True, eq=False)
class SparseMatrix:
    """A sparse feature matrix.

    Zeros stay zeros, so dropout of the stored values drops as dropout of all entries would.
    """

    pattern: CsrPattern
    values: Tensor

    def linear(self, weight: Tensor) -> Tensor:
        """``X @ weight.T`` over the stored values; bound by their number times ``out``."""
        return self.pattern.spmm(self.values, weight.t().contiguous())

    def with_values(self, values: Tensor) -> "SparseMatrix":
        """Other values, ``[entries]``, in the stored places, for dropout."""
        return SparseMatrix(self.pattern, values)

    def dense(self) -> Tensor:
        """The matrix with its zeros, ``[N, F]`` fp32."""
        pattern = self.pattern
        sparse = torch.sparse_csr_tensor(pattern.rowptr, pattern.col, self.values, pattern.shape)
        return sparse.to_dense()


@dataclass(frozen=True, eq=False)
class DenseMatrix:
    """A dense feature matrix, for features of which more than half are not zero."""

    values: Tensor

    def linear(self, weight: Tensor) -> Tensor:
        """``X @ weight.T`` for a weight ``[out, F]``: ``[N, out]``, differentiable in it."""
        return torch.nn.functional.linear(self.values, weight)

    def with_values(self, values: Tensor) -> "DenseMatrix":
        """Other values, ``[N, F]``, for dropout."""
        return DenseMatrix(values)

    def dense(self) -> Tensor:
        """The values themselves, ``[N, F]`` fp32."""
        return self.values


@dataclass(frozen=True, eq=False)
class SparseFeatures:
    """Features of which only the nonzero entries are stored.

    Row normalisation (each row divided by its sum, as in GCN and GAT) is applied to the values
    after they are quantized: its factors follow from the codes and cost nothing to store.

    Attributes:
        pattern: Where the entries are, ``[N, F]``.
        values: ``[entries]`` fp32, before normalisation.
        bucket_values: Entries per degree bucket.
        normalize_rows: Whether rows are divided by their sums.
        scaling: What columns were scaled by to become ``values``; ``None`` where they were not.
    """

    pattern: CsrPattern
    values: Tensor
    bucket_values: tuple[int, ...]
    normalize_rows: bool
    scaling: FeatureScaling | None = None

    @property
    def num_features(self) -> int:
        """Columns of the matrix."""
        return self.pattern.shape[1]

    @property
    def shape(self) -> tuple[int, int]:
        """``(N, F)``."""
        return self.pattern.shape

    def matrix(self, values: Tensor) -> SparseMatrix:
        """The sparse matrix of ``values`` ``[entries]``, its rows normalised if they are to be.

        A sum below 1 counts as 1, so that a node without features is not divided by zero.
        """
        if self.normalize_rows:
            sums = self.pattern.row_sum(values).clamp(min=1.0)
            values = values / sums.index_select(0, self.pattern.row)
        return SparseMatrix(self.pattern, values)

    def dense(self) -> Tensor:
        """The normalised matrix, ``[N, F]`` fp32."""
        return self.matrix(self.values).dense()

    def to(self, device: torch.device) -> "SparseFeatures":
        """The features on a device."""
        return replace(self, pattern=self.pattern.to(device), values=self.values.to(device))


@dataclass(frozen=True, eq=False)
class DenseFeatures:
    """Features of which every entry is stored.

    Attributes:
        values: ``[N, F]`` fp32, before normalisation.
        bucket_values: Nodes per degree bucket.
        normalize_rows: Whether rows are divided by their sums.
        scaling: What columns were scaled by to become ``values``; ``None`` where they were not.
    """

    values: Tensor
    bucket_values: tuple[int, ...]
    normalize_rows: bool
    scaling: FeatureScaling | None = None

    @property
    def num_features(self) -> int:
        """Columns of the matrix."""
        return self.values.size(1)

    @property
    def shape(self) -> tuple[int, int]:
        """``(N, F)``."""
        return self.values.size(0), self.values.size(1)

    def matrix(self, values: Tensor) -> DenseMatrix:
        """The dense matrix of ``values`` ``[N, F]``, its rows normalised if they are to be.

        A sum below 1 counts as 1, so that a node without features is not divided by zero.
        """
        if self.normalize_rows:
            values = values / values.sum(1, keepdim=True).clamp(min=1.0)
        return DenseMatrix(values)

    def dense(self) -> Tensor:
        """The normalised matrix, ``[N, F]`` fp32."""
        return self.matrix(self.values).dense()

    def to(self, device: torch.device) -> "DenseFeatures":
        """The features on a device."""
        return replace(self, values=self.values.to(device))
