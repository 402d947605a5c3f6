"""The steps of layers that pass messages several times: a pass for each hop."""

import numpy as np

from sgq_auto.packed.device.lowering.layer_builder import LayerBuilder
from sgq_auto.packed.device.steps import Opcode, Register, Weighing
from sgq_auto.packed.runtime.layers.multi_hop.appnp import AppnpLayer
from sgq_auto.packed.runtime.layers.multi_hop.sgc import SgcLayer
from sgq_auto.packed.runtime.layers.multi_hop.tag import TagLayer


def sgc(steps: LayerBuilder, layer: SgcLayer) -> Register:
    """``y = Q(A)^K h + b`` with ``h = Q(x W)``, what each hop makes quantized."""
    held = steps.embed(layer)
    for position in range(len(layer.hops) + 1):
        value = _hop(steps, layer, held)
        held = _between(steps, layer, position, value)
    return steps.finish(layer, value)


def appnp(steps: LayerBuilder, layer: AppnpLayer) -> Register:
    """``z <- (1 - alpha) Q(A) Q(z) + alpha x``, from ``z = x`` on."""
    held, passes, width = steps.source, steps.passes, layer.spec.in_features
    name = layer.spec.name
    for position in range(len(layer.hops) + 1):
        value = _hop(steps, layer, held)
        shares = [(value, 1 - layer.alpha), (_own_row(steps, width), layer.alpha)]
        scaled = [
            steps.with_numbers(
                Opcode.SCALE, row, f"{name}.share{k}", np.array([share, 0.0], dtype=np.float32)
            )
            for k, (row, share) in enumerate(shares)
        ]
        value = passes.add(Opcode.ADD, width, *scaled)
        held = _between(steps, layer, position, value)
    return value


def tag(steps: LayerBuilder, layer: TagLayer) -> Register:
    """``y = x W_0 + Q(A) Q(x W_1 + Q(A) Q(... Q(x W_K))) + b``, without self-loops."""
    held, keys = steps.embed(layer), list(layer.weights())[1:]
    for position, (key, weight) in enumerate(zip(keys, layer.own, strict=True)):
        value = _hop(steps, layer, held)
        own = steps.product(layer, key, weight)
        value = steps.passes.add(Opcode.ADD, value.width, value, own)
        held = _between(steps, layer, position, value)
    return steps.finish(layer, value)


def _hop(steps: LayerBuilder, layer: SgcLayer | AppnpLayer | TagLayer, held: str) -> Register:
    """What nodes gather of an embedding, by coefficients of their degrees."""
    ranges = steps.passes.coefficients(f"{layer.spec.name}.attention", layer.attention)
    width, loops = layer.spec.gathered_features, layer.spec.gathers_itself
    return steps.gather(layer, held, width, Weighing.BY_DEGREES, itself=loops, table2=ranges)


def _between(
    steps: LayerBuilder, layer: SgcLayer | AppnpLayer | TagLayer, position: int, value: Register
) -> str:
    """Write what a hop made for the next one, if there is one; its name."""
    name = f"{layer.spec.name}.hop{position}"
    if position < len(layer.hops):
        steps.passes.write(name, layer.spec.name, value, layer.hops[position])
    return name


def _own_row(steps: LayerBuilder, width: int) -> Register:
    """The row of the layer's input."""
    read = steps.passes.row_of(steps.source)
    return steps.passes.add(Opcode.READ, width, tables={"table": read}, buffer=steps.source)
