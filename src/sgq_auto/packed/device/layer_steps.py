"""The steps of each kind of layer that a model in C may have."""

from dataclasses import dataclass

import numpy as np

from sgq_auto.packed.allocation import FEATURES, Component
from sgq_auto.packed.codes.code_matrix import PackedWeight
from sgq_auto.packed.device.passes import Passes
from sgq_auto.packed.device.steps import WITH_ITSELF, Opcode, Register, Weighing
from sgq_auto.packed.device.unsupported import UnsupportedInCError
from sgq_auto.packed.runtime.layers.attention_based.gat import GatLayer
from sgq_auto.packed.runtime.layers.gcn import GcnLayer
from sgq_auto.packed.runtime.layers.gin import GinLayer
from sgq_auto.packed.runtime.layers.gin_sum import GinSumLayer
from sgq_auto.packed.runtime.layers.layer import ConvLayer, Float32, PackedLayer
from sgq_auto.packed.runtime.layers.linear import LinearLayer
from sgq_auto.packed.runtime.layers.neighbor_sums import Aggregation, NeighborLayer
from sgq_auto.packed.runtime.layers.sage import SageLayer
from sgq_auto.packed.sizes.device_footprint import CodeSum
from sgq_auto.packed.sizes.shape_specs import GraphSpec

# What these layers compute is known here; a kind that computes it in its own way is another one.
_RUNS = (
    LinearLayer.run,
    GcnLayer.run,
    NeighborLayer.run,
    GinLayer.run,
    GinSumLayer.run,
    GatLayer.run,
)
_ENDS = (PackedLayer.finish, SageLayer.finish)
# PyG's normalisation divides by no less.
_SMALLEST_LENGTH = 1e-12


@dataclass(frozen=True, eq=False)
class LayerSteps:
    """Adds the steps of a layer to the pass that is built.

    Attributes:
        passes: The passes so far.
        graph: Counts of the graph.
        source: What the layer reads: a buffer, or the node features.
    """

    passes: Passes
    graph: GraphSpec
    source: str

    def of(self, layer: PackedLayer) -> Register:
        """The steps of a layer, and the row that it makes.

        Raises:
            UnsupportedInCError: If it is of another kind, or reads weights of edges.
        """
        name = layer.spec.name
        if layer.spec.edge_weights:
            raise UnsupportedInCError(f"weights of edges, which layer {name!r} reads")
        if type(layer).run not in _RUNS or type(layer).finish not in _ENDS:
            raise UnsupportedInCError(f"layer {name!r} of the kind {layer.kind}")
        match layer:
            case LinearLayer():
                return self.finish(layer, self.product(layer, "weight", layer.weight))
            case GcnLayer():
                return _gcn(self, layer)
            case NeighborLayer():
                return _neighbors(self, layer)
            case GinLayer():
                made = self.embed(layer)
                return self.finish(layer, _sum_with_itself(self, layer, made, layer.eps))
            case GinSumLayer():
                return _gin_sum(self, layer)
            case GatLayer():
                return _gat(self, layer)
        raise AssertionError(layer.kind)

    def product(self, layer: PackedLayer, key: str, weight: PackedWeight) -> Register:
        """``x W`` of the layer's input and a weight."""
        width, name = weight.codes.width, layer.spec.name
        tables = {"table2": self.passes.weight(f"{name}.{key}", weight)}
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

    def embed(self, layer: ConvLayer) -> str:
        """``h = Q(x W)``, which the next pass gathers: its name."""
        made = f"{layer.spec.name}.transformed"
        value = self.product(layer, "weight", layer.weight)
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
        terms, name = self.graph.max_in_degree + 1, layer.spec.name
        by_code = weighing is Weighing.BY_DEGREES
        left = (name, Component.ATTENTION) if by_code else None
        self.passes.sums(width, CodeSum(terms, left, (name, Component.EMBEDDING), gathers=True))
        extra = weighing + (WITH_ITSELF if itself else 0)
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


def _gcn(steps: LayerSteps, layer: GcnLayer) -> Register:
    made, name = steps.embed(layer), f"{layer.spec.name}.attention"
    ranges = steps.passes.coefficients(name, layer.attention)
    width = layer.spec.transformed_features
    loops = layer.spec.gathers_itself
    value = steps.gather(layer, made, width, Weighing.BY_DEGREES, itself=loops, table2=ranges)
    return steps.finish(layer, value)


def _neighbors(steps: LayerSteps, layer: NeighborLayer) -> Register:
    made, width = steps.embed(layer), layer.spec.transformed_features
    is_mean = layer.aggregation is Aggregation.MEAN
    weighing = Weighing.BY_SHARE if is_mean else Weighing.BY_ONE
    value = steps.gather(layer, made, width, weighing, itself=False)
    if layer.root is not None:
        own = steps.product(layer, "root_weight", layer.root)
        value = steps.passes.add(Opcode.ADD, width, value, own)
    value = steps.finish(layer, value)
    is_unit = isinstance(layer, SageLayer) and layer.normalize
    return steps.unit_rows(layer, value) if is_unit else value


def _gin_sum(steps: LayerSteps, layer: GinSumLayer) -> Register:
    if steps.source == FEATURES:
        raise UnsupportedInCError(
            f"layer {layer.spec.name!r} sums node features before a weight makes them narrow"
        )
    return steps.finish(layer, _sum_with_itself(steps, layer, steps.source, layer.eps))


def _sum_with_itself(
    steps: LayerSteps, layer: PackedLayer, buffer: str, epsilon: float
) -> Register:
    eps = np.array([epsilon], dtype=np.float32)
    table = steps.passes.parameter(f"{layer.spec.name}.eps", eps)
    width, weighing = layer.spec.gathered_features, Weighing.BY_ONE_ITSELF_MORE
    return steps.gather(layer, buffer, width, weighing, itself=True, table2=table)


def _gat(steps: LayerSteps, layer: GatLayer) -> Register:
    made, name, heads = steps.embed(layer), layer.spec.name, layer.spec.heads
    width = layer.spec.transformed_features
    passes, terms = steps.passes, steps.graph.max_in_degree + 1
    passes.start_pass()
    vectors = (layer.source_vectors, layer.target_vectors)
    numbers = [np.array([layer.negative_slope]), *(vector.ravel() for vector in vectors)]
    tables = {
        "table": passes.gathered(made),
        "table2": passes.coefficients(f"{name}.attention", layer.attention),
        "extra": passes.parameter(f"{name}.vectors", np.concatenate(numbers).astype(np.float32)),
    }
    sites = (name, Component.ATTENTION), (name, Component.EMBEDDING)
    passes.head_sums(width, heads, CodeSum(terms, *sites, gathers=True))
    extra = heads | layer.spec.gathers_itself << 16
    scratch = Register(3 * heads)
    given = {"tables": tables, "extra": extra, "scratch": scratch, "buffer": made, "gathers": True}
    value = passes.add(Opcode.ATTENTION, width, **given)
    if not layer.concat:
        value = passes.add(Opcode.MEAN_HEADS, width // heads, value, extra=heads)
    if layer.root is not None:
        own = steps.product(layer, "root_weight", layer.root)
        value = passes.add(Opcode.ADD, value.width, value, own)
    return steps.finish(layer, value)
