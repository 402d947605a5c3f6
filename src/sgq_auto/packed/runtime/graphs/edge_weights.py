"""Weights of edges as the packed runtime holds them: codes, in the order of the edges.

Features of edges are weights of several columns.

A weight is in the degree bucket of its edge's target. Where both directions of every edge have one
weight, an artifact holds that of the direction whose target comes later, and the code of the other
direction is made from the value that this code stands for.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sgq_auto.packed.allocation import FULL_PRECISION
from sgq_auto.packed.backends import Engine, NumpyEngine
from sgq_auto.packed.codes.bit_packing import Array, Bytes, unpack_codes
from sgq_auto.packed.codes.code_matrix import CodeMatrix, pack_matrix
from sgq_auto.packed.codes.ranges import Floats, Ranges

# Edges whose features are unpacked at once.
_AT_ONCE = 1 << 12

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PackedEdgeWeights:
    """Weights of a graph that a model holds.

    Attributes:
        codes: ``[edges, columns]``, bucket by bucket of their target, without self-loops.
        symmetric: Whether an artifact holds one direction of each edge.
    """

    codes: CodeMatrix
    symmetric: bool

    @property
    def ranges(self) -> Ranges:
        """What codes stand for, bucket by bucket."""
        return self.codes.ranges

    @property
    def columns(self) -> int:
        """Numbers that each edge has."""
        return self.codes.width

    def rows(self, engine: Engine, first: int, count: int) -> Floats:
        """fp64 ``[count, columns]`` of consecutive edges into rows of one bucket."""
        if count == 0:
            return np.empty((0, self.codes.width))
        return engine.read(self.codes, first, first + count)

    def read(self, engine: Engine, first: int, count: int) -> Floats:
        """fp64 weights of consecutive edges into rows of one bucket."""
        return self.rows(engine, first, count)[:, 0]

    def take(self, engine: Engine, edges: Array) -> Floats:
        """fp64 weights of any edges, ``int32``; ``[edges, columns]`` of several columns."""
        taken = engine.take(self.codes, edges)
        return taken[:, 0] if self.codes.width == 1 else taken

    def values(self) -> Floats:
        """fp64 weights of all edges; ``[edges, columns]`` of several columns."""
        return _values(self.codes)

    def stored(self, row: Array, col: Array) -> Bytes:
        """What an artifact holds of them.

        Args:
            row: Targets of the edges, in order.
            col: Their sources.
        """
        if not self.symmetric:
            return self.codes.stream
        held = np.arange(row.size)[row > col]
        ends = np.searchsorted(held, self.codes.row_starts)
        counts = tuple(np.diff(ends).tolist())
        return _packed(self.values()[held], counts, self.ranges).stream


@dataclass(frozen=True, eq=False)
class ListedEdgeWeights:
    """Weights of a graph that is predicted once.

    Attributes:
        values: fp64 ``[edges]`` or ``[edges, columns]``, in the order of the edges.
        roots: fp32 ``[N]``, the roots of :func:`weight_roots` where these edges are not all.
    """

    values: Floats
    roots: Float32 | None = None

    def rows(self, engine: Engine, first: int, count: int) -> Floats:  # noqa: ARG002
        """``[count, columns]`` of consecutive edges."""
        own = self.values[first : first + count]
        return own[:, None] if own.ndim == 1 else own

    def read(self, engine: Engine, first: int, count: int) -> Floats:  # noqa: ARG002
        """Weights of consecutive edges."""
        return self.values[first : first + count]

    def take(self, engine: Engine, edges: Array) -> Floats:  # noqa: ARG002
        """Weights of any edges."""
        taken: Floats = self.values[edges]
        return taken


EdgeWeights = PackedEdgeWeights | ListedEdgeWeights


def pack_edge_weights(
    values: Floats, bucket_edges: tuple[int, ...], ranges: Ranges, *, symmetric: bool
) -> PackedEdgeWeights:
    """Pack weights that are what codes stand for.

    Args:
        values: fp64 ``[edges]`` or ``[edges, columns]``, bucket by bucket of their target.
        bucket_edges: Edges of each bucket.
        ranges: Ranges of each bucket.
        symmetric: Whether both directions of every edge had one weight before it was quantized.
    """
    return PackedEdgeWeights(_packed(values, bucket_edges, ranges), symmetric)


def unpack_edge_weights(
    held: CodeMatrix, row: Array, col: Array, bucket_edges: tuple[int, ...]
) -> PackedEdgeWeights:
    """Weights in both directions from what an artifact holds of symmetric ones.

    Args:
        held: Codes of the edges whose target comes after their source.
        row: Targets of all edges, in order.
        col: Their sources.
        bucket_edges: How many of all edges are in each bucket.
    """
    if held.width == 1:
        both = both_directions(_values(held), row, col)
        return pack_edge_weights(both, bucket_edges, held.ranges, symmetric=True)
    # Of several columns a few edges at a time, for their values take far more than their codes.
    edges = np.arange(sum(held.bucket_rows), dtype=np.float64)
    places = both_directions(edges, row, col).astype(np.int32)
    made, engine = CodeMatrix.empty(bucket_edges, held.width, held.ranges), NumpyEngine()
    for bucket, stop in enumerate(made.row_starts[1:].tolist()):
        for first in range(int(made.row_starts[bucket]), stop, _AT_ONCE):
            some = places[first : min(first + _AT_ONCE, stop)]
            engine.write(made, first, engine.take(held, some))
    return PackedEdgeWeights(made, symmetric=True)


def no_edge_weights(ranges: Ranges, *, symmetric: bool, columns: int = 1) -> PackedEdgeWeights:
    """No weights, and the ranges of those of other graphs.

    Args:
        ranges: Ranges of each bucket.
        symmetric: Whether both directions of an edge share a code where they have one weight.
        columns: Numbers that each edge has.
    """
    nothing = (0,) * len(ranges.bits)
    return pack_edge_weights(np.empty((0, columns)), nothing, ranges, symmetric=symmetric)


def both_directions(stored: Floats, row: Array, col: Array) -> Floats:
    """Of every edge the weight that is stored for it.

    Args:
        stored: Weights of the edges whose target comes after their source, in order.
        row: Targets of all edges, sorted by target, then source.
        col: Their sources.
    """
    lower = row > col
    out = np.empty((row.size, *stored.shape[1:]))
    out[lower] = stored
    out[~lower] = stored[np.lexsort((row[lower], col[lower]))]
    return out


def quantized_values(values: Floats, bucket_edges: tuple[int, ...], ranges: Ranges) -> Floats:
    """What codes of fp64 weights stand for, bucket by bucket; of the same shape."""
    return _values(_packed(values, bucket_edges, ranges))


def roots_of(weights: EdgeWeights, degrees: Array) -> Float32:
    """The roots of :func:`weight_roots`, where they are not known already."""
    if isinstance(weights, PackedEdgeWeights):
        return weight_roots(weights.values(), degrees)
    return weight_roots(weights.values, degrees) if weights.roots is None else weights.roots


def weight_roots(values: Floats, degrees: Array) -> Float32:
    """``1 / sqrt(d)`` of each row's weighted degree, its self-loop of weight 1 among it.

    It is 0 where the degree is not above 0.

    Args:
        values: fp64 ``[edges]``, row by row.
        degrees: ``[N]`` edges into each row.
    """
    rows = np.repeat(np.arange(degrees.size), degrees)
    sums = 1.0 + np.bincount(rows, values, minlength=degrees.size)
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = np.where(sums > 0, 1 / np.sqrt(sums), 0.0)
    return roots.astype(np.float32)


def _packed(values: Floats, counts: tuple[int, ...], ranges: Ranges) -> CodeMatrix:
    values = values[:, None] if values.ndim == 1 else values
    codes, start = np.empty(values.shape), 0
    for bucket, count in enumerate(counts):
        part = values[start : start + count]
        codes[start : start + count] = (
            ranges.codes(part, bucket) if ranges.is_quantized(bucket) else part
        )
        start += count
    return pack_matrix(codes, counts, ranges.bits, ranges)


def _values(codes: CodeMatrix) -> Floats:
    """fp64 values of a matrix, ``[rows]`` of one column and else ``[rows, columns]``."""
    parts = []
    for bucket, count in enumerate(codes.bucket_rows):
        bits, stream = codes.bits[bucket], codes.slice(bucket)
        if bits == FULL_PRECISION:
            parts.append(np.ascontiguousarray(stream).view("<f4").astype(np.float64))
        else:
            parts.append(
                codes.ranges.values(unpack_codes(stream, bits, count * codes.width), bucket)
            )
    flat: Floats = np.concatenate([np.empty(0), *parts])
    return flat if codes.width == 1 else flat.reshape(-1, codes.width)
