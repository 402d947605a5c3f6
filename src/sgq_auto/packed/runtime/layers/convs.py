"""The layers of a packed model that pass messages: what they hold and what they compute."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats, Ranges
from sgq_auto.packed.runtime.layers.layer import (
    Aggregation,
    AttentionConvLayer,
    ConvLayer,
    Float32,
    LayerKind,
    PackedLayer,
)

if TYPE_CHECKING:
    from sgq_auto.packed.runtime.workspace import Inference, Sink, Source


@dataclass(frozen=True, eq=False, kw_only=True)
class GcnLayer(AttentionConvLayer):
    """``y_i = sum_j Q(1 / sqrt(d_i d_j)) h_j + b``, the coefficients derived from degrees."""

    kind = LayerKind.GCN

    def run(self, inference: "Inference", source: "Source", sink: "Sink") -> None:
        """See the base class."""
        hidden = self.embed(inference, source)

        def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            weights = inference.degree_coefficients(chunk, rowptr, columns)
            if self.attention.is_quantized(chunk.bucket):
                weights = inference.engine.fake_quantize(weights, self.attention, chunk.bucket)
            out = inference.engine.weighted_sum(rowptr, columns, weights[:, None], hidden)
            sink(chunk, self.finish(out))

        inference.for_edges(gather, width=hidden.width)


@dataclass(frozen=True, eq=False, kw_only=True)
class GatLayer(AttentionConvLayer):
    """``y_i = sum_j Q(softmax_j LeakyReLU(a_s h_j + a_d h_i)) h_j + b`` over heads.

    Attributes:
        source_vectors: ``a_s``, fp32 ``[heads, channels]``.
        target_vectors: ``a_d``, fp32 ``[heads, channels]``.
        negative_slope: Factor of negative scores.
        concat: Whether heads are concatenated; else they are averaged.
    """

    kind = LayerKind.GAT

    source_vectors: Float32
    target_vectors: Float32
    negative_slope: float
    concat: bool

    @property
    def out_features(self) -> int:
        """Width of its output."""
        heads = 1 if self.concat else self.spec.heads
        return self.spec.transformed_features // heads

    def run(self, inference: "Inference", source: "Source", sink: "Sink") -> None:
        """See the base class."""
        hidden, engine = self.embed(inference, source), inference.engine
        vectors = [v.astype(np.float64) for v in (self.source_vectors, self.target_vectors)]

        def scores(chunk: Chunk, rowptr: Array, columns: Array) -> Floats:
            found = engine.row_dots(columns, hidden, vectors[0])
            rows = np.arange(chunk.row, chunk.stop, dtype=np.int32)
            found += np.repeat(engine.row_dots(rows, hidden, vectors[1]), np.diff(rowptr), axis=0)
            return np.where(found > 0, found, self.negative_slope * found)

        coefficients = inference.attend(self.spec, self.attention, scores)

        def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            out = inference.weighted_sum(coefficients, chunk, rowptr, columns, hidden)
            if not self.concat:
                out = out.reshape(len(out), self.spec.heads, -1).mean(axis=1)
            sink(chunk, self.finish(out))

        inference.for_edges(gather, self.spec.heads, width=hidden.width)


@dataclass(frozen=True, eq=False, kw_only=True)
class SageLayer(ConvLayer):
    """``y_i = mean_j h_j + x_i W_r + b`` over neighbours, without the node itself; 0 without any.

    Attributes:
        aggregation: Whether neighbours are averaged or summed.
        root: ``W_r``, ``[in, out]``, or ``None`` without the node's own term.
    """

    kind = LayerKind.SAGE

    aggregation: Aggregation
    root: PackedWeight | None

    def run(self, inference: "Inference", source: "Source", sink: "Sink") -> None:
        """See the base class."""
        hidden = self.embed(inference, source)
        own = None if self.root is None else inference.product(source, self.root)

        def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            ones = np.ones((columns.size, 1))
            out = inference.engine.weighted_sum(rowptr, columns, ones, hidden)
            if self.aggregation is Aggregation.MEAN:
                out /= np.maximum(np.diff(rowptr), 1)[:, None]
            if own is not None:
                out += own(chunk)
            sink(chunk, self.finish(out))

        width = hidden.width
        if self.root is not None:
            width = max(width, inference.row_values(source, self.root))
        costs = 0 if self.root is None else inference.product_costs(source, self.root)
        inference.for_edges(gather, width=width, loops=False, other_costs=costs)


@dataclass(frozen=True, eq=False, kw_only=True)
class GinLayer(ConvLayer):
    """``y_i = (1 + eps) h_i + sum_j h_j + b`` over neighbours.

    A graph isomorphism layer sums its input and gives it to a network; the first linear layer of
    that network is part of this one, applied before the sum, where ``h`` is narrow.

    Attributes:
        eps: The weight of a node itself, less 1.
    """

    kind = LayerKind.GIN

    eps: float

    def run(self, inference: "Inference", source: "Source", sink: "Sink") -> None:
        """See the base class."""
        hidden = self.embed(inference, source)

        def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            weights = np.ones((columns.size, 1))
            # Each row starts with the node itself.
            weights[rowptr[:-1]] += self.eps
            out = inference.engine.weighted_sum(rowptr, columns, weights, hidden)
            sink(chunk, self.finish(out))

        inference.for_edges(gather, width=hidden.width)


@dataclass(frozen=True, eq=False, kw_only=True)
class AgnnLayer(PackedLayer):
    """``y_i = sum_j Q(softmax_j(beta cos(x_i, x_j))) x_j``.

    Attributes:
        attention: Ranges of the coefficients, bucket by bucket of their target.
        beta: The temperature.
    """

    kind = LayerKind.AGNN

    attention: Ranges
    beta: float

    def run(self, inference: "Inference", source: "Source", sink: "Sink") -> None:
        """See the base class."""
        if not isinstance(source, CodeMatrix):
            raise TypeError("an AGNN layer reads an embedding, not the node features")
        engine = inference.engine

        def scores(chunk: Chunk, rowptr: Array, columns: Array) -> Floats:
            return self.beta * engine.cosines(rowptr, columns, chunk.row, source)[:, None]

        coefficients = inference.attend(self.spec, self.attention, scores)

        def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            out = inference.weighted_sum(coefficients, chunk, rowptr, columns, source)
            sink(chunk, self.finish(out))

        inference.for_edges(gather, width=source.width)
