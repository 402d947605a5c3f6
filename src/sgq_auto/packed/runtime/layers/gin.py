"""The sum of a graph isomorphism layer (Xu et al. 2019) with its first linear layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.layers.layer import (
    ConvLayer,
    Float32,
    LayerEntry,
    LayerParts,
    Shapes,
)
from sgq_auto.packed.runtime.weight_products import Source
from sgq_auto.packed.sizes.shape_specs import LayerSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class GinLayer(ConvLayer):
    """``y_i = (1 + eps) h_i + sum_j h_j + b`` over neighbours.

    A graph isomorphism layer sums its input and gives it to a network; the first linear layer of
    that network is part of this one, applied before the sum, where ``h`` is narrow.

    Attributes:
        eps: The weight of a node itself, less 1.
    """

    kind = "gin"

    eps: float

    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """A node is gathered as one of its neighbours, with a weight of its own."""
        hidden = self.embed(inference, source)

        def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            weights = np.ones((columns.size, 1))
            # Each row starts with the node itself.
            weights[rowptr[:-1]] += self.eps
            out = inference.engine.weighted_sum(rowptr, columns, weights, hidden)
            sink(chunk, self.finish(out))

        inference.for_edges(gather, width=hidden.width)

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:  # noqa: ARG003
        """Nothing but its widths and its bias: epsilon is a tensor."""
        return gin_spec(entry.name, entry.in_features, entry.out_features, bias=entry.bias), {}

    @classmethod
    def vector_shapes(cls, spec: LayerSpec) -> Shapes:  # noqa: ARG003
        """Epsilon."""
        return {"eps": (1,)}

    def vectors(self) -> dict[str, Float32]:
        """Epsilon besides the bias."""
        return super().vectors() | {"eps": np.array([self.eps], dtype=np.float32)}

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """Epsilon besides."""
        return super().arguments(parts) | {"eps": float(parts.vectors["eps"].item())}


def gin_spec(name: str, in_features: int, out_features: int, *, bias: bool) -> LayerSpec:
    """Sizes of the sum and the first linear layer.

    The rest of the layer's network are linear layers of their own.
    """
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(out_features, in_features),
        transformed_features=out_features,
        # Besides the bias, epsilon.
        vector_elements=1 + (out_features if bias else 0),
        gathered_features=out_features,
        gathers_itself=False,
        source_copies=1,
    )
