"""What twins share that read the features of edges: checks, self-loops, and their own matrix."""

from typing import Any

import torch
from torch import Tensor, nn

from sgq_auto.errors import InputError
from sgq_auto.graphs import CsrPattern
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.quantize.forward.edge_weights import EdgeWeights, QuantizedEdgeWeights
from sgq_auto.quantize.packed_parts import packed_weight_of
from sgq_auto.quantize.quantized_layer import QuantizedLayer

# The name of the matrix of edges among a packed layer's weights.
_MATRIX = "edge_matrix"


def loop_fill(source: Any) -> float | None:
    """What a layer gives the self-loops that it adds: a number, or ``None`` for the mean."""
    fill = getattr(source, "fill_value", None)
    return float(fill) if isinstance(fill, int | float) else None


def fill_differs(source: Any) -> str | None:
    """What self-loops are given, if that is neither the mean of a node's edges nor a number."""
    adds = getattr(source, "add_self_loops", False) and source.edge_dim is not None
    fill = getattr(source, "fill_value", None)
    known = isinstance(fill, int | float) or (isinstance(fill, str) and fill == "mean")
    if not adds or known:
        return None
    return f"fill_value={fill if isinstance(fill, str) else type(fill).__name__!r}"


class EdgeFeatureLayer(QuantizedLayer):
    """A layer that may read features of edges.

    Attributes:
        edge_dim: How many features of an edge it reads; ``None`` for a layer that reads none.
        fill: What self-loops have for features; ``None`` for the mean of a node's edges.
        loops: Whether a node is among those that it gathers.
    """

    edge_dim: int | None = None
    fill: float | None = None
    loops: bool = False
    edge_quantizer: nn.Module

    def featured_pattern(self, edge_index: Any, edge_attr: Any, **unsupported: Any) -> CsrPattern:
        """The graph's pattern behind ``edge_index``; features are kept as ``edge_weights``.

        Raises:
            InputError: If features are missing, are not the graph's own, or are of another width.
        """
        if self.edge_dim is None:
            return self.pattern(edge_index, edge_attr=edge_attr, **unsupported)
        pattern = self.pattern(edge_index, **unsupported)
        weights = _own_features(self.name, edge_attr, self.edge_dim)
        weights.was_read = True
        self.edge_weights = weights
        return pattern

    def edge_rows(self, rows: slice, dtype: torch.dtype) -> Tensor:
        """Features ``[entries, edge_dim]`` of the edges into some rows, self-loops as they are."""
        assert self.edge_weights is not None
        features = self.edge_weights.features(self.fill, loops=self.loops, dtype=dtype)
        if rows == slice(None):
            return features
        own = self.edge_weights.pattern
        rowptr = (own if self.loops else own.without_loops).rowptr
        return features[int(rowptr[rows.start]) : int(rowptr[rows.stop])]

    def with_edge_matrix(self, parts: LayerParts, matrix: Tensor) -> LayerParts:
        """The parts of the packed layer with the matrix ``[out, edge_dim]`` of its edges."""
        packed = packed_weight_of(matrix, self.edge_quantizer)
        return LayerParts(
            parts.spec,
            parts.inputs,
            parts.made,
            parts.hops,
            {**parts.weights, _MATRIX: packed},
            parts.vectors,
            parts.settings,
        )


def _own_features(name: str, edge_attr: Any, width: int) -> QuantizedEdgeWeights:
    if edge_attr is None:
        raise InputError(
            f"{name}: it reads {width} features of each edge and is called without edge_attr; give "
            "the graph edge_attr [E, columns] and pass it on, or leave out edge_dim"
        )
    if not isinstance(edge_attr, EdgeWeights):
        raise InputError(
            f"{name}: it is called with edge_attr that the model makes or changes; quantized "
            "layers take the features of edges as they are, and edge_dim=COLUMNS gives such a "
            "layer a matrix for them"
        )
    weights = edge_attr.weights
    if weights.columns != width:
        verb = "feature" if width == 1 else "features"
        raise InputError(
            f"{name}: it reads {width} {verb} of each edge (edge_dim), and each edge of the graph "
            f"has {weights.columns}"
        )
    return weights
