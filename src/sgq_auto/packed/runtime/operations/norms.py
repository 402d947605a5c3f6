"""Norms: of each row by itself, and of columns by statistics over all nodes of the graph."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.header_fields import flag, number, positive
from sgq_auto.packed.runtime.operations.operation import Float32, Operation, Settings, bounded


@dataclass(frozen=True, eq=False, kw_only=True)
class StandardizeRows(Operation):
    """``(x - mean) / sqrt(variance + eps)`` over the columns of a row (layer norm).

    Attributes:
        eps: Added to the variance.
    """

    kind = "standardize_rows"
    settings: ClassVar[Settings] = {"eps": positive}

    eps: float

    def __call__(self, *values: Floats) -> Floats:
        """The standardized rows."""
        centered = values[0] - values[0].mean(axis=1, keepdims=True)
        variance = np.square(centered).mean(axis=1, keepdims=True)
        return bounded(centered / np.sqrt(variance + self.eps))


@dataclass(frozen=True, eq=False, kw_only=True)
class NormalizeRows(Operation):
    """Rows divided by their Euclidean length.

    Attributes:
        eps: The least that is divided by; what is added to the length where ``added``.
        added: Whether ``eps`` is added.
    """

    kind = "normalize_rows"
    settings: ClassVar[Settings] = {"eps": positive, "added": flag}

    eps: float
    added: bool = False

    def __call__(self, *values: Floats) -> Floats:
        """The scaled rows."""
        length = np.sqrt(np.square(values[0]).sum(axis=1, keepdims=True))
        divisors = length + self.eps if self.added else np.maximum(length, self.eps)
        scaled: Floats = values[0] / divisors
        return scaled


@dataclass(frozen=True, eq=False, kw_only=True)
class SoftmaxRows(Operation):
    """Softmax over the columns of a row."""

    kind = "softmax_rows"

    def __call__(self, *values: Floats) -> Floats:
        """The shares."""
        powers = np.exp(values[0] - values[0].max(axis=1, keepdims=True))
        shares: Floats = powers / powers.sum(axis=1, keepdims=True)
        return shares


@dataclass(frozen=True)
class Statistics:
    """Sums over all nodes of a value, from which norms of the whole graph follow.

    Attributes:
        nodes: How many nodes there are.
        sums: fp64 ``[width]``, the sum of each column.
        squares: fp64 ``[width]``, the sum of its squares.
    """

    nodes: int
    sums: Floats
    squares: Floats

    @property
    def means(self) -> Floats:
        """``[width]``, the mean of each column."""
        return self.sums / self.nodes

    @property
    def mean_squares(self) -> Floats:
        """``[width]``, the mean of each column's squares."""
        return self.squares / self.nodes


class GraphNorm(Operation):
    """A norm by statistics over all nodes; with these, it scales and shifts columns.

    The runtime computes what comes before it twice: once for the statistics.
    """

    def __call__(self, *values: Floats) -> Floats:
        """Called by the runtime with the columns' factors and shifts besides."""
        x, factors, shifts = values
        return bounded(x * factors + shifts)

    @abstractmethod
    def affine(self, found: Statistics) -> tuple[Floats, Floats]:
        """Factor and shift of each column, fp64 ``[width]``."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StandardizeColumns(GraphNorm):
    """``(x - s m) / sqrt(mean((x - s m)^2) + eps)`` column by column, ``m`` its mean.

    Instance norm has ``s = 1``; graph norm (Cai et al. 2021) learns it.

    Attributes:
        eps: Added to the mean square.
        mean_share: fp32 ``[width]``, ``s``.
    """

    kind = "standardize_columns"
    settings: ClassVar[Settings] = {"eps": positive}
    tensors = ("mean_share",)

    eps: float
    mean_share: Float32

    def affine(self, found: Statistics) -> tuple[Floats, Floats]:
        """The column's own factor and shift."""
        taken = self.mean_share * found.means
        spread = found.mean_squares - 2 * taken * found.means + taken * taken
        factors = 1 / np.sqrt(np.maximum(spread, 0.0) + self.eps)
        return factors, -taken * factors


@dataclass(frozen=True, eq=False, kw_only=True)
class StandardizeAll(GraphNorm):
    """``(x - mean) / (deviation + eps)`` over all nodes and columns (PyG's layer norm).

    Attributes:
        eps: Added to the standard deviation.
    """

    kind = "standardize_all"
    settings: ClassVar[Settings] = {"eps": positive}

    eps: float

    def affine(self, found: Statistics) -> tuple[Floats, Floats]:
        """One factor and shift for all columns."""
        mean = found.means.mean()
        variance = max(0.0, float(found.mean_squares.mean() - mean * mean))
        factors = np.full_like(found.sums, 1 / (np.sqrt(variance) + self.eps))
        return factors, -mean * factors


@dataclass(frozen=True, eq=False, kw_only=True)
class CenterColumns(GraphNorm):
    """``x - mean`` column by column (mean subtraction)."""

    kind = "center_columns"

    def affine(self, found: Statistics) -> tuple[Floats, Floats]:
        """Nothing but a shift."""
        return np.ones_like(found.sums), -found.means


@dataclass(frozen=True, eq=False, kw_only=True)
class PairNorm(GraphNorm):
    """Columns centred, then all scaled so that rows have a given mean square (PairNorm).

    Attributes:
        eps: Added to the mean square of a row.
        scale: What the result is multiplied by.
    """

    kind = "pair_norm"
    settings: ClassVar[Settings] = {"eps": positive, "scale": number}

    eps: float
    scale: float

    def affine(self, found: Statistics) -> tuple[Floats, Floats]:
        """One factor for all columns, and the shift of each."""
        means = found.means
        square = np.maximum(found.mean_squares - means * means, 0.0).sum()
        factors = np.full_like(means, self.scale / np.sqrt(square + self.eps))
        return factors, -means * factors
