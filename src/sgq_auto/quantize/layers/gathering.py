"""What twins share that gather before they transform."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sgq_auto.graphs import CsrPattern
from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.gathering import GatheringLayer, gathering_spec
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.quantize.layers.reducing import ReducingLayer, known_reductions
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantized_layer import flow_differs, linear
from sgq_auto.quantize.quantizers.factory import QuantizerFactory


class GatheringConv(ReducingLayer):
    """``y_i = [max_j h_j, ...] Q(W)^T + Q(x)_i Q(W_r)^T + b`` over neighbours, with ``h = Q(x)``.

    What follows the sums is no embedding that anything holds: it is transformed as it is made.

    Args:
        source: The layer.
        name: Its name in the model.
        quantizers: Makes its fake-quantizers.

    Attributes:
        linear_names: What PyG calls the linear layers of what is gathered and of a node itself;
            ``source`` may lack the second.
    """

    packs_as = GatheringLayer

    linear_names: ClassVar[tuple[str, str]]
    normalize = False
    projection: Any = None

    def __init__(self, source: Any, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers)
        self.reductions = known_reductions(source.aggr) or ()
        for key in self.linear_names:
            setattr(self, key, getattr(source, key, None))
        self._keep(source)
        self.weight_quantizer = nn.ModuleDict(
            {key: quantizers.weight(name, lin.weight.size(0)) for key, lin in self.linears.items()}
        )
        if self.projection is not None:
            self.transformed_quantizer = quantizers.embedding(name)

    def _keep(self, source: Any) -> None:
        """What a class of layers has besides."""

    @classmethod
    def lacks(cls, source: Any) -> str | None:
        """Only some aggregations, of one kind of nodes."""
        if not isinstance(source.in_channels, int):
            return f"in_channels={source.in_channels!r}"
        if known_reductions(source.aggr) is None:
            return f"aggr={source.aggr or type(source.aggr_module).__name__!r}"
        return flow_differs(source)

    @property
    def linears(self) -> dict[str, Any]:
        """The linear layers that it has, by the names of their packed weights."""
        own, root = (getattr(self, key) for key in self.linear_names)
        named = {"weight": own, "root_weight": root, "project_weight": self.projection}
        return {key: lin for key, lin in named.items() if lin is not None}

    @property
    def bias(self) -> Tensor | None:
        """What is added to every node."""
        bias: Tensor | None = self.linears["weight"].bias
        return bias

    def aggregate(self, x: Tensor, adj_t: CsrPattern) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        weights = {key: self.weight_quantizer[key](lin.weight) for key, lin in self.linears.items()}
        inputs = self.quantize_input(x)
        if self.projection is None:
            nodes = inputs if isinstance(inputs, Tensor) else inputs.dense()
        else:
            products = linear(inputs, weights["project_weight"]) + self.projection.bias
            nodes = self.transformed_quantizer(products.relu())
        out = linear(
            torch.cat(self.reduced(adj_t, nodes, self.reductions), dim=1), weights["weight"]
        )
        if "root_weight" in weights:
            out = out + linear(inputs, weights["root_weight"])
        out = out if self.bias is None else out + self.bias
        return nn.functional.normalize(out, p=2.0, dim=-1) if self.normalize else out

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Its matrices, its biases, and what it takes of neighbours."""
        weights = {key: lin.weight for key, lin in self.linears.items()}
        projected = None if self.projection is None else self.projection.bias
        settings = {"reductions": self.reductions, "normalize": self.normalize}
        vectors = {"bias": self.bias, "project_bias": projected}
        return packing.parts(self, weights=weights, vectors=vectors, settings=settings)

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        return gathering_spec(
            self.name,
            self.in_features,
            self.linears["weight"].weight.size(0),
            reductions=len(self.reductions),
            root_weight="root_weight" in self.linears,
            project=self.projection is not None,
            bias=self.bias is not None,
        )
