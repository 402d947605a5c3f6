"""The steps of layers that pass messages several times, or beside an embedding that is kept."""

import numpy as np

from sgq_auto.packed.codes.code_matrix import PackedWeight
from sgq_auto.packed.device.lowering.layer_builder import LayerBuilder
from sgq_auto.packed.device.steps import Opcode, Register, Weighing
from sgq_auto.packed.runtime.layers.multi_hop.appnp import AppnpLayer
from sgq_auto.packed.runtime.layers.multi_hop.gcn2 import Gcn2Layer
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
        value = _share(steps, _hop(steps, layer, held), f"{name}.share0", 1 - layer.alpha)
        own = _share(steps, steps.row(steps.source), f"{name}.share1", layer.alpha)
        value = passes.add(Opcode.ADD, width, value, own)
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


def gcn2(steps: LayerBuilder, layer: Gcn2Layer) -> Register:
    """``y = u ((1 - beta) I + beta W)`` with ``u = (1 - alpha) Q(A) x + alpha x_0``.

    With a weight of its own for ``x_0``, each of the two terms has its own product.
    """
    name, width = layer.spec.name, layer.spec.in_features
    (start,) = steps.further or (steps.source,)
    value = _share(steps, _hop(steps, layer, steps.source), f"{name}.share0", 1 - layer.alpha)
    other = _share(steps, steps.row(start), f"{name}.share1", layer.alpha)
    if layer.initial is None:
        value = steps.passes.add(Opcode.ADD, width, value, other)
        return _mixed(steps, layer, "weight", layer.weight, value)
    value = _mixed(steps, layer, "weight", layer.weight, value)
    other = _mixed(steps, layer, "initial_weight", layer.initial, other)
    return steps.passes.add(Opcode.ADD, width, value, other)


def _mixed(
    steps: LayerBuilder, layer: Gcn2Layer, key: str, weight: PackedWeight, value: Register
) -> Register:
    """``(1 - beta) r + beta r W``."""
    name = layer.spec.name
    made = _share(
        steps, steps.transform(layer, key, weight, value), f"{name}.made_share", layer.beta
    )
    own = _share(steps, value, f"{name}.own_share", 1 - layer.beta)
    return steps.passes.add(Opcode.ADD, value.width, made, own)


def _hop(
    steps: LayerBuilder, layer: SgcLayer | AppnpLayer | TagLayer | Gcn2Layer, held: str
) -> Register:
    """What nodes gather of an embedding, by coefficients of their degrees if there are some."""
    width, loops = layer.spec.gathered_features, layer.spec.gathers_itself
    if layer.attention is None:
        return steps.gather(layer, held, width, Weighing.BY_ONE, itself=loops)
    ranges = steps.passes.coefficients(f"{layer.spec.name}.attention", layer.attention)
    return steps.gather(layer, held, width, Weighing.BY_DEGREES, itself=loops, table2=ranges)


def _between(
    steps: LayerBuilder, layer: SgcLayer | AppnpLayer | TagLayer, position: int, value: Register
) -> str:
    """Write what a hop made for the next one, if there is one; its name."""
    name = f"{layer.spec.name}.hop{position}"
    if position < len(layer.hops):
        steps.passes.write(name, layer.spec.name, value, layer.hops[position])
    return name


def _share(steps: LayerBuilder, value: Register, name: str, share: float) -> Register:
    """A row times a number."""
    numbers = np.array([share, 0.0], dtype=np.float32)
    return steps.with_numbers(Opcode.SCALE, value, name, numbers)
