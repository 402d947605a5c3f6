"""The quantized twin of PyG's ``GINConv``."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch_geometric.nn import MLP, GINConv
from torch_geometric.nn import Linear as PygLinear

from sgq_auto.compute import FixedMatrix
from sgq_auto.graphs import CsrPattern
from sgq_auto.packed import LayerSpec
from sgq_auto.packed.runtime.layers.gin import GinLayer, gin_spec
from sgq_auto.packed.runtime.layers.gin_sum import GinSumLayer, gin_sum_spec
from sgq_auto.packed.runtime.layers.layer import LayerParts
from sgq_auto.packed.runtime.layers.neighbor_sums import Aggregation
from sgq_auto.quantize.layers.fixed_layer import FixedLayer, neighbor_matrix
from sgq_auto.quantize.packed_parts import Packing
from sgq_auto.quantize.quantized_layer import linear, sum_differs
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
        path = _path_to_linear(source.nn)
        assert path is not None
        first = source.nn.get_submodule(".".join(path))
        self._first = (QuantizedLinearSum(source, first, name, quantizers),)
        self.nn = _with_part(source.nn, path, self._first[0])

    @classmethod
    def lacks(cls, source: GINConv) -> str | None:
        """What is no sum, and a network that does not start linearly."""
        if _path_to_linear(source.nn) is None:
            return f"nn={type(source.nn).__name__}"
        return sum_differs(source)

    def forward(self, x: Tensor, edge_index: Any, size: Any = None) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        self._first[0].along = edge_index, size
        out: Tensor = self.nn(x)
        return out


class SummingGINConv(nn.Module):
    """The same with any other network: the sum is a quantized layer, :class:`QuantizedSum`."""

    def __init__(self, source: GINConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__()
        _keep_epsilon(source, self)
        self.sum = QuantizedSum(source, name, quantizers)
        self.nn = source.nn

    @classmethod
    def lacks(cls, source: GINConv) -> str | None:
        """What is no sum."""
        return sum_differs(source)

    def forward(self, x: Tensor, edge_index: Any, size: Any = None) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        out: Tensor = self.nn(self.sum(x, edge_index, size))
        return out


class SumLayer(FixedLayer):
    """A layer that adds its neighbours to a node, which counts ``1 + eps`` times."""

    eps: Tensor

    def summed(self, adj_t: CsrPattern, nodes: Tensor) -> Tensor:
        """``[N, features]``, of what is gathered."""
        return self.gather(adj_t, nodes) + (1 + self.eps) * nodes

    def matrix(self, adj_t: CsrPattern, dtype: torch.dtype) -> FixedMatrix:
        """What sums up a node's neighbours."""
        return neighbor_matrix(adj_t, Aggregation.SUM, dtype)


class QuantizedSum(SumLayer):
    """``y_i = (1 + eps) Q(x)_i + sum_j Q(x)_j`` over neighbours."""

    packs_as = GinSumLayer

    def __init__(self, source: GINConv, name: str, quantizers: QuantizerFactory) -> None:
        super().__init__(name, quantizers)
        _keep_epsilon(source, self)

    def forward(self, x: Tensor, edge_index: Any, size: Any = None) -> Tensor:
        """``[N, features]`` to ``[N, features]``."""
        adj_t = self.pattern(edge_index, size=size)
        return self.summed(adj_t, self.quantize_nodes(x))

    def packed_parts(self, packing: Packing) -> LayerParts:
        """Epsilon."""
        return packing.parts(self, vectors={"eps": self.eps})

    def spec(self) -> LayerSpec:
        """Sizes of this layer."""
        return gin_sum_spec(self.name, self.in_features)


class QuantizedLinearSum(SumLayer):
    """``y_i = (1 + eps) h_i + sum_j h_j + b`` over neighbours, with ``h = Q(Q(x) Q(W)^T)``.

    PyG sums first, which gives the same and is as wide as the features.
    """

    packs_as = GinLayer
    # The edges of the pass that runs: a network calls its first layer with a tensor alone.
    along: tuple[Any, Any] = (None, None)

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

    def forward(self, x: Tensor) -> Tensor:
        """``[N, in]`` to ``[N, out]``."""
        edge_index, size = self.along
        adj_t = self.pattern(edge_index, size=size)
        nodes = linear(self.quantize_input(x), self.weight_quantizer(self.weight))
        nodes = self.transformed_quantizer(nodes)
        out = self.summed(adj_t, nodes)
        return out if self.bias is None else out + self.bias

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


def _path_to_linear(network: nn.Module) -> tuple[str, ...] | None:
    """Names that lead to the linear layer that a network starts with; ``None`` if it does not.

    A class of the user's own may do more with its parts than run them.
    """
    if type(network) in _LINEAR:
        return ()
    if type(network) is MLP:
        return ("lins", "0")
    if type(network) is not nn.Sequential:
        return None
    name, first = next(iter(network.named_children()), ("", None))
    path = None if first is None else _path_to_linear(first)
    return None if path is None else (name, *path)


def _with_part(network: nn.Module, path: tuple[str, ...], part: nn.Module) -> nn.Module:
    """A copy of a network, which may be another layer's too, with another part at the path."""
    if not path:
        return part
    name, *rest = path
    made = copy.copy(network)
    made._modules = dict(network._modules)
    made._modules[name] = _with_part(network.get_submodule(name), tuple(rest), part)
    return made
