"""A topology adaptive graph convolution (Du et al. 2017): a weight for each distance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sgq_auto.packed.codes.bit_packing import Array
from sgq_auto.packed.codes.code_matrix import CodeMatrix, PackedWeight
from sgq_auto.packed.codes.coded_rows import Chunk
from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.layers.layer import AttentionConvLayer, LayerEntry, LayerParts
from sgq_auto.packed.runtime.layers.multi_hop.hops import HopLayer, hops_of
from sgq_auto.packed.runtime.layers.normalized_sums import NormalizedSum
from sgq_auto.packed.runtime.weight_products import Source
from sgq_auto.packed.sizes.shape_specs import LayerSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class TagLayer(HopLayer, AttentionConvLayer):
    """``y = x W_0 + Q(A) Q(x W_1 + Q(A) Q(... Q(x W_K))) + b``, without self-loops.

    That is ``sum_k A^k x W_k``, from the farthest hop inwards: every hop gathers rows as wide as
    the output, and adds its own product, which is never held.

    Attributes:
        own: ``W_{K-1}`` to ``W_0``, one a hop in the order in which hops run.
    """

    kind = "tag"

    own: tuple[PackedWeight, ...]

    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """Its input and its weights are held to the end, for every hop multiplies them."""
        normalized = NormalizedSum(inference, self.spec, self.attention)
        last = len(self.hops)

        def hop(position: int, hidden: CodeMatrix, target: Sink) -> None:
            product = inference.product(source, self.own[position])

            def gather(chunk: Chunk, rowptr: Array, columns: Array) -> None:
                out = normalized(chunk, rowptr, columns, hidden)
                out += product(chunk)
                target(chunk, self.finish(out) if position == last else out)

            width = max(hidden.width, product.row_values)
            inference.for_edges(gather, width=width, loops=False, other_costs=product.costs)

        self.run_hops(inference, self.embed(inference, source), hop, sink)

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:
        """Its hops."""
        sizes = entry.name, entry.in_features, entry.out_features
        return tag_spec(*sizes, hops=hops_of(node), bias=entry.bias), {}

    def described(self) -> dict[str, Any]:
        """Its hops."""
        return {"hops": self.spec.hops}

    @classmethod
    def weight_shapes(cls, spec: LayerSpec) -> dict[str, tuple[int, int]]:
        """The weight of the farthest hop, and that of each distance from there to the node."""
        shapes = super().weight_shapes(spec)
        return shapes | dict(zip(own_names(spec.hops), spec.further_weights, strict=True))

    def weights(self) -> dict[str, PackedWeight]:
        """The weight of each distance, the farthest first."""
        return super().weights() | dict(zip(own_names(self.spec.hops), self.own, strict=True))

    @classmethod
    def arguments(cls, parts: LayerParts) -> dict[str, Any]:
        """The weights of nearer hops besides."""
        own = tuple(parts.weights[name] for name in own_names(parts.spec.hops))
        return super().arguments(parts) | {"own": own}


def own_names(hops: int) -> tuple[str, ...]:
    """The tensors of the weights of all distances but the farthest, that first: ``weight2`` ..."""
    return tuple(f"weight{distance}" for distance in reversed(range(hops)))


def tag_spec(name: str, in_features: int, out_features: int, *, hops: int, bias: bool) -> LayerSpec:
    """Sizes of a convolution with a weight for each distance from 0 to ``hops``."""
    shape = (out_features, in_features)
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=shape,
        further_weights=(shape,) * hops,
        keeps_input=True,
        transformed_features=out_features,
        further_hops=hops - 1,
        heads=1,
        attention_from_degrees=True,
        vector_elements=out_features if bias else 0,
        gathered_features=out_features,
        gathers_itself=False,
        source_copies=1,
        attention_copies=1,
    )
