"""What layers share that multiply by a matrix which follows from the graph."""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from sgq_auto.compute import FixedMatrix
from sgq_auto.graphs import CsrPattern
from sgq_auto.graphs.csr import multiply_fixed
from sgq_auto.quantize.layer import QuantizedLayer
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class FixedLayer(QuantizedLayer):
    """A layer whose matrix never changes: it is made at the first pass, and kept."""

    def __init__(self, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers)
        self._adjacency: FixedMatrix | None = None

    def gather(self, adj_t: CsrPattern, nodes: Tensor) -> Tensor:
        """The matrix times ``nodes`` ``[N, features]``."""
        if self._adjacency is None:
            self._adjacency = self.matrix(adj_t, nodes.dtype)
        return multiply_fixed(self._adjacency, nodes)

    @abstractmethod
    def matrix(self, adj_t: CsrPattern, dtype: torch.dtype) -> FixedMatrix:
        """The matrix at the entries of ``adj_t``."""


class NormalizedLayer(FixedLayer):
    """A layer that multiplies by GCN's normalised adjacency, quantized."""

    attention_quantizer: nn.Module

    def coefficients(self, adj_t: CsrPattern, dtype: torch.dtype) -> Tensor:
        """The quantized coefficients at the entries of ``adj_t``."""
        quantized: Tensor = self.attention_quantizer(normalized_adjacency(adj_t, dtype))
        return quantized

    def matrix(self, adj_t: CsrPattern, dtype: torch.dtype) -> FixedMatrix:
        """See the base class."""
        return adj_t.fixed_matrix(self.coefficients(adj_t, dtype))


def normalized_adjacency(adj_t: CsrPattern, dtype: torch.dtype = torch.float32) -> Tensor:
    """GCN's coefficients ``1 / sqrt(d_i d_j)`` at the entries of ``adj_t`` (self-loops counted)."""
    scale = adj_t.rowptr.diff().to(dtype).rsqrt()
    return scale.index_select(0, adj_t.row) * scale.index_select(0, adj_t.col)
