"""The steps of each kind of layer that a model in C may have."""

import numpy as np

from sgq_auto.packed.allocation import FEATURES
from sgq_auto.packed.device.lowering.attention_steps import agnn, gat, gatv2, transformer
from sgq_auto.packed.device.lowering.hop_steps import appnp, gcn2, sgc, tag
from sgq_auto.packed.device.lowering.layer_builder import LayerBuilder
from sgq_auto.packed.device.lowering.reduction_steps import gathering, pna, sum_of_features
from sgq_auto.packed.device.steps import Opcode, Register, Weighing
from sgq_auto.packed.device.unsupported import UnsupportedInCError
from sgq_auto.packed.runtime.layers.attention_based.agnn import AgnnLayer
from sgq_auto.packed.runtime.layers.attention_based.gat import GatLayer
from sgq_auto.packed.runtime.layers.attention_based.gatv2 import GatV2Layer
from sgq_auto.packed.runtime.layers.attention_based.transformer import TransformerLayer
from sgq_auto.packed.runtime.layers.gathering import GatheringLayer
from sgq_auto.packed.runtime.layers.gcn import GcnLayer
from sgq_auto.packed.runtime.layers.gin import GinLayer
from sgq_auto.packed.runtime.layers.gin_sum import GinSumLayer
from sgq_auto.packed.runtime.layers.layer import PackedLayer
from sgq_auto.packed.runtime.layers.linear import LinearLayer
from sgq_auto.packed.runtime.layers.multi_hop.appnp import AppnpLayer
from sgq_auto.packed.runtime.layers.multi_hop.gcn2 import Gcn2Layer
from sgq_auto.packed.runtime.layers.multi_hop.sgc import SgcLayer
from sgq_auto.packed.runtime.layers.multi_hop.tag import TagLayer
from sgq_auto.packed.runtime.layers.neighbor_sums import Aggregation, NeighborLayer
from sgq_auto.packed.runtime.layers.pna import PnaLayer
from sgq_auto.packed.runtime.layers.sage import SageLayer

# What these layers compute is known here; a kind that computes it in its own way is another one.
_RUNS = (
    LinearLayer.run,
    GcnLayer.run,
    NeighborLayer.run,
    GinLayer.run,
    GinSumLayer.run,
    AgnnLayer.run,
    GatLayer.run,
    GatV2Layer.run,
    TransformerLayer.run,
    SgcLayer.run,
    AppnpLayer.run,
    TagLayer.run,
    Gcn2Layer.run,
    GatheringLayer.run,
    PnaLayer.run,
)
_ENDS = (PackedLayer.finish, SageLayer.finish, GatheringLayer.finish)


def layer_steps(steps: LayerBuilder, layer: PackedLayer) -> Register:
    """Add the steps of a layer to the pass that is built, and give the row that it makes.

    Args:
        steps: Adds steps.
        layer: The layer.

    Raises:
        UnsupportedInCError: If it is of another kind, or reads features of edges.
    """
    name = layer.spec.name
    if layer.spec.edge_features:
        raise UnsupportedInCError(f"features of edges, which layer {name!r} reads")
    if type(layer).run not in _RUNS or type(layer).finish not in _ENDS:
        raise UnsupportedInCError(f"layer {name!r} of the kind {layer.kind}")
    match layer:
        case LinearLayer():
            return steps.finish(layer, steps.product(layer, "weight", layer.weight))
        case GcnLayer():
            return _gcn(steps, layer)
        case NeighborLayer():
            return _neighbors(steps, layer)
        case GinLayer():
            made = steps.embed(layer)
            return steps.finish(layer, _sum_with_itself(steps, layer, made, layer.eps))
        case GinSumLayer():
            return _gin_sum(steps, layer)
        case AgnnLayer():
            return agnn(steps, layer)
        case GatLayer():
            return gat(steps, layer)
        case GatV2Layer():
            return gatv2(steps, layer)
        case TransformerLayer():
            return transformer(steps, layer)
        case SgcLayer():
            return sgc(steps, layer)
        case AppnpLayer():
            return appnp(steps, layer)
        case TagLayer():
            return tag(steps, layer)
        case Gcn2Layer():
            return gcn2(steps, layer)
        case GatheringLayer():
            return gathering(steps, layer)
        case PnaLayer():
            return pna(steps, layer)
    raise AssertionError(layer.kind)


def _gcn(steps: LayerBuilder, layer: GcnLayer) -> Register:
    made, name = steps.embed(layer), f"{layer.spec.name}.attention"
    ranges = steps.passes.coefficients(name, layer.attention)
    width = layer.spec.transformed_features
    loops = layer.spec.gathers_itself
    value = steps.gather(layer, made, width, Weighing.BY_DEGREES, itself=loops, table2=ranges)
    return steps.finish(layer, value)


def _neighbors(steps: LayerBuilder, layer: NeighborLayer) -> Register:
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


def _gin_sum(steps: LayerBuilder, layer: GinSumLayer) -> Register:
    if steps.source == FEATURES:
        return sum_of_features(steps, layer)
    return steps.finish(layer, _sum_with_itself(steps, layer, steps.source, layer.eps))


def _sum_with_itself(
    steps: LayerBuilder, layer: PackedLayer, buffer: str, epsilon: float
) -> Register:
    eps = np.array([epsilon], dtype=np.float32)
    table = steps.passes.parameter(f"{layer.spec.name}.eps", eps)
    width, weighing = layer.spec.gathered_features, Weighing.BY_ONE_ITSELF_MORE
    return steps.gather(layer, buffer, width, weighing, itself=True, table2=table)
