"""Steps that layers of several kinds have: products, sums over neighbours, biases."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgq_auto.packed.allocation import EDGE_WEIGHTS, FEATURES, Component
from sgq_auto.packed.codes.code_matrix import PackedWeight
from sgq_auto.packed.device.passes import Passes
from sgq_auto.packed.device.steps import (
    REDUCTION_BITS,
    WEIGHTED,
    WITH_ITSELF,
    Opcode,
    Reduced,
    Register,
    Weighing,
)
from sgq_auto.packed.runtime.layers.layer import ConvLayer, Float32, PackedLayer
from sgq_auto.packed.runtime.neighbor_reductions import Reduction
from sgq_auto.packed.sizes.device_footprint import CodeSum
from sgq_auto.packed.sizes.shape_specs import GraphSpec

# PyG's normalisation divides by no less.
_SMALLEST_LENGTH = 1e-12


@dataclass(frozen=True, eq=False)
class LayerBuilder:
    """Adds steps that layers of several kinds have to the pass that is built.

    Attributes:
        passes: The passes so far.
        graph: Counts of the graph.
        source: What the layer reads: a buffer, or the node features.
        further: The buffers that it reads besides.
    """

    passes: Passes
    graph: GraphSpec
    source: str
    further: tuple[str, ...] = ()

    @property
    def most_neighbors(self) -> int:
        """How many neighbours a node may have, itself among them.

        Of a graph that is given nothing is known but that it has no more nodes than the largest.
        """
        return self.graph.max_in_degree + 1 if self.graph.holds_edges else self.graph.num_nodes

    def product(self, layer: PackedLayer, key: str, weight: PackedWeight) -> Register:
        """``x W`` of the layer's input and a weight."""
        width, name = weight.codes.width, layer.spec.name
        tables = {"table2": self._weight(layer, key, weight)}
        read, site = self.passes.row_of(self.source), (name, Component.EMBEDDING)
        opcode, site = (
            (Opcode.FEATURE_PRODUCT, (FEATURES, Component.EMBEDDING))
            if read == FEATURES
            else (Opcode.PRODUCT, site)
        )
        tables["table"] = read
        rows = weight.codes.bucket_rows[0]
        self.passes.sums(width, CodeSum(rows, site, (name, Component.WEIGHT)))
        buffer = None if read == FEATURES else self.source
        return self.passes.add(opcode, width, tables=tables, buffer=buffer)

    def transform(
        self, layer: PackedLayer, key: str, weight: PackedWeight, value: Register
    ) -> Register:
        """``r W`` of a row of numbers, which has no codes, and a weight."""
        width, tables = weight.codes.width, {"table2": self._weight(layer, key, weight)}
        self.passes.sums(width)
        return self.passes.add(
            Opcode.TRANSFORM, width, value, tables=tables, extra=weight.codes.bucket_rows[0]
        )

    def row(self, source: str) -> Register:
        """The row of a buffer, or of the node features, that the node at hand has."""
        width = self._width_of(source)
        if source == FEATURES:
            return self.passes.add(Opcode.READ_FEATURES, width, tables={"table": FEATURES})
        tables = {"table": self.passes.row_of(source)}
        return self.passes.add(Opcode.READ, width, tables=tables, buffer=source)

    def reduce(self, source: str, reductions: Sequence[Reduction]) -> Register:
        """Reductions of neighbours' rows side by side, in a pass of their own."""
        self.passes.start_pass()
        width, of_features = self._width_of(source), source == FEATURES
        listed = [Reduced[reduction.name] for reduction in reductions]
        # Variances need means, which are made before them.
        spreads = int(not {Reduced.VAR, Reduced.STD}.isdisjoint(listed))
        given: dict[str, Any] = {
            "tables": {"table": source if of_features else self.passes.gathered(source)},
            "extra": sum(which << REDUCTION_BITS * k for k, which in enumerate(listed)),
            "scratch": Register(width * (1 + spreads)),
            "buffer": None if of_features else source,
            "gathers": True,
            "made": width * len(listed),
        }
        opcode = Opcode.REDUCE_FEATURES if of_features else Opcode.REDUCE
        return self.passes.add(opcode, width, **given)

    def _width_of(self, source: str) -> int:
        is_features = source == FEATURES
        return self.graph.features.num_features if is_features else self.passes.width_of(source)

    def _weight(self, layer: PackedLayer, key: str, weight: PackedWeight) -> str:
        return self.passes.weight(f"{layer.spec.name}.{key}", weight)

    def embed(self, layer: ConvLayer, bias: Float32 | None = None) -> str:
        """``h = Q(x W)``, or ``Q(x W + b)``, which the next pass gathers: its name."""
        made = f"{layer.spec.name}.transformed"
        value = self.product(layer, "weight", layer.weight)
        if bias is not None:
            value = self.with_numbers(Opcode.BIAS, value, f"{made}.bias", bias)
        self.passes.write(made, layer.spec.name, value, layer.transformed)
        return made

    def gather(
        self,
        layer: PackedLayer,
        buffer: str,
        width: int,
        weighing: Weighing,
        *,
        itself: bool,
        table2: str | None = None,
    ) -> Register:
        """Sums over neighbours, in a pass of their own."""
        self.passes.start_pass()
        tables = {"table": self.passes.gathered(buffer)}
        if table2 is not None:
            tables["table2"] = table2
        terms, name = self.most_neighbors, layer.spec.name
        left = (name, Component.ATTENTION) if weighing is Weighing.BY_DEGREES else None
        if layer.spec.edge_weights:
            left = left or (EDGE_WEIGHTS, Component.ATTENTION)
        self.passes.sums(width, CodeSum(terms, left, (name, Component.EMBEDDING), gathers=True))
        extra = weighing + (WITH_ITSELF if itself else 0)
        extra += WEIGHTED if layer.spec.edge_weights else 0
        given = {"tables": tables, "extra": extra, "buffer": buffer, "gathers": True}
        return self.passes.add(Opcode.GATHER, width, **given)

    def finish(self, layer: PackedLayer, value: Register) -> Register:
        """The bias."""
        if layer.bias is None:
            return value
        return self.with_numbers(Opcode.BIAS, value, f"{layer.spec.name}.bias", layer.bias)

    def with_numbers(
        self, opcode: Opcode, value: Register, name: str, numbers: Float32, extra: int = 0
    ) -> Register:
        """A step on a row that reads some parameters."""
        tables = {"table": self.passes.parameter(name, numbers)}
        return self.passes.add(opcode, value.width, value, tables=tables, extra=extra)

    def unit_rows(self, layer: PackedLayer, value: Register) -> Register:
        """Rows divided by their length."""
        least = np.array([_SMALLEST_LENGTH], dtype=np.float32)
        return self.with_numbers(
            Opcode.NORMALIZE_ROWS, value, f"{layer.spec.name}.smallest_length", least
        )
