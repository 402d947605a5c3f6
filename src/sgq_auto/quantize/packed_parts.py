"""From fake-quantizers and parameters to codes: what a quantized layer needs to become packed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor, nn

from sgq_auto.packed.allocation import FULL_PRECISION, Component
from sgq_auto.packed.codes.code_matrix import PackedWeight, pack_matrix
from sgq_auto.packed.codes.ranges import Ranges
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.quantize.quantizers.fake_quantizers import FakeQuantizer


@dataclass(frozen=True, eq=False)
class Packing:
    """Where a layer stands in its model, which it does not know itself.

    Attributes:
        inputs: Ranges of its input, which are those of the node features for a first layer.
        buckets: How many degree buckets the graph has.
    """

    inputs: Ranges
    buckets: int

    def parts(
        self,
        layer: Any,
        *,
        weights: Mapping[str, Tensor] | None = None,
        vectors: Mapping[str, Tensor | None] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> LayerParts:
        """The parts of a packed layer.

        Args:
            layer: Its twin, with the quantizers that its sizes speak of.
            weights: Its weight matrices ``[out, in]`` by the names of their tensors, in the order
                in which ``weight_quantizer`` has them.
            vectors: Its fp32 parameters by the names of their tensors; ``None`` for one that it
                does not have.
            settings: What the packed layer's class takes besides.
        """
        spec, made = layer.spec(), {}
        if spec.transformed_features:
            made[Component.EMBEDDING] = packed_ranges(layer.transformed_quantizer, self.buckets)
        if spec.heads:
            made[Component.ATTENTION] = packed_ranges(layer.attention_quantizer, self.buckets)
        hops = layer.hop_quantizers if spec.further_hops else ()
        held = {key: array(v) for key, v in (vectors or {}).items() if v is not None}
        return LayerParts(
            spec=spec,
            inputs=self.inputs,
            made=made,
            hops=tuple(packed_ranges(quantizer, self.buckets) for quantizer in hops),
            weights=_packed_weights(weights, layer.weight_quantizer) if weights else {},
            vectors=held,
            settings=settings or {},
        )


def packed_ranges(quantizer: nn.Module | None, groups: int) -> Ranges:
    """The ranges of a fake-quantizer; those of fp32 values where it is none."""
    if not isinstance(quantizer, FakeQuantizer):
        return Ranges.full_precision(groups)
    step, offset = (array(t) for t in quantizer.ranges())
    full = np.array([b == FULL_PRECISION for b in quantizer.bits])
    # fp32 values have no range; empty groups were never seen.
    step, offset = np.where(full, 1, step), np.where(full, 0, offset)
    return Ranges(quantizer.bits, step.astype(np.float32), offset.astype(np.float32))


def array(tensor: Tensor) -> Any:
    """A tensor's values as numpy has them."""
    return tensor.detach().cpu().numpy()


def packed_weight_of(weight: Tensor, quantizer: nn.Module) -> PackedWeight:
    """A weight matrix ``[out, in]`` that has a quantizer of its own, packed."""
    return _packed_weight(weight, packed_ranges(quantizer, weight.size(0)))


def _packed_weights(weights: Mapping[str, Tensor], quantizer: nn.Module) -> dict[str, PackedWeight]:
    """Weights that one quantizer has side by side, each with its own share of the channels.

    Or each has a quantizer of its own, under its name.
    """
    if isinstance(quantizer, nn.ModuleDict):
        channels_of = {key: packed_ranges(quantizer[key], w.size(0)) for key, w in weights.items()}
        return {key: _packed_weight(w, channels_of[key]) for key, w in weights.items()}
    channels = packed_ranges(quantizer, sum(weight.size(0) for weight in weights.values()))
    packed, first = {}, 0
    for key, weight in weights.items():
        own = slice(first, first + weight.size(0))
        ranges = Ranges(channels.bits[own], channels.step[own], channels.offset[own])
        packed[key] = _packed_weight(weight, ranges)
        first = own.stop
    return packed


def _packed_weight(parameter: Tensor, channels: Ranges) -> PackedWeight:
    weight = array(parameter).astype(np.float64)
    codes = np.empty(weight.T.shape)
    for channel, row in enumerate(weight):
        quantized = channels.is_quantized(channel)
        codes[:, channel] = channels.codes(row, channel) if quantized else row
    bits = channels.bits[:1]
    # The codes themselves: channels are scaled after their sums.
    plain = Ranges(bits, np.ones(1, np.float32), np.zeros(1, np.float32))
    return PackedWeight(pack_matrix(codes, (codes.shape[0],), bits, plain), channels)
