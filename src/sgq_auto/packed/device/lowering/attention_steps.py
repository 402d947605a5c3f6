"""The steps of layers whose neighbours are weighed by the softmax of scores."""

import numpy as np

from sgq_auto.packed.allocation import Component
from sgq_auto.packed.device.lowering.layer_builder import LayerBuilder
from sgq_auto.packed.device.steps import Opcode, Register, Scoring
from sgq_auto.packed.runtime.layers.attention_based.agnn import AgnnLayer
from sgq_auto.packed.runtime.layers.attention_based.gat import GatLayer
from sgq_auto.packed.runtime.layers.attention_based.gatv2 import GatV2Layer
from sgq_auto.packed.runtime.layers.attention_based.multi_head import MultiHeadLayer
from sgq_auto.packed.runtime.layers.attention_based.transformer import TransformerLayer
from sgq_auto.packed.runtime.layers.layer import Float32
from sgq_auto.packed.sizes.device_footprint import CodeSum


def agnn(steps: LayerBuilder, layer: AgnnLayer) -> Register:
    """Scores ``beta cos(x_i, x_j)`` of the layer's input, which is what is gathered too."""
    value = _gathered(steps, layer, steps.source, Scoring.COSINES, layer.beta)
    return steps.finish(layer, value)


def gat(steps: LayerBuilder, layer: GatLayer) -> Register:
    """Scores ``leaky(a_s h_j + a_d h_i)``."""
    made = steps.embed(layer)
    vectors = layer.source_vectors, layer.target_vectors
    value = _gathered(steps, layer, made, Scoring.SUMS, layer.negative_slope, *vectors)
    return steps.finish(layer, _with_own(steps, layer, value))


def gatv2(steps: LayerBuilder, layer: GatV2Layer) -> Register:
    """Scores ``a leaky(l_j + r_i)``; ``l`` and ``r`` lie side by side, or are the same."""
    made, slope = steps.embed(layer, layer.made_bias), layer.negative_slope
    value = _gathered(steps, layer, made, Scoring.BENT_SUMS, slope, layer.score_vectors)
    return steps.finish(layer, _with_own(steps, layer, value))


def transformer(steps: LayerBuilder, layer: TransformerLayer) -> Register:
    """Scores ``q_i k_j / sqrt(channels)``; queries, keys and values lie side by side."""
    made = steps.embed(layer, layer.made_bias)
    scale = 1 / np.sqrt(layer.heads.channels)
    value = _gathered(steps, layer, made, Scoring.PRODUCTS, float(scale))
    return steps.finish(layer, _with_own(steps, layer, value))


def _gathered(
    steps: LayerBuilder,
    layer: AgnnLayer | MultiHeadLayer,
    made: str,
    scoring: Scoring,
    number: float,
    *vectors: Float32,
) -> Register:
    """What a node gathers, heads side by side or averaged."""
    name, spec, passes = layer.spec.name, layer.spec, steps.passes
    width, heads, terms = spec.gathered_features, spec.heads, steps.most_neighbors
    passes.start_pass()
    passes.scorings.add(scoring)
    numbers = [np.array([number]), *(vector.ravel() for vector in vectors)]
    tables = {
        "table": passes.gathered(made),
        "table2": passes.coefficients(f"{name}.attention", layer.attention),
        "extra": passes.parameter(f"{name}.scores", np.concatenate(numbers).astype(np.float32)),
    }
    # Scores read the row of a node itself too.
    passes.row_of(made)
    sites = (name, Component.ATTENTION), (name, Component.EMBEDDING)
    passes.head_sums(width, heads, CodeSum(terms, *sites, gathers=True))
    extra = heads | spec.gathers_itself << 16 | scoring << 17
    scratch = Register(3 * heads)
    given = {"tables": tables, "extra": extra, "scratch": scratch, "buffer": made, "gathers": True}
    value = passes.add(Opcode.ATTENTION, width, **given)
    if isinstance(layer, MultiHeadLayer) and not layer.concat:
        value = passes.add(Opcode.MEAN_HEADS, width // heads, value, extra=heads)
    return value


def _with_own(steps: LayerBuilder, layer: MultiHeadLayer, value: Register) -> Register:
    """A node's own term besides, where it has one: added, or weighed by a gate."""
    if layer.root is None:
        return value
    own, name = steps.product(layer, "root_weight", layer.root), layer.spec.name
    if isinstance(layer, TransformerLayer):
        if layer.own_bias is not None:
            own = steps.with_numbers(Opcode.BIAS, own, f"{name}.own_bias", layer.own_bias)
        if layer.gate is not None:
            tables = {"table": steps.passes.parameter(f"{name}.gate", layer.gate)}
            return steps.passes.add(Opcode.GATE, value.width, value, own, tables=tables)
    return steps.passes.add(Opcode.ADD, value.width, value, own)
