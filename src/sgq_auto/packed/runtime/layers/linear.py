"""A linear layer: the one that reads no graph."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sgq_auto.packed.runtime.forward_pass import Inference, Sink
from sgq_auto.packed.runtime.layers.layer import LayerEntry, WeightedLayer
from sgq_auto.packed.runtime.weight_products import Source
from sgq_auto.packed.sizes.shape_specs import LayerSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearLayer(WeightedLayer):
    """``y = x W + b``."""

    kind = "linear"
    takes_graphs = True

    def run(self, inference: Inference, source: Source, sink: Sink) -> None:
        """Each chunk of products goes on at once: nothing of them is held."""
        inference.transform(self.weight, source, lambda chunk, x: sink(chunk, self.finish(x)))

    @classmethod
    def parse(cls, entry: LayerEntry, node: Mapping[str, Any]) -> tuple[LayerSpec, dict[str, Any]]:  # noqa: ARG003
        """Nothing but its widths and its bias."""
        return linear_spec(entry.name, entry.in_features, entry.out_features, bias=entry.bias), {}


def linear_spec(name: str, in_features: int, out_features: int, *, bias: bool) -> LayerSpec:
    """Sizes of ``x W + b``."""
    return LayerSpec(
        name=name,
        in_features=in_features,
        weight_shape=(out_features, in_features),
        vector_elements=out_features if bias else 0,
    )
