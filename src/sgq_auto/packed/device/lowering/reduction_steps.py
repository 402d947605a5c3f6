"""The steps of layers that gather first: reductions of neighbours, which a weight then reads."""

import numpy as np

from sgq_auto.packed.allocation import FEATURES
from sgq_auto.packed.device.lowering.layer_builder import LayerBuilder
from sgq_auto.packed.device.lowering.operation_steps import FUNCTIONS
from sgq_auto.packed.device.steps import DegreeFactor, Opcode, Register
from sgq_auto.packed.runtime.layers.gathering import GatheringLayer
from sgq_auto.packed.runtime.layers.gin_sum import GinSumLayer
from sgq_auto.packed.runtime.layers.pna import PnaLayer, Scaler
from sgq_auto.packed.runtime.neighbor_reductions import Reduction
from sgq_auto.packed.runtime.operations.elementwise import Function

_SPREADS = (Reduction.VAR, Reduction.STD)


def gathering(steps: LayerBuilder, layer: GatheringLayer) -> Register:
    """``y = [max_j h_j, ...] W + x_i W_r + b``, where ``h`` is the input, or is projected."""
    value = steps.reduce(_projected(steps, layer), layer.reductions)
    value = steps.transform(layer, "weight", layer.weight, value)
    if layer.root is not None:
        own = steps.product(layer, "root_weight", layer.root)
        value = steps.passes.add(Opcode.ADD, value.width, value, own)
    value = steps.finish(layer, value)
    return steps.unit_rows(layer, value) if layer.normalize else value


def pna(steps: LayerBuilder, layer: PnaLayer) -> Register:
    """``y = x_i W_o + [s (r_j (t_i + h_j)), ...] W_p + b`` with ``t_i = x_i W_t + b_t``."""
    value = _shifted(steps, layer, steps.reduce(steps.embed(layer), layer.reductions))
    value = steps.transform(layer, "post_weight", layer.post, _scaled(steps, layer, value))
    own = steps.product(layer, "own_weight", layer.own)
    return steps.finish(layer, steps.passes.add(Opcode.ADD, value.width, value, own))


def sum_of_features(steps: LayerBuilder, layer: GinSumLayer) -> Register:
    """``y = (1 + eps) x_i + sum_j x_j`` of node features."""
    value = steps.reduce(FEATURES, [Reduction.SUM])
    numbers = np.array([1 + layer.eps, 0.0], dtype=np.float32)
    own = steps.with_numbers(Opcode.SCALE, steps.row(FEATURES), f"{layer.spec.name}.own", numbers)
    return steps.finish(layer, steps.passes.add(Opcode.ADD, value.width, value, own))


def _projected(steps: LayerBuilder, layer: GatheringLayer) -> str:
    """What is gathered: the input, or ``Q(relu(x W_p + b_p))``."""
    if layer.project is None or layer.transformed is None:
        return steps.source
    name, made = layer.spec.name, f"{layer.spec.name}.transformed"
    value = steps.product(layer, "project_weight", layer.project)
    if layer.project_bias is not None:
        value = steps.with_numbers(Opcode.BIAS, value, f"{made}.bias", layer.project_bias)
    nothing, relu = np.zeros(1, dtype=np.float32), FUNCTIONS[Function.RELU]
    value = steps.with_numbers(Opcode.ACTIVATE, value, f"{made}.relu", nothing, extra=relu)
    steps.passes.write(made, name, value, layer.transformed)
    return made


def _shifted(steps: LayerBuilder, layer: PnaLayer, value: Register) -> Register:
    """Reductions of ``h_j`` as those of ``t_i + h_j``: what spreads stays as it is."""
    passes, name = steps.passes, layer.spec.name
    target = steps.product(layer, "target_weight", layer.target)
    target = steps.with_numbers(Opcode.BIAS, target, f"{name}.target_bias", layer.target_bias)
    width, added = target.width, {}
    for position, reduction in enumerate(layer.reductions):
        if reduction in _SPREADS:
            continue
        by = DegreeFactor.COUNT if reduction is Reduction.SUM else DegreeFactor.ANY
        if by not in added:
            added[by] = _by_degree(steps, layer, target, by)
        columns = (position * width, position * width)
        passes.into(value, Opcode.ADD, width, value, added[by], columns=columns)
    return value


def _scaled(steps: LayerBuilder, layer: PnaLayer, value: Register) -> Register:
    """A row once for each scaler, side by side."""
    width, passes = value.width, steps.passes
    scaled = Register(width * len(layer.scalers))
    for position, scaler in enumerate(layer.scalers):
        part = value
        if scaler is not Scaler.IDENTITY:
            part = _by_degree(steps, layer, value, DegreeFactor[scaler.name])
        passes.into(scaled, Opcode.COPY, width, part, columns=(position * width, 0))
    return scaled


def _by_degree(steps: LayerBuilder, layer: PnaLayer, value: Register, by: DegreeFactor) -> Register:
    """A row times a number that follows from a node's degree."""
    name = f"{layer.spec.name}.degree_averages"
    return steps.with_numbers(Opcode.SCALE_BY_DEGREE, value, name, layer.degree_averages, extra=by)
