"""The sum of a graph isomorphism layer (Xu et al. 2019) by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgq_auto.errors import ArtifactError
from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.layers.layer import Float32, LayerEntry, LayerParts, PackedLayer
from sgq_auto.packed.runtime.neighbor_reductions import NeighborRows
from sgq_auto.packed.runtime.weight_products import Source
from sgq_auto.packed.sizes.shape_specs import LayerSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class GinSumLayer(PackedLayer):
    """``y_i = (1 + eps) x_i + sum_j x_j`` over neighbours.

    For a network that does not start with a linear layer; with one, there is ``GinLayer``.

    Attributes:
        eps: The weight of a node itself, less 1.
    """

    kind = "gin_sum"

    eps: float

    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """A node is gathered as one of its neighbours, with a weight of its own."""
        rows = NeighborRows(inference, source)

        def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
            weights = np.ones((columns.size, 1))
            # Each row starts with the node itself.
            weights[rowptr[:-1]] += self.eps
            sink(chunk, self.finish(rows.sums(rowptr, columns, weights)))

        inference.for_edges(gather, width=rows.width)

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:  # noqa: ARG003
        """Nothing but its width: epsilon is a tensor."""
        if entry.out_features != entry.in_features or entry.bias:
            raise ArtifactError(f"{entry.name}: a sum keeps its width and has no bias")
        return gin_sum_spec(entry.name, entry.in_features), {}

    def vectors(self) -> dict[str, Float32]:
        """Epsilon."""
        return super().vectors() | {"eps": np.array([self.eps], dtype=np.float32)}

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """Epsilon besides."""
        return super().arguments(parts) | {"eps": float(parts.vectors["eps"].item())}


def gin_sum_spec(name: str, in_features: int) -> LayerSpec:
    """Sizes of the sum; the layer's network are layers of their own."""
    return LayerSpec(
        name=name,
        in_features=in_features,
        vector_elements=1,
        vectors=(("eps", (1,)),),
        gathered_features=in_features,
        gathers_itself=False,
        source_copies=1,
    )
