"""Sums over neighbours by GCN's normalised adjacency, whose coefficients follow from the graph."""

from dataclasses import dataclass

import numpy as np

from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats, Ranges
from sgq_auto.packed.runtime.forward_pass import Inference
from sgq_auto.packed.sizes.shape_specs import LayerSpec


@dataclass(frozen=True, eq=False)
class NormalizedSum:
    """``sum_j Q(1 / sqrt(d_i d_j)) h_j``, or ``Q(w_ij / sqrt(d_i d_j))`` on weighted edges.

    The coefficients of a chunk are made when it is gathered, so none are held. Where a layer does
    not gather a node itself, degrees count no self-loop, and a node of degree 0 has coefficients 0.
    Without coefficients it is ``sum_j h_j``, or ``sum_j w_ij h_j``.

    Attributes:
        inference: The graph and the arithmetic.
        spec: The layer's sizes, which tell what it gathers along.
        attention: Ranges of the coefficients, bucket by bucket of their target; ``None``
            where there are none.
    """

    inference: Inference
    spec: LayerSpec
    attention: Ranges | None

    def __call__(self, chunk: Chunk, rowptr: Array, columns: Array, hidden: CodeMatrix) -> Floats:
        """The sums of a chunk, fp64 ``[rows, width]``.

        Args:
            chunk: The chunk.
            rowptr: Where the entries of each of its rows start.
            columns: The column of each.
            hidden: What is summed.
        """
        engine, weights = self.inference.engine, self._coefficients(chunk, rowptr, columns)
        if self.attention is not None and self.attention.is_quantized(chunk.bucket):
            weights = engine.fake_quantize(weights, self.attention, chunk.bucket)
        return engine.weighted_sum(rowptr, columns, weights[:, None], hidden)

    def _coefficients(self, chunk: Chunk, rowptr: Array, columns: Array) -> Floats:
        loops = self.spec.gathers_itself
        if self.attention is None:
            if self.spec.edge_weights:
                return self.inference.edge_weights(chunk, rowptr, columns, loops=loops)
            return np.ones(columns.size)
        if self.spec.edge_weights:
            return self.inference.weight_coefficients(chunk, rowptr, columns)
        return self.inference.degree_coefficients(chunk, rowptr, columns, loops=loops)
