"""What kinds share that average or sum up a node's neighbours, without a coefficient an edge."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import PackedWeight
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.codes.ranges import Floats
from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.layers.layer import ConvLayer, LayerParts
from sgq_auto.packed.runtime.weight_products import Source
from sgq_auto.packed.sizes.shape_specs import LayerSpec

_SMALLEST_LENGTH = 1e-12


class Aggregation(StrEnum):
    """What a layer without coefficients makes of a node's neighbours."""

    MEAN = "mean"
    SUM = "sum"


@dataclass(frozen=True, eq=False, kw_only=True)
class NeighborLayer(ConvLayer):
    """``y_i = mean_j h_j + x_i W_r + b`` over neighbours, without the node itself; 0 without any.

    Attributes:
        aggregation: Whether neighbours are averaged or summed.
        root: ``W_r``, ``[in, out]``, or ``None`` without the node's own term.
    """

    aggregation: Aggregation
    root: PackedWeight | None

    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """A node's own term is made when its neighbours are gathered, so it is never held."""
        hidden = self.embed(inference, source)
        own = None if self.root is None else inference.product(source, self.root)

        def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            weights = np.ones(columns.size)
            if self.spec.edge_weights:
                weights = inference.edge_weights(chunk, rowptr, columns, loops=False)
            out = inference.engine.weighted_sum(rowptr, columns, weights[:, None], hidden)
            if self.aggregation is Aggregation.MEAN:
                out /= np.maximum(np.diff(rowptr), 1)[:, None]
            if own is not None:
                out += own(chunk)
            sink(chunk, self.finish(out))

        width = hidden.width if own is None else max(hidden.width, own.row_values)
        costs = 0 if own is None else own.costs
        inference.for_edges(gather, width=width, loops=False, other_costs=costs)

    @classmethod
    def weight_shapes(cls, spec: LayerSpec) -> dict[str, tuple[int, int]]:
        """A second matrix of the same shape, where a node has a term of its own."""
        shapes = super().weight_shapes(spec)
        return shapes | ({"root_weight": shapes["weight"]} if spec.root_weight else {})

    def weights(self) -> dict[str, PackedWeight]:
        """The root weight besides, where there is one."""
        own = {} if self.root is None else {"root_weight": self.root}
        return super().weights() | own

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """The root weight besides, where there is one."""
        return super().arguments(parts) | {"root": parts.weights.get("root_weight")}


def neighbor_spec(
    name: str,
    in_features: int,
    out_features: int,
    *,
    root_weight: bool,
    bias: bool,
    edge_weights: bool = False,
) -> LayerSpec:
    """Sizes of such a layer, whose neighbours are transformed before they are gathered."""
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(out_features, in_features),
        root_weight=root_weight,
        transformed_features=out_features,
        vector_elements=out_features if bias else 0,
        gathered_features=out_features,
        gathers_itself=False,
        source_copies=1,
        edge_weights=edge_weights,
    )


def unit_rows(x: Floats) -> Floats:
    """Rows divided by their length, as PyG does: by no less than 1e-12; changes ``x``."""
    lengths = np.sqrt(np.einsum("rc,rc->r", x, x))
    x /= np.maximum(lengths, _SMALLEST_LENGTH)[:, None]
    return x
