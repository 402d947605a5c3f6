"""Sparse node features as a model in C holds them: columns that are used most come first."""

from dataclasses import dataclass

import numpy as np

from sgq_auto.packed.codes.bit_packing import Array, Bytes, pack_codes, unpack_codes
from sgq_auto.packed.codes.code_matrix import CodeMatrix
from sgq_auto.packed.codes.coded_rows import BitmapRows, EliasFanoRows
from sgq_auto.packed.codes.gap_rows import GapRows, code_gaps
from sgq_auto.packed.runtime.graphs.packed_features import PackedFeatures
from sgq_auto.packed.sizes.shape_specs import GraphSpec


@dataclass(frozen=True, eq=False)
class SparseFeatures:
    """Coded places of stored features, and the codes of their values.

    Attributes:
        rows: The places.
        values: The codes of the values, in the order of the places.
        order: The feature of each column; ``None`` where columns are features.
    """

    rows: GapRows
    values: Bytes
    order: Array | None


def sparse_features(
    features: PackedFeatures, graph: GraphSpec, *, reorders: bool
) -> SparseFeatures:
    """The stored features of a graph.

    Args:
        features: The features as the packed runtime holds them; not dense.
        graph: The graph.
        reorders: Whether columns may be put in another order: whoever reads them must know.
    """
    row, column = _coordinates(features, graph.num_nodes)
    width = features.spec.num_features
    counts, order, values = np.bincount(row, minlength=graph.num_nodes), None, features.values
    stream = values.stream
    if reorders:
        order = np.argsort(-np.bincount(column, minlength=width), kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(width)
        column = rank[column]
        places = np.argsort(row * width + column)
        column = column[places]
        stream = with_rows(values, places).stream
    rows = code_gaps(counts, column, graph.bucket_nodes, _zone_ends(width))
    return SparseFeatures(rows, stream, order)


def with_rows(matrix: CodeMatrix, order: Array) -> CodeMatrix:
    """A matrix whose row ``k`` is row ``order[k]`` of another; both are of one bucket."""
    parts, start = [], 0
    for bucket, (rows, bits) in enumerate(zip(matrix.bucket_rows, matrix.bits, strict=True)):
        if bits and rows:
            codes = unpack_codes(matrix.slice(bucket), bits, rows * matrix.width)
            own = order[start : start + rows] - start
            parts.append(pack_codes(codes.reshape(rows, matrix.width)[own], bits))
        start += rows
    stream = np.concatenate([np.empty(0, np.uint8), *parts])
    return CodeMatrix(matrix.bucket_rows, matrix.width, matrix.bits, matrix.ranges, stream)


def _zone_ends(width: int) -> list[int]:
    """Zones that double, because the use of columns falls about as a power of their place."""
    ends = [1]
    while ends[-1] < width:
        ends.append(2 * ends[-1] + 1)
    return [*ends[:-1], width]


def _coordinates(features: PackedFeatures, nodes: int) -> tuple[Array, Array]:
    """Rows and columns of the stored features, in order."""
    pattern = features.pattern
    if isinstance(pattern, EliasFanoRows):
        return pattern.coordinates()
    assert isinstance(pattern, BitmapRows)
    size = nodes * pattern.columns
    positions = np.flatnonzero(np.unpackbits(pattern.bitmap, count=size, bitorder="little"))
    row, column = np.divmod(positions, pattern.columns)
    return row, column
