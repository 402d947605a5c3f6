"""The quantized twin of PyG's ``GINConv``."""

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import GINConv
from torch_geometric.nn import Linear as PygLinear

from sgq_auto.compute import FixedMatrix
from sgq_auto.graphs import CsrPattern
from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.gin import GinLayer, gin_spec
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.packed.runtime.layers.neighbors import Aggregation
from sgq_auto.quantize.layer import linear, sums_messages
from sgq_auto.quantize.layers.fixed_layer import FixedLayer, neighbor_matrix
from sgq_auto.quantize.packing import Packing
from sgq_auto.quantize.quantizers.factory import QuantizerFactory

_LINEAR = (nn.Linear, PygLinear)


class QuantizedGINConv(nn.Module):
    """``y_i = MLP((1 + eps) x_i + sum_j x_j)``, the first linear layer applied before the sum.

    That layer and the sum are one quantized layer, :class:`QuantizedLinearSum`. The rest of the
    network stays as it is, to be swapped like any other part of a model.
    """

    def __init__(self, source: GINConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__()
        _keep_epsilon(source, self)
        # A network of its own: the layer's may be another one's too.
        self.nn = nn.Sequential(OrderedDict(source.nn._modules))
        self.nn[0] = QuantizedLinearSum(source, source.nn[0], name, quantizers)

    @classmethod
    def covers(cls, source: GINConv) -> bool:
        """Whether it sums neighbours, and its network is a sequence that starts linearly."""
        network = source.nn
        # A class of the user's own may do more with its parts than run them.
        known = type(network) is nn.Sequential and isinstance(next(iter(network), None), _LINEAR)
        return known and sums_messages(source)

    def forward(self, x: Tensor, edge_index: Any, size: Any = None) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        first, *rest = self.nn
        out: Tensor = first(x, edge_index, size)
        for module in rest:
            out = module(out)
        return out


class QuantizedLinearSum(FixedLayer):
    """``y_i = (1 + eps) h_i + sum_j h_j + b`` over neighbours, with ``h = Q(Q(x) Q(W)^T)``.

    PyG sums first, which gives the same and is as wide as the features.
    """

    packs_as = GinLayer

    eps: Tensor

    def __init__(
        self,
        conv: GINConv,
        source: nn.Linear | PygLinear,
        name: str,
        quantizers: QuantizerFactory,
    ) -> None:
        super().__init__(name, quantizers)
        self.weight = source.weight
        self.bias = source.bias
        _keep_epsilon(conv, self)
        self.weight_quantizer = quantizers.weight(name, source.weight.size(0))
        self.transformed_quantizer = quantizers.embedding(name)

    def forward(self, x: Tensor, edge_index: Any, size: Any = None) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        adj_t = self.pattern(edge_index, size=size)
        nodes = linear(self.quantize_input(x), self.weight_quantizer(self.weight))
        nodes = self.transformed_quantizer(nodes)
        out: Tensor = self.gather(adj_t, nodes) + (1 + self.eps) * nodes
        return out if self.bias is None else out + self.bias

    def matrix(self, adj_t: CsrPattern, dtype: torch.dtype) -> FixedMatrix:
        """What sums up a node's neighbours."""
        return neighbor_matrix(adj_t, Aggregation.SUM, dtype)

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Its weight, its bias and epsilon."""
        vectors = {"bias": self.bias, "eps": self.eps}
        return packing.parts(self, weights={"weight": self.weight}, vectors=vectors)

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        rows = self.weight.size(0)
        return gin_spec(self.name, self.in_features, rows, bias=self.bias is not None)


def _keep_epsilon(source: GINConv, module: nn.Module) -> None:
    """Give a module the epsilon of a layer: a parameter or a buffer, so that it goes both ways."""
    module._parameters |= source._parameters
    module._buffers |= source._buffers
